"""Every way in which a bundle must be refused."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.domain.errors import BundleRefused
from recsys.models.bundle_files import FILES, load_bundle
from recsys.models.sealed_files import MANIFEST, canonical_json
from tests.recsys.models.bundles import a_bundle, edit_arrays, every_model, reseal


@every_model
@pytest.mark.parametrize("file", [*FILES, MANIFEST])
def test_a_truncated_or_missing_file_is_refused(name: str, file: str, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b", name)
    path = tmp_path / "b" / file
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(BundleRefused, match=r"size|manifest"):
        load_bundle(tmp_path / "b")
    path.unlink()
    with pytest.raises(BundleRefused, match=r"files|manifest"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("file", FILES)
def test_one_changed_byte_is_refused(file: str, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    path = tmp_path / "b" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BundleRefused, match="sha256"):
        load_bundle(tmp_path / "b")


def test_a_changed_manifest_is_another_version_or_refused(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b")
    reseal(tmp_path / "b", training={"events": 2})
    assert load_bundle(tmp_path / "b").version != bundle.version


@every_model
@pytest.mark.parametrize(
    ("number", "check"), [(np.nan, "finiteness"), (np.inf, "finiteness"), (1e30, "norms"), (-np.inf, "finiteness")]
)
def test_a_number_that_no_real_model_has_is_refused(name: str, number: float, check: str, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b", name)
    for array in ("item_factors", "similarity", "popularity"):
        edit_arrays(tmp_path / "b", lambda arrays, array=array: _set_first(arrays, array, number))  # type: ignore[misc]
    with pytest.raises(BundleRefused, match=check):
        load_bundle(tmp_path / "b")


def _set_first(arrays: dict[str, np.ndarray], name: str, number: float) -> None:
    if name in arrays:
        arrays[name].flat[0] = number


def _set_rows(array: np.ndarray, row: np.ndarray) -> None:
    array[:] = row


@every_model
def test_zero_rows_everywhere_are_refused(name: str, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b", name)
    edit_arrays(tmp_path / "b", lambda arrays: arrays.update({key: array * 0 for key, array in arrays.items()}))
    with pytest.raises(BundleRefused, match="norms"):
        load_bundle(tmp_path / "b")


@every_model
def test_permuted_offer_ids_are_caught_by_the_canary(name: str, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b", name)
    path = tmp_path / "b" / "offers.json"
    offers = json.loads(path.read_bytes())
    offers["offer_ids"] = offers["offer_ids"][1:] + offers["offer_ids"][:1]
    path.write_bytes(canonical_json(offers))
    reseal(tmp_path / "b")
    with pytest.raises(BundleRefused, match="canary"):
        load_bundle(tmp_path / "b")


def test_two_swapped_offer_ids_are_caught_by_the_canary(tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    path = tmp_path / "b" / "offers.json"
    offers = json.loads(path.read_bytes())
    offers["offer_ids"][:2] = reversed(offers["offer_ids"][:2])
    path.write_bytes(canonical_json(offers))
    reseal(tmp_path / "b")
    with pytest.raises(BundleRefused, match="canary"):
        load_bundle(tmp_path / "b")


def test_one_offer_repeated_in_every_row_is_caught_by_the_canary(tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    edit_arrays(tmp_path / "b", lambda arrays: _set_rows(arrays["item_factors"], arrays["item_factors"][1]))
    with pytest.raises(BundleRefused, match="canary"):
        load_bundle(tmp_path / "b")


def test_a_changed_parameter_is_caught_by_the_canary(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b")
    reseal(tmp_path / "b", parameters={**bundle.model.parameters(), "alpha": 400.0})
    with pytest.raises(BundleRefused, match="canary"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("offer_ids", [["a"], ["a"] * 30, list(range(30)), "x" * 30, []])
def test_offer_ids_that_do_not_name_every_column_once_are_refused(offer_ids: Any, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    (tmp_path / "b" / "offers.json").write_bytes(canonical_json({"offer_ids": offer_ids, "answer_counts": {}}))
    reseal(tmp_path / "b")
    with pytest.raises(BundleRefused, match=r"ids|canary"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("cases", [[], [{"history": {}}], [{"history": {}, "top": []}], {}, 7])
def test_a_canary_without_its_histories_is_refused(cases: Any, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    (tmp_path / "b" / "canary.json").write_bytes(canonical_json(cases))
    reseal(tmp_path / "b")
    with pytest.raises(BundleRefused, match="canary"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("name", ["../outside.npz", "/etc/passwd", "arrays.npz/../offers.json"])
def test_a_manifest_that_names_other_files_is_refused(name: str, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    path = tmp_path / "b" / MANIFEST
    manifest = json.loads(path.read_bytes())
    manifest["files"][name] = manifest["files"].pop("arrays.npz")
    path.write_bytes(canonical_json(manifest))
    with pytest.raises(BundleRefused, match="seal exactly"):
        load_bundle(tmp_path / "b")


def test_a_link_to_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    moved = (tmp_path / "b" / "arrays.npz").rename(tmp_path / "elsewhere.npz")
    (tmp_path / "b" / "arrays.npz").symlink_to(moved)
    with pytest.raises(BundleRefused, match="files"):
        load_bundle(tmp_path / "b")


def a_member(header: str, data: bytes) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "member",
    [
        a_member("{'descr': '<f4', 'fortran_order': False, 'shape': (900000000000, 64), }", b"\0" * 16),
        a_member("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -4), }", b"\0" * 16),
        a_member("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", b"\0" * 16),
        a_member("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", b"\0" * 16),
        a_member("__import__('os')", b""),
        b"\x93NUMPY\x01\x00\xff\xff" + b"{" * 65535,
        b"not an array",
        b"",
    ],
)
def test_an_array_that_is_not_what_it_declares_is_refused_without_allocating_it(member: bytes, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "b" / "arrays.npz", "w") as archive:
        archive.writestr("item_factors.npy", member)
    reseal(tmp_path / "b")
    with pytest.raises(BundleRefused, match="arrays"):
        load_bundle(tmp_path / "b")


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "b" / "arrays.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("item_factors.npy", b"\0" * 1_000_000)
    reseal(tmp_path / "b")
    with pytest.raises(BundleRefused, match="plainly stored"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "oracle"},
        {"format": 99},
        {"scale": [0.0, 0.0]},
        {"scale": ["x", 1]},
        {"popularity_scale": [1.0]},
        {"parameters": {"factors": -3}},
        {"parameters": {"unknown": 1}},
        {"parameters": {"alpha": "many"}},
        {"parameters": None},
        {"canaries": 10_000},
    ],
)
def test_a_manifest_that_does_not_fit_its_arrays_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    reseal(tmp_path / "b", **changes)
    with pytest.raises(BundleRefused, match=r"shapes|format|canary"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"files": 3}', b"[" * 100_000, b" " * 2_000_000, b"\xff"])
def test_an_unreadable_manifest_is_refused(content: bytes, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    (tmp_path / "b" / MANIFEST).write_bytes(content)
    with pytest.raises(BundleRefused, match="manifest"):
        load_bundle(tmp_path / "b")


def test_arrays_of_another_shape_are_refused(tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    edit_arrays(tmp_path / "b", lambda arrays: arrays.update(item_factors=arrays["item_factors"][:-1]))
    with pytest.raises(BundleRefused, match="shapes"):
        load_bundle(tmp_path / "b")


def test_neighbours_outside_the_catalogue_are_refused(tmp_path: Path) -> None:
    a_bundle(tmp_path / "b", "item_item")
    edit_arrays(tmp_path / "b", lambda arrays: arrays["neighbour"].__setitem__(0, 4_000_000))
    with pytest.raises(BundleRefused, match="shapes"):
        load_bundle(tmp_path / "b")

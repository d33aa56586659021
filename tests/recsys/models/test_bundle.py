"""The bundle: what it answers, and every way in which it must be refused."""

import json
import time
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from recsys.domain.errors import BundleRefused
from recsys.interactions.matrix import build_matrix
from recsys.models.bundle import Bundle, TrainingFacts, load_bundle, save_bundle
from recsys.models.families import FAMILIES, create_model
from recsys.models.sealed_files import MANIFEST, canonical_json, seal, write_arrays
from tests.recsys.models.worlds import a_market, fitted

every_model = pytest.mark.parametrize("name", FAMILIES)
FILES = ("arrays.npz", "offers.json", "canary.json")


def build_bundle(directory: Path, name: str) -> Bundle:
    world = a_market(customers=60)
    facts = TrainingFacts({world.offer_ids[0]: (3, 10)}, {"events": 1000})
    return save_bundle(directory, fitted(name, world), world, np.random.default_rng(2), facts)


@cache
def built_once(name: str) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        build_bundle(Path(folder) / "b", name)
        return {path.name: path.read_bytes() for path in (Path(folder) / "b").iterdir()}


def a_bundle(directory: Path, name: str = "als") -> Bundle:
    directory.mkdir()
    for file, content in built_once(name).items():
        (directory / file).write_bytes(content)
    return load_bundle(directory)


def reseal(directory: Path, **changes: Any) -> None:
    """Seal the files as they are now: only the checks behind the checksums can still refuse them."""
    manifest = {**json.loads((directory / MANIFEST).read_text()), **changes}
    seal(directory, FILES, manifest)


def edit_arrays(directory: Path, edit: Callable[[dict[str, np.ndarray]], None]) -> None:
    with np.load(directory / "arrays.npz") as stored:
        arrays = {name: stored[name].copy() for name in stored}
    edit(arrays)
    write_arrays(directory / "arrays.npz", arrays)
    reseal(directory)


@every_model
def test_scores_have_mean_zero_and_deviation_one_over_customers_and_offers(name: str, tmp_path: Path) -> None:
    world, bundle = a_market(customers=60), a_bundle(tmp_path / "b", name)
    rows = [dict(zip(np.array(world.offer_ids)[row.indices], row.data, strict=True)) for row in world.matrix]
    scores = np.stack([bundle.score(history, bundle.offer_ids) for history in rows])
    assert scores.mean() == pytest.approx(0, abs=1e-4)
    assert scores.std() == pytest.approx(1, abs=1e-4)


@every_model
def test_an_unknown_offer_scores_zero_among_the_known(name: str, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b", name)
    known = bundle.offer_ids[3]
    scores = bundle.score({bundle.offer_ids[0]: 1.0}, [known, "nowhere"])
    assert scores.tolist() == [bundle.score({bundle.offer_ids[0]: 1.0}, [known])[0], 0.0]


@every_model
@pytest.mark.parametrize("history", [{}, {"nowhere": 1.0}, {"产品01": 0.0}])
def test_a_history_with_nothing_known_gets_the_popularity_answer(
    name: str, history: dict[str, float], tmp_path: Path
) -> None:
    bundle = a_bundle(tmp_path / "b", name)
    assert np.array_equal(bundle.score(history, bundle.offer_ids), bundle.popularity(bundle.offer_ids))
    assert bundle.contributions(history, bundle.offer_ids[0]) == []


@pytest.mark.parametrize("name", ["als", "item_item"])
def test_contributions_explain_the_score_up_to_one_constant(name: str, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b", name)
    constants = []
    for history in ({"产品01": 1.0}, {"产品01": 1.0, "产品05": 0.5, "产品09": 0.2}):
        shares = bundle.contributions(history, "产品03")
        constants.append(bundle.score(history, ["产品03"])[0] - sum(share for _, share in shares))
        assert [abs(share) for _, share in shares] == sorted((abs(share) for _, share in shares), reverse=True)
    assert constants[0] == pytest.approx(constants[1], abs=1e-4)


def test_no_offers_are_scored_as_no_offers(tmp_path: Path) -> None:
    assert a_bundle(tmp_path / "b").score({"产品01": 1.0}, []).shape == (0,)


@every_model
def test_the_same_model_gives_the_same_bytes_and_version(name: str, tmp_path: Path) -> None:
    one, other = build_bundle(tmp_path / "one", name), build_bundle(tmp_path / "other", name)
    assert one.version == other.version
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "other" / f).read_bytes() for f in (*FILES, MANIFEST))


def test_another_model_has_another_version(tmp_path: Path) -> None:
    assert a_bundle(tmp_path / "one", "als").version != a_bundle(tmp_path / "other", "item_item").version


def test_what_training_found_comes_back(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b")
    assert bundle.answer_counts == {bundle.offer_ids[0]: (3, 10)}
    assert bundle.manifest["training"] == {"events": 1000}


def test_the_canary_has_500_histories_where_there_are_as_many(tmp_path: Path) -> None:
    world = a_market(customers=700)
    save_bundle(tmp_path / "b", fitted("item_item", world), world, np.random.default_rng(0))
    assert len(json.loads((tmp_path / "b" / "canary.json").read_bytes())) == 501


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


def test_one_customer_and_a_thousand_offers_are_scored_well_within_a_millisecond(tmp_path: Path) -> None:
    offers = [f"o{number:04d}" for number in range(1000)]
    rng = np.random.default_rng(0)
    world = build_matrix([f"c{n}" for n in rng.integers(0, 2000, 20_000)], rng.choice(offers, 20_000), catalogue=offers)
    model = create_model("als", {"iterations": 2}).fit(world, rng=rng)
    bundle = save_bundle(tmp_path / "b", model, world, rng)
    history = dict.fromkeys(offers[::150], 1.0)
    seconds = []
    for _ in range(50):
        started = time.perf_counter()
        bundle.score(history, offers)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1e-3

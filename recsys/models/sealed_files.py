"""Files under seal: arrays and JSON written beside a manifest of sizes and SHA-256, and read back distrustfully."""

import hashlib
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import BundleRefused

MANIFEST = "manifest.json"
MOST_BYTES = 4 * 2**30
MOST_MANIFEST_BYTES = 2**20
_MOST_HEADER_BYTES = 4096
_NUMBERS = frozenset({"float32", "float64", "int32", "int64"})


def canonical_json(document: Any) -> bytes:
    """Return the one byte string that stands for `document`: sorted keys, no spaces, no NaN."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write `arrays` in name order, uncompressed: the same arrays always give the same bytes."""
    np.savez(path, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})


def seal(directory: Path, names: tuple[str, ...], manifest: Mapping[str, Any]) -> None:
    """Write the manifest with the size and SHA-256 of each file in `names`."""
    files = {name: {"bytes": (directory / name).stat().st_size, "sha256": _sha256(directory / name)} for name in names}
    (directory / MANIFEST).write_bytes(canonical_json({**manifest, "files": files}))


def open_sealed(directory: Path, names: tuple[str, ...]) -> tuple[dict[str, Any], bytes]:
    """Return the manifest and its bytes after checking that exactly `names` are sealed and unchanged."""
    path = directory / MANIFEST
    try:
        if path.stat().st_size > MOST_MANIFEST_BYTES:
            raise BundleRefused("manifest: larger than any real one")
        content = path.read_bytes()
        manifest = json.loads(content)
        sealed = {str(name): (int(entry["bytes"]), str(entry["sha256"])) for name, entry in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleRefused(f"manifest: unreadable ({type(error).__name__})") from error
    if set(sealed) != set(names):
        raise BundleRefused(f"manifest: must seal exactly {', '.join(names)}")
    for name, (size, digest) in sealed.items():
        _check_seal(directory / name, size, digest)
    return manifest, content


def _check_seal(path: Path, size: int, digest: str) -> None:
    if path.is_symlink() or not path.is_file():
        raise BundleRefused(f"files: {path.name} is missing or not a file")
    if path.stat().st_size != size or size > MOST_BYTES:
        raise BundleRefused(f"size: {path.name} has {path.stat().st_size} bytes, sealed with {size}")
    if _sha256(path) != digest:
        raise BundleRefused(f"sha256: {path.name} has changed since it was sealed")


def read_json(path: Path) -> Any:
    """Return the JSON document at `path`."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BundleRefused(f"json: {path.name} is unreadable ({type(error).__name__})") from error


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays at `path`, allocating no more than the file holds: no pickle, no compression."""
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.compress_type != zipfile.ZIP_STORED or not member.filename.endswith(".npy"):
                    raise BundleRefused(f"arrays: {member.filename} is not a plainly stored array")
                with archive.open(member) as stream:
                    arrays[member.filename.removesuffix(".npy")] = _read_array(stream, member.file_size)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise BundleRefused(f"arrays: unreadable ({type(error).__name__})") from error
    return arrays


def _read_array(stream: IO[bytes], size: int) -> NDArray[Any]:
    if np.lib.format.read_magic(stream) != (1, 0):
        raise BundleRefused("arrays: unknown format version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_MOST_HEADER_BYTES)
    if dtype.name not in _NUMBERS or fortran:
        raise BundleRefused(f"arrays: {dtype.name} is not a kind of array that models have")
    if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize != size - stream.tell():
        raise BundleRefused("arrays: the header declares another size than the file holds")
    return np.frombuffer(stream.read(), dtype=dtype).reshape(shape)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

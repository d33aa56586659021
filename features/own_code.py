"""The code of the bank's transformations: files on this machine, known by digest, never text from a database.

What was applied is kept beside the registry, so that it goes on whatever happens to the bank's own folder.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from recsys.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class CodeShelf:
    """Where code is found by its digest: `kept` is what was applied here, `folder` what the bank has now."""

    kept: Path
    folder: Path | None = None

    def keep(self, file: Path) -> None:
        """Keep a copy of a file under its digest."""
        self.kept.mkdir(parents=True, exist_ok=True)
        content = file.read_bytes()
        copy = self.kept / f"{hashlib.sha256(content).hexdigest()}.py"
        beside = copy.with_suffix(f".{os.getpid()}.writing")
        beside.write_bytes(content)
        beside.replace(copy)

    def files(self, digest: str) -> Iterable[Path]:
        """Yield where code of this digest may be."""
        yield self.kept / f"{digest}.py"
        if self.folder is not None:
            yield from sorted(self.folder.glob("[!_]*.py"))


def digest_of(file: Path) -> str:
    """Return the digest of a file's content."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def load_code(digest: str, place: str, shelf: CodeShelf | None) -> ModuleType:
    """Return the module whose file has this digest, first met at `place`; raises InvalidInput where there is none.

    One that is not kept on this machine yet is kept from now on.
    """
    for file in (*(shelf.files(digest) if shelf else ()), Path(place)):
        if file.exists() and digest_of(file) == digest:
            if shelf is not None and file.parent != shelf.kept:
                shelf.keep(file)
            return load_file(file)
    raise InvalidInput(f"{place}: this machine has no file as it was applied; put it into NBO_FEATURES")


def load_file(file: Path) -> ModuleType:
    """Run a file of the bank's and return its module; raises whatever it raises."""
    name = f"nbo_features_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses of the file look for it
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module

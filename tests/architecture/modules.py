"""The product's modules as they stand on disk: path, syntax tree and sentence, read without importing anything."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("recsys", "features", "training", "experiments", "serving")


@dataclass(frozen=True)
class Module:
    """One Python file; `path` is relative to the root of the repository."""

    path: Path
    text: str

    @property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return _parsed(self.text)

    @property
    def docstring(self) -> str:
        """The module's docstring, "" where there is none."""
        return ast.get_docstring(self.tree) or ""

    @property
    def sentence(self) -> str:
        """The first line of the docstring: what the module is for."""
        return self.docstring.partition("\n")[0]


@cache
def product_modules() -> tuple[Module, ...]:
    """Return every module of the five packages, in the order of their paths."""
    return tuple(module for package in PACKAGES for module in modules_below(ROOT / package))


@cache
def modules_below(directory: Path) -> tuple[Module, ...]:
    """Return every module below a directory, in the order of their paths."""
    files = sorted(directory.rglob("*.py"))
    return tuple(Module(file.relative_to(ROOT), file.read_text(encoding="utf-8")) for file in files)


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)

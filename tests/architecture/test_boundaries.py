"""Imports point one way, every error has an answer, and pages load nothing from elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from recsys.domain import errors
from recsys.domain.errors import NboError
from serving.errors import status_of
from tests.architecture.modules import ROOT

CONSOLES = ROOT / "serving" / "consoles"
NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink")
ADDRESS = re.compile(r"https?://[^\s\"'<>)]+|(?:src|href)=[\"']//[^\"']+|url\(\s*[\"']?//[^)]+|@import[^;]+")


def subclasses(error: type[NboError]) -> Iterator[type[NboError]]:
    for child in error.__subclasses__():
        yield child
        yield from subclasses(child)


def pages() -> list[Path]:
    folders = (CONSOLES / "templates", CONSOLES / "static")
    return sorted(
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.suffix in (".html", ".css", ".js", ".svg") and "vendor" not in file.parts
    )


def test_imports_keep_to_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0, "`make lint` shows the imports that break a contract"


@pytest.mark.parametrize("error", [pytest.param(error, id=error.__name__) for error in subclasses(NboError)])
def test_every_error_has_an_answer_of_its_own(error: type[NboError]) -> None:
    assert status_of(error) in (401, 403, 404, 409, 422, 503)


def test_the_drawn_tree_of_errors_is_complete() -> None:
    drawn = set(re.findall(r"\w+", errors.__doc__ or ""))
    assert {error.__name__ for error in subclasses(NboError)} <= drawn


def test_pages_load_nothing_from_elsewhere() -> None:
    found = {
        f"{page.name}: {address}"
        for page in pages()
        for address in ADDRESS.findall(page.read_text(encoding="utf-8"))
        if address not in NAMESPACES
    }
    assert pages()
    assert not found

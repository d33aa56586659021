"""Writes the documents that come from the code: `python -m tests.architecture.render`."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.architecture.command_reference import command_reference
from tests.architecture.modules import ROOT
from tests.architecture.tree import package_tree

GENERATED: Mapping[Path, Callable[[], str]] = {
    ROOT / "docs" / "architecture.md": package_tree,
    ROOT / "docs" / "cli.md": command_reference,
}
"""Each document and what its generated part says; the rest of the document is written by hand."""

BEGIN = "<!-- written from the code by `make docs`: begin -->\n"
END = "<!-- written from the code by `make docs`: end -->\n"


def main() -> None:
    """Bring every generated part up to date."""
    for document in GENERATED:
        document.write_text(rendered(document), encoding="utf-8")
        sys.stderr.write(f"{document.relative_to(ROOT)}: written\n")


def rendered(document: Path) -> str:
    """Return the document with its generated part as the code says it now."""
    text = document.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document.name} has lost the marks of its generated part")
    return f"{before}{BEGIN}\n{GENERATED[document]()}\n{END}{after}"


if __name__ == "__main__":
    main()

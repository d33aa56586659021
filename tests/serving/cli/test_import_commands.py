"""`nbo init` and `nbo import` as a user runs them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from serving.cli.main import main

INTERACTIONS = "customer_id,offer_id,occurred_at\nc1,card,2026-01-01\n"


class Done(NamedTuple):
    """How a command ended and what it printed."""

    code: Any
    output: str
    errors: str


@pytest.fixture
def nbo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs the command line with all state below a temporary home."""
    monkeypatch.setenv("NBO_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["nbo", *arguments, "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code, *capsys.readouterr())

    return run


def test_init_makes_the_tables_and_can_be_repeated(nbo: Callable[..., Done]) -> None:
    for _ in range(2):
        assert json.loads(nbo("init").output)["rows"]["customers"] == 0


def test_import_reports_what_became_of_every_row(nbo: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text(INTERACTIONS + "c2,,2026-01-01\n")
    done = nbo("import", str(tmp_path))
    report = json.loads(done.output)
    assert done.code == 1
    counts = ("read", "added", "changed", "already_there", "rejected")
    assert [report["files"]["interactions.csv"][name] for name in counts] == [2, 1, 0, 0, 1]
    assert report["problems"] == ["interactions.csv: 1 of 2 rows were rejected (50.0%)."]
    assert "what was good is saved" in done.errors
    assert Path(report["rejected_path"]).read_text().splitlines()[1:] == ["interactions.csv,3,offer_id,is empty"]


def test_import_takes_a_mapping(nbo: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("user,item,day\nu1,i1,2026-01-01\n")
    mapping = tmp_path / "mapping.yaml"
    columns = "{customer_id: user, offer_id: item, occurred_at: day}"
    mapping.write_text(f"interactions: {{file: sales.csv, columns: {columns}, constants: {{event: view}}}}")
    report = json.loads(nbo("import", str(tmp_path), "--mapping", str(mapping)).output)
    assert report["files"]["sales.csv"]["added"] == 1


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "interactions"),
        ({"interactions.csv": INTERACTIONS, "offers.csv": "offer,title\ncard,Card\n"}, "offer_id"),
        ({"interactions.csv": INTERACTIONS, "offers.yaml": "offers: [\n"}, "offers.yaml"),
    ],
)
def test_an_import_that_cannot_be_done_says_why_in_one_line(
    nbo: Callable[..., Done], tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    failed = nbo("import", str(tmp_path))
    assert (failed.code, failed.output) == (1, "")
    assert reason in failed.errors.strip().splitlines()[-1]
    assert json.loads(nbo("init").output)["rows"]["interactions"] == 0

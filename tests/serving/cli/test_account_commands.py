"""`nbo accounts` from the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving.cli.main import build

PASSWORD = "correct horse battery"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that has nothing in it yet."""
    monkeypatch.setenv("NBO_HOME", str(tmp_path))
    return tmp_path


def run(*arguments: str, input: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(build(), ["accounts", *arguments], input=input)
    return done.exit_code, done.stdout if done.exit_code == 0 else done.output + repr(done.exception)


def test_an_account_is_added_listed_and_removed(home: Path) -> None:
    added = run("add", "li", "--role", "approver", "--role", "auditor", "--json", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert added[0] == 0
    listed = json.loads(run("list", "--json")[1])["accounts"]
    assert [(one["name"], one["roles"]) for one in listed] == [("li", ["approver", "auditor"])]
    assert PASSWORD not in (home / "nbo.db").read_bytes().decode("latin-1")
    assert run("remove", "li")[0] == 0
    assert json.loads(run("list", "--json")[1]) == {"accounts": []}


def test_what_cannot_be_an_account_is_refused(home: Path) -> None:
    good = ("--role", "agent", "--password", PASSWORD)
    assert run("add", "mei", *good)[0] == 0
    assert "There is an account mei already" in run("add", "mei", *good)[1]
    assert "There is no account nobody" in run("remove", "nobody")[1]
    assert run("add", "a:b", *good)[0] == 2
    assert run("add", "x", "--role", "agent", "--password", "short")[0] == 2
    assert run("add", "x", "--role", "king", "--password", PASSWORD)[0] == 2
    assert run("add", "x", "--password", PASSWORD)[0] == 2

"""What the documents say of the code is what the code says."""

from dataclasses import fields
from pathlib import Path

import pytest
from typer.core import TyperCommand

from recsys.domain.policy import Policy
from recsys.ranking.codes import CODES
from recsys.ranking.explanation import CHANGE_TEXTS, HELD_BACK_TEXTS, REASON_TEXTS
from tests.architecture.command_reference import commands
from tests.architecture.modules import ROOT
from tests.architecture.render import GENERATED, rendered


@pytest.mark.parametrize("document", GENERATED, ids=lambda document: document.name)
def test_a_generated_part_is_up_to_date(document: Path) -> None:
    assert document.read_text(encoding="utf-8") == rendered(document), "run `make docs`"


@pytest.mark.parametrize("command", [pytest.param(command, id=name) for name, command in commands()])
def test_every_command_can_answer_in_json_and_says_what_it_does(command: TyperCommand) -> None:
    assert "--json" in {option for parameter in command.params for option in parameter.opts}
    assert command.help


def test_every_decision_record_says_context_decision_and_consequences() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert all(f"## {part}\n" in text for part in ("Status", "Context", "Decision", "Consequences")), record.name


def test_every_number_of_the_policy_and_every_code_is_explained() -> None:
    text = (ROOT / "docs" / "decisioning.md").read_text(encoding="utf-8")
    names = [field.name for field in fields(Policy)] + list(CODES[1:])
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_code_and_reason_is_said_in_both_languages() -> None:
    assert set(HELD_BACK_TEXTS) == set(CODES[1:])
    for texts in (HELD_BACK_TEXTS, REASON_TEXTS, CHANGE_TEXTS):
        assert all(english and chinese and english != chinese for english, chinese in texts.values())


@pytest.mark.parametrize("library", ["numpy", "scipy", "lightgbm"])
def test_what_decides_last_bits_has_one_version_on_every_python(library: str) -> None:
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split()[1:2] for line in pins if line.startswith(f"{library}==")] == [["\\"]]

"""A real e-mail campaign with three random arms, by one command (Hillstrom, MineThatData challenge 2008)."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from serving.cli.main import main
from tests.architecture.modules import ROOT

HILLSTROM = Path(__file__).parents[3] / "shared" / "data" / "hillstrom" / "hillstrom_data.csv.gz"
COMMAND = ["nbo", "experiment", "analyse", str(HILLSTROM), "--arm", "segment", "--control", "No E-Mail",
           "--metric", "visit:binary", "--metric", "spend:mean", "--covariate", "history"]  # fmt: skip

pytestmark = pytest.mark.skipif(not HILLSTROM.is_file(), reason="the shared real data are not on this machine")


def printed(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command prints."""
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed([*COMMAND, "--json"], monkeypatch, capsys))
    return found


def test_the_guide_shows_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    shown = guide.split("```\n")[3].splitlines()
    lines = printed(COMMAND, monkeypatch, capsys).splitlines()
    assert len(shown) > 30
    assert [line for line in shown if line not in lines and line != "…"] == []


def result(document: dict[str, Any], name: str) -> dict[str, Any]:
    """What the women's e-mail did to the metric."""
    return next(m for m in document["metrics"] if (m["name"], m["arm"]) == (name, "Womens E-Mail"))


def test_the_split_is_as_designed(document: dict[str, Any]) -> None:
    assert document["srm"]["p_value"] == pytest.approx(0.9037, abs=5e-5)
    assert (document["srm"]["df"], document["srm"]["verdict"]) == (2, "ok")


def test_the_womens_mail_brings_visits(document: dict[str, Any]) -> None:
    visit = result(document, "visit")
    absolute, fixed = visit["absolute"], visit["absolute"]["fixed"]
    assert (absolute["estimate"], fixed["low"], fixed["high"]) == pytest.approx(
        (0.0452331, 0.0388939, 0.0515724), abs=1e-7
    )
    assert visit["relative"]["estimate"] == pytest.approx(0.426055, abs=5e-7)


def test_the_womens_mail_brings_spending(document: dict[str, Any]) -> None:
    absolute = result(document, "spend")["absolute"]
    assert absolute["estimate"] == pytest.approx(0.4244122, abs=5e-8)
    assert absolute["fixed"]["p_value"] == pytest.approx(0.0011294, abs=5e-8)


def test_intervals_for_any_time_are_wider_and_stand_beside(document: dict[str, Any]) -> None:
    found = [result(document, name)["absolute"] for name in ("visit", "spend")]
    assert [effect["always_valid"]["planned_n"] for effect in found] == [64_000, 64_000]
    bounds = [effect["always_valid"][bound] for effect in found for bound in ("low", "high")]
    assert bounds == pytest.approx([0.0353641, 0.0551021, 0.0267308, 0.8220936], abs=1e-6)


def test_the_past_tells_little_here_and_the_raw_figures_stay(document: dict[str, Any]) -> None:
    visit, spend = result(document, "visit"), result(document, "spend")
    assert visit["cuped"]["variance_reduction"] == pytest.approx(0.003957, abs=5e-7)
    assert spend["cuped"]["variance_reduction"] == pytest.approx(0.0, abs=1e-3)
    assert visit["cuped"]["absolute"]["estimate"] == pytest.approx(0.0450954, abs=5e-8)

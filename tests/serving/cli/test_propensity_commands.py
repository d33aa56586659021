"""`nbo train --propensity`, `nbo models` with its versions, and `nbo propensity backtest`, as a user types them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recsys.domain.errors import ImportInvalid, NoChampion
from recsys.storage.database import open_database
from serving.cli.main import build
from tests.training.answers import a_logistic_world, record

UCI_BANK = Path(__file__).parents[4] / "shared" / "data" / "uci_bank" / "bank-additional-full.csv.gz"


def nbo(*words: object) -> Result:
    return CliRunner().invoke(build(), [str(word) for word in words])


def answer(*words: object) -> dict[str, Any]:
    result = nbo(*words, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("NBO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def answered_log(home: Path, sqlite_url: str) -> None:
    """The event log of this home, with answers up to May 2026, and the definitions applied."""
    Path(sqlite_url.removeprefix("sqlite:///")).rename(home / "nbo.db")
    database = open_database(f"sqlite:///{home / 'nbo.db'}")
    record(database, a_logistic_world(2_000, hours=-9_000))
    database.close()
    for step in ("export", "apply"):
        answer("features", step)


@pytest.mark.usefixtures("answered_log")
def test_a_propensity_model_is_trained_promoted_listed_shown_replaced_and_rolled_back() -> None:
    first = answer("train", "--propensity", "--promote-if-better", "--trainer", "Ada")
    assert (first["promoted"], first["version"][:2]) == (True, "q-")
    shown = nbo("train", "--propensity", "--seed", "8", "--trainer", "Ada").stdout
    assert "declared weights" in shown
    second = answer("models", "list")["propensity_versions"][0]["version"]
    assert f"Registered {second} (propensity, number 2)." in shown
    assert "Trained on the decisions of none: it serves beside that relevance version only." in shown
    assert answer("models", "promote", second, "--approver", "Grace")["approver"] == "Grace"
    assert "AUC not below the declared weights" in nbo("models", "show", second).stdout
    assert answer("models", "rollback", "--propensity")["version"] == first["version"]
    assert isinstance(nbo("models", "rollback").exception, NoChampion)
    assert first["version"] in nbo("models", "list").stdout


@pytest.mark.usefixtures("answered_log")
def test_answers_that_are_too_young_do_not_count_and_too_few_are_said() -> None:
    failed = nbo("train", "--propensity", "--matured-after", 24 * 365 * 50).exception
    assert isinstance(failed, ImportInvalid)
    assert "There are 0 matured answers" in str(failed)
    assert "500 are needed, 30 of each kind" in str(failed)


def a_table(directory: Path, rows: int = 4_000) -> Path:
    rng = np.random.default_rng(0)
    drift = np.linspace(-3.0, 2.0, rows)
    job, age = rng.choice(["clerk", "cook"], rows), rng.integers(18, 80, rows)
    chance = 1 / (1 + np.exp(-(drift + 1.0 * (job == "cook"))))
    said = np.where(rng.random(rows) < chance, "yes", "no")
    season = np.where(np.arange(rows) < rows * 0.3, "spring", np.where(np.arange(rows) < rows * 0.67, "summer", "fall"))
    lines = [f"{a};{j};{s};{y}" for a, j, s, y in zip(age, job, season, said, strict=True)]
    (directory / "table.csv").write_text("\n".join(["age;job;season;y", *lines]))
    return directory / "table.csv"


def test_a_table_that_drifts_is_followed_and_what_tells_the_time_is_left_out(tmp_path: Path) -> None:
    found = answer("propensity", "backtest", a_table(tmp_path))
    assert found["left_out_as_telling_the_time"] == ["season=spring", "season=summer"]  # fall comes up later only
    assert found["bounds"]["calibration_error_halved"]
    assert found["rows"]["test"] == 1_320
    assert "logistic regression, recalibrated" in nbo("propensity", "backtest", a_table(tmp_path)).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--answer", "nothing"), "has no column nothing (it has age, job, season, y)"),
        (("--without", "nothing"), "has no column nothing"),
        (("--yes", "maybe"), "y is 'maybe' in no row or in every one"),
        (("--without", "age,job"), "tells the time only"),
        (("--without", "age,job,season"), "has no column to learn from"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    failed = nbo("propensity", "backtest", a_table(tmp_path), *words).exception
    assert isinstance(failed, ImportInvalid)
    assert said in str(failed)


def test_a_file_that_is_not_there_and_one_with_few_answers_are_named(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("x,y\n" + "1,no\n2,yes\n" * 20)
    assert "none.csv cannot be read" in str(nbo("propensity", "backtest", tmp_path / "none.csv").exception)
    assert "30 of each kind are needed" in str(nbo("propensity", "backtest", tmp_path / "few.csv").exception)


@pytest.mark.skipif(not UCI_BANK.exists(), reason="the bank's calls are not beside the project")
def test_calls_of_a_bank_in_time_order_keep_both_bounds() -> None:
    found = answer("propensity", "backtest", UCI_BANK, "--without", "duration")
    assert found["rows"]["test"] == 13_593
    assert found["bounds"]["calibration_error_ratio"] <= 0.5
    assert found["bounds"]["auc_not_below_baseline"] == {"uncalibrated": True, "calibrated": True}

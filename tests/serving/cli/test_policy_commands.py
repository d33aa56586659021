"""`nbo policy evaluate` as a user runs it."""

import gzip
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from serving.cli.main import main

LOG = "decision_id,action,reward,propensity,customer_id\nd1,a,1,0.5,c1\nd2,b,0,0.5,c1\nd3,a,0,0.8,c2\nd4,b,1,0.2,c3\n"
TARGET = "decision_id,action,probability\nd1,a,1\nd2,a,.75\nd2,b,.25\nd3,a,.4\nd3,b,.6\nd4,b,.5\nd4,a,.5\n"


class Done(NamedTuple):
    """How the command ended and what it printed."""

    code: Any
    output: str
    errors: str


@pytest.fixture
def evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs the command on the texts of a log and a target."""

    def run(log: str = LOG, target: str = TARGET, *options: str) -> Done:
        paths = tmp_path / "log.csv", tmp_path / "target.csv"
        for path, text in zip(paths, (log, target), strict=True):
            path.write_text(text, encoding="utf-8")
        arguments = ["nbo", "policy", "evaluate", "--log", str(paths[0]), "--target", str(paths[1]), *options]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code, *capsys.readouterr())

    return run


def test_the_json_has_the_promised_figures_and_nothing_else_is_printed(evaluate: Callable[..., Done]) -> None:
    document = json.loads(evaluate(LOG, TARGET, "--json").output)
    assert document["ips"].keys() == {"estimate", "standard_error", "low", "high"}
    assert {name: document[name] for name in ("max_weight", "mean_weight", "verdict", "reasons")} == {
        "max_weight": 2.5,
        "mean_weight": 1.375,
        "verdict": "refused",
        "reasons": ["The effective sample size is 2.8, below 100."],
    }


def test_a_refusal_is_an_answer_and_stands_above_the_figures(evaluate: Callable[..., Done]) -> None:
    done = evaluate()
    assert done.code == 0
    assert done.output.startswith("verdict: refused\n  The effective sample size is 2.8, below 100.\n")


def test_decisions_are_clustered_by_the_column_that_is_named(evaluate: Callable[..., Done]) -> None:
    assert "standard errors by 3 values of customer_id" in evaluate(LOG, TARGET, "--clusters", "customer_id").output
    assert json.loads(evaluate(LOG, TARGET, "--json").output)["clusters"] == 4


def test_expected_rewards_in_the_log_are_used(evaluate: Callable[..., Done]) -> None:
    added = ("q_b,q_a", "0,.5", ".4,.2", ".3,.1", ".8,.6")
    log = "".join(f"{line},{more}\n" for line, more in zip(LOG.splitlines(), added, strict=True))
    document = json.loads(evaluate(log, TARGET, "--json").output)
    assert document["dr"]["estimate"] == pytest.approx((1.5 + 0.05 + 0.17 + 1.2) / 4)


def test_text_is_read_as_spreadsheets_write_it(evaluate: Callable[..., Done]) -> None:
    log = "\ufeff" + LOG.replace(",", " , ").replace("\n", "\r\n").replace("d4", '"d4"').replace('d4" ,', 'd4",')
    assert json.loads(evaluate(log, "\n" + TARGET + "\n\n", "--json").output)["ips"]["estimate"] == 1.125


def test_ids_are_text_whatever_they_look_like(evaluate: Callable[..., Done]) -> None:
    log = "action,decision_id,propensity,reward\n01,7,.5,1\n1,07,.5,0\n"
    target = "decision_id,action,probability\n7,01,1\n07,01,1\n"
    assert json.loads(evaluate(log, target, "--json").output)["ips"]["estimate"] == 1.0


def test_zipped_files_are_welcome(tmp_path: Path, evaluate: Callable[..., Done]) -> None:
    zipped = tmp_path / "log.csv.gz"
    zipped.write_bytes(gzip.compress(LOG.encode()))
    done = evaluate(LOG, TARGET, "--log", str(zipped), "--json")
    assert json.loads(done.output)["decisions"] == 4


@pytest.mark.parametrize(
    ("log", "target", "said"),
    [
        (LOG.replace("propensity", "p"), TARGET, "log.csv, line 1, column propensity: is missing"),
        (LOG.replace("customer_id", "reward"), TARGET, "log.csv, line 1, column reward: is there twice"),
        (LOG, TARGET.replace("probability", "p"), "target.csv, line 1, column probability: is missing"),
        (LOG.replace("d2,b,0", "d2,b,yes"), TARGET, "log.csv, line 3, column reward: 'yes' is not a finite number"),
        (LOG.replace("d2,b,0", "d2,b,NaN"), TARGET, "log.csv, line 3, column reward: 'NaN' is not a finite number"),
        (LOG.replace("d2,b,0", "d2,b,inf"), TARGET, "log.csv, line 3, column reward: 'inf' is not a finite number"),
        (LOG.replace("d2,b,0", "d2,b,"), TARGET, "log.csv, line 3, column reward: is empty"),
        (LOG.replace("d2,b,0", "d2,,0"), TARGET, "log.csv, line 3, column action: is empty"),
        (LOG.replace("0.8", "0"), TARGET, "log.csv, line 4, column propensity: 0 is not above 0 and at most 1"),
        (LOG.replace("0.8", "-0.1"), TARGET, "log.csv, line 4, column propensity: -0.1 is not above 0"),
        (LOG.replace("0.8", "1.5"), TARGET, "log.csv, line 4, column propensity: 1.5 is not above 0 and at most 1"),
        (LOG, TARGET.replace(".6", ".5"), "target.csv, line 5, column probability: the probabilities of this"),
        (LOG, TARGET.replace(".6", "1.2").replace("d3,a,.4", "d3,a,-.2"), "target.csv, line 5, column probability"),
        (LOG, TARGET + "d9,a,1\n", "target.csv, line 9, column decision_id: the decision is not in the log"),
        (LOG, TARGET.replace("d1,a,1\n", ""), "log.csv, line 2, column decision_id: target.csv has no row of this"),
        (LOG + "d3,b,1,.5,c9\n", TARGET, "log.csv, line 6, column decision_id: the decision is in the file twice"),
        (LOG, TARGET + "d4,b,0\n", "target.csv, line 9, column action: the action is in this decision twice"),
        (LOG + "d5,a,1\n", TARGET, "log.csv, line 6: 3 cells, the header has 5"),
        (LOG.replace("c3", "c3,"), TARGET, "log.csv, line 5: 6 cells, the header has 5"),
        (LOG.splitlines()[0], TARGET, "log.csv has no rows"),
        ("", TARGET, "log.csv"),
        (LOG, "", "target.csv"),
        (LOG.replace("customer_id", "q_a"), TARGET, "log.csv, line 1, column q_b: is missing"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(log: str, target: str, said: str, evaluate: Callable[..., Done]) -> None:
    done = evaluate(log, target, "--json")
    assert (done.code, done.output, done.errors.count("\n")) == (1, "", 1)
    assert done.errors.startswith("nbo: ")
    assert said in done.errors


def test_lines_are_counted_as_an_editor_counts_them(evaluate: Callable[..., Done]) -> None:
    log = LOG.replace("c1\nd2", '"c\n1"\n\nd2').replace("0.8", "x")
    assert "log.csv, line 6, column propensity: 'x'" in evaluate(log).errors


def test_a_column_of_clusters_that_is_not_there_is_named(evaluate: Callable[..., Done]) -> None:
    assert "log.csv, line 1, column owner: is missing" in evaluate(LOG, TARGET, "--clusters", "owner").errors


@pytest.mark.parametrize("content", [b"not zipped", gzip.compress(LOG.encode() * 50)[:-20], None])
def test_a_file_that_cannot_be_read_is_named(
    content: bytes | None, tmp_path: Path, evaluate: Callable[..., Done]
) -> None:
    broken = tmp_path / "broken.csv.gz"
    if content is not None:
        broken.write_bytes(content)
    done = evaluate(LOG, TARGET, "--log", str(broken))
    assert (done.code, done.errors.count("\n")) == (1, 1)
    assert "broken.csv.gz" in done.errors


def test_34_actions_in_10_000_decisions_take_seconds(evaluate: Callable[..., Done]) -> None:
    rng = np.random.default_rng(0)
    taken = rng.integers(0, 34, 10_000)
    log = "decision_id,action,reward,propensity\n" + "".join(
        f"d{i},o{a},{i % 2},{1 / 34}\n" for i, a in enumerate(taken)
    )
    rows = "".join("".join(f"d{i},o{a},{1 / 34:.8f}\n" for a in range(34)) for i in range(10_000))
    started = time.perf_counter()
    document = json.loads(evaluate(log, "decision_id,action,probability\n" + rows, "--json").output)
    assert time.perf_counter() - started < 10
    assert document["snips"]["estimate"] == pytest.approx(0.5)

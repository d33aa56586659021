"""`nbo train`, `nbo models` and `nbo backtest` as a user types them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from recsys.domain.errors import InvalidInput, NotPromotable
from recsys.models.families import FAMILIES
from serving.cli import model_options
from serving.cli.main import build
from serving.cli.train_commands import told_apart
from tests.training.events import one_taste, two_tastes


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBO_HOME", str(tmp_path / "home"))


def nbo(*words: object) -> Result:
    return CliRunner().invoke(build(), [str(word) for word in words])


def answer(*words: object) -> dict[str, Any]:
    result = nbo(*words, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_the_families_on_offer_are_those_there_are() -> None:
    assert tuple(FAMILIES) == model_options.FAMILIES


def test_a_family_that_needs_more_than_its_memory_is_refused_by_name_and_the_others_are_trained(tmp_path: Path) -> None:
    events = two_tastes(tmp_path / "events")
    asked = ("train", "--events", events, "--model", "item_item,bpr", "--memory", 0.0002)
    document = answer(*asked)
    assert "bpr" not in document["models"]
    assert document["refused"]["bpr"]["needs_bytes"] > document["refused"]["bpr"]["memory_bytes"] == 214748
    assert "bpr was not started: it needs about" in nbo(*asked).stdout


def test_a_model_is_trained_promoted_listed_shown_replaced_and_rolled_back(tmp_path: Path) -> None:
    assert nbo("models", "list").stdout == "No model version yet; run `nbo train`.\n"
    events = two_tastes(tmp_path / "events")
    first = answer("train", "--events", events, "--model", "popularity", "--promote-if-better")
    second = answer("train", "--events", events, "--model", "item_item")
    assert (first["promoted"], second["promoted"], second["champion"]) == (True, False, first["version"])
    shown = nbo("train", "--events", events, "--model", "item_item").stdout
    assert "NDCG@5 against popularity" in shown
    assert f"Registered {second['version']} (item_item, number 2)." in shown
    assert answer("models", "promote", "2", "--approver", "Ada")["approver"] == "Ada"
    assert [v["aliases"] for v in answer("models", "list")["versions"]] == [["champion"], ["previous"]]
    assert second["version"] in nbo("models", "list").stdout
    lines = nbo("models", "show", second["version"]).stdout
    assert "weighting tfidf" in lines
    assert re.search(r"NDCG@5 +0\.\d{4} \[0\.\d{4}, 0\.\d{4}\]", lines)
    assert re.search(r"better than popularity +passed +NDCG@5 differs by \+", lines)
    assert re.search(r"calibration error +not applicable +", lines)
    card = Path(re.findall(r"model card +(.+)", lines)[0])
    assert card.read_text(encoding="utf-8").startswith(f"# Model card of {second['version']}")
    back = answer("models", "rollback")
    assert (back["version"], back["partner"]) == (first["version"], None)
    said = nbo("models", "promote", "2", "--approver", "Ada").stdout
    advice = f"`nbo train --propensity --relevance {second['version']}` makes one"
    assert "The declared weights serve with it" in said
    assert advice in " ".join(said.split())


def test_where_popularity_wins_it_is_said_and_the_gates_refuse_the_others(tmp_path: Path) -> None:
    events = one_taste(tmp_path / "events")
    answer("train", "--events", events, "--model", "popularity", "--promote-if-better")
    shown = nbo("train", "--events", events, "--model", "als", "--promote-if-better").stdout
    assert "No model is clearly better than popularity here" in shown
    assert "Gate not passed: better than popularity: NDCG@5 differs by" in shown
    assert isinstance(nbo("models", "promote", "2").exception, NotPromotable)


def test_whoever_trained_a_version_does_not_approve_it(tmp_path: Path) -> None:
    events = two_tastes(tmp_path / "events")
    answer("train", "--events", events, "--model", "item_item", "--trainer", "Ada")
    refused = nbo("models", "promote", "1", "--approver", "ada").exception
    assert isinstance(refused, NotPromotable)
    assert "approved by somebody else: trained by Ada, approved by ada" in str(refused)
    assert answer("models", "promote", "1", "--approver", "Grace")["trainer"] == "Ada"


def test_a_search_says_what_it_found_and_is_not_repeated(tmp_path: Path) -> None:
    events = two_tastes(tmp_path / "events")
    words = ("train", "--events", events, "--model", "item_item", "--tune", "2")
    shown = nbo(*words).stdout
    assert re.search(r"item_item +2 +0\.\d{4} +0\.\d{4} +weighting", shown)
    began = (tmp_path / "home" / "mlflow" / "studies.db").read_bytes()
    assert answer(*words)["models"]["item_item"]["search"]["trials"] == 2
    assert (tmp_path / "home" / "mlflow" / "studies.db").read_bytes() == began


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["train", "--model", "magic"], "'magic' is unknown"),
        (["train", "--engine", "flink"], "there is no engine 'flink'; there are local and spark"),
        (["train", "--engine", "spark"], "spark fits als alone, not popularity"),
        (["train", "--engine", "spark", "--model", "als,bpr"], "spark fits als alone, not bpr"),
        (["train", "--engine", "spark", "--propensity"], "spark fits als alone, not propensity"),
        (["train", "--tune", "0"], "greater than or equal to 1"),
        (["backtest", "--train", "x", "--test", "y", "--k", "three"], "whole numbers from 1 on"),
        (["backtest", "--train", "x", "--test", "y", "--k", "0"], "whole numbers from 1 on"),
        (["backtest", "--train", "x", "--test", "y", "--columns", "who=user"], "ours are customer_id"),
        (["backtest", "--train", "x", "--test", "y", "--params", "none.yaml"], "cannot be read"),
        (["models", "show"], "Missing argument"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_there_is(words: list[str], reason: str) -> None:
    result = nbo(*words)
    assert result.exit_code == 2
    assert reason in " ".join(result.output.replace("│", " ").split())


def train_on_spark(tmp_path: Path) -> BaseException | None:
    words = ("train", "--events", two_tastes(tmp_path / "events"), "--model", "als", "--engine", "spark")
    return nbo(*words).exception


def test_spark_without_pyspark_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    failed = train_on_spark(tmp_path)
    assert isinstance(failed, InvalidInput)
    assert "PySpark, which is not installed: `make install-spark`, or pip install nbo[spark]" in str(failed)


@pytest.mark.parametrize("home", [None, "nowhere"])
def test_spark_without_java_says_what_to_install(
    home: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home:
        monkeypatch.setenv("JAVA_HOME", str(tmp_path / home))
    failed = train_on_spark(tmp_path)
    assert isinstance(failed, InvalidInput)
    assert "Spark needs Java 17 or newer" in str(failed)
    assert ("JAVA_HOME is" in str(failed)) is bool(home)


def test_backtest_prints_a_table_and_one_json_document(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("customer_id,offer_id\na,x\na,y\nb,x\n")
    (tmp_path / "test.csv").write_text("customer_id,offer_id\nb,y\n")
    (tmp_path / "params.yaml").write_text("item_item: {weighting: cosine}\n")
    files = ("--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv")
    document = answer("backtest", *files, "--k", "1,3", "--params", tmp_path / "params.yaml")
    assert tuple(document["models"]) == model_options.FAMILIES
    assert document["models"]["item_item"]["parameters"]["weighting"] == "cosine"
    assert document["models"]["item_item"]["HR@1"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert "1.0000 [1.0000, 1.0000]" in nbo("backtest", *files).stdout


def test_a_parameter_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("customer_id,offer_id\na,x\n")
    (tmp_path / "params.yaml").write_text("als: {depth: 3}\n")
    events, params = tmp_path / "events.csv", tmp_path / "params.yaml"
    result = nbo("backtest", "--train", events, "--test", events, "--params", params)
    assert result.exit_code == 2
    assert "als takes the parameters" in result.output


def test_a_fact_of_both_says_whose_it_is_and_others_are_named_alone() -> None:
    of_customers, of_offers = ("age", "kind", "risk_level"), ("family", "kind", "margin")
    told = ["age", "kind (of customers)", "risk_level", "family", "kind (of offers)", "margin"]
    assert told_apart((*of_customers, *of_offers)) == told
    assert told_apart(of_customers) == [*of_customers]

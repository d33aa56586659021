"""`nbo simulate` as a user types it, on a small simulated bank."""

import csv
import json
import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from recsys.domain.errors import ChangeInvalid, ImportInvalid, StoreUnavailable
from recsys.domain.policy import parse_policy
from recsys.simulator.import_directory import write_import_directory
from recsys.simulator.world import World
from recsys.storage.database import open_database
from serving.cli.environment import current_settings
from serving.cli.main import build
from tests.recsys.simulator.worlds import NOW
from tests.training.events import two_tastes

AT = (NOW + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
CHANGE = """
offers:
  - offer_id: {dear}
    margin: 100000
  - offer_id: new_one
    title: Something new
    starting_propensity: 0.3
    margin: 9000
remove: [{gone}]
policy: {{list_length: 2}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the event log of 200 people."""
    path = tmp_path_factory.mktemp("bank")
    write_import_directory(World.build(200, 6, 5, NOW), path / "import")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBO_HOME", str(path / "home"))
        result = nbo("import", path / "import")
        assert result.exit_code == 0, result.output
    return path / "home"


@pytest.fixture(autouse=True)
def _home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBO_HOME", str(home))


def nbo(*words: object) -> Result:
    return CliRunner().invoke(build(), [str(word) for word in words])


def answer(*words: object) -> dict[str, Any]:
    result = nbo("simulate", *words, "--at", AT, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


@pytest.fixture
def nothing(tmp_path: Path) -> Path:
    """A change that changes nothing."""
    path = tmp_path / "nothing.yaml"
    path.write_text("policy: {}\n")
    return path


def offers_of(scenario: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["offer_id"]: entry for entry in scenario["offers"]}


def test_a_change_that_changes_nothing_changes_nobodys_list(nothing: Path) -> None:
    (scenario,) = answer("--change", nothing)["scenarios"]
    shares = {
        name: scenario["everybody"][name] for name in ("list_changed", "first_changed", "worth_more", "worth_less")
    }
    assert set(shares.values()) == {0.0}
    assert scenario["everybody"]["today"] == scenario["everybody"]["scenario"]
    assert scenario["everybody"]["today"]["acceptances_list"] > 0


def test_what_pays_more_is_shown_more_what_is_new_comes_in_and_what_is_removed_is_gone(
    nothing: Path, tmp_path: Path
) -> None:
    before = offers_of(answer("--change", nothing)["scenarios"][0])
    ordered = sorted(before.values(), key=lambda entry: entry["today"]["shown"])
    gone = ordered[-1]["offer_id"]
    dear = next(one["offer_id"] for one in ordered if 0 < one["today"]["shown"] < one["today"]["open_to"])
    (tmp_path / "spring.yaml").write_text(CHANGE.format(dear=dear, gone=gone))
    result = answer("--change", tmp_path / "spring.yaml")
    (scenario,) = result["scenarios"]
    offers = offers_of(scenario)
    assert scenario["name"] == "spring"
    assert offers[dear]["scenario"]["shown"] == offers[dear]["today"]["open_to"] > offers[dear]["today"]["shown"]
    assert (offers["new_one"]["kind"], offers[gone]["kind"]) == ("new", "removed")
    assert offers["new_one"]["scenario"]["shown"] > 0 == offers[gone]["scenario"]["shown"]
    everybody = scenario["everybody"]
    assert everybody["scenario"]["net_value_list"] > everybody["today"]["net_value_list"]
    assert sum(one["customers"] for one in scenario["segments"].values()) == result["customers"] == 200


def test_an_offer_that_loses_its_places_starves(nothing: Path, tmp_path: Path) -> None:
    top = answer("--change", nothing)["scenarios"][0]["offers"]
    best = max(top, key=lambda entry: entry["today"]["shown"])["offer_id"]
    (tmp_path / "low.yaml").write_text(f"levers: {{{best}: 0.0001}}\n")
    offers = offers_of(answer("--change", tmp_path / "low.yaml")["scenarios"][0])
    assert offers[best]["starves"]
    assert offers[best]["scenario"]["held_back"]["ranked_lower"] > 0


def test_several_files_and_a_list_of_scenarios_stand_side_by_side(nothing: Path, tmp_path: Path) -> None:
    several = tmp_path / "several.yaml"
    several.write_text(
        "scenarios:\n- {name: strict, policy: {sales_cap: 0}}\n- {name: short, policy: {list_length: 1}}\n"
    )
    found = answer("--change", nothing, "--change", several)["scenarios"]
    assert [one["name"] for one in found] == ["nothing", "strict", "short"]
    assert found[1]["everybody"]["scenario"]["acceptances_list"] == 0.0
    assert found[1]["everybody"]["lost_all_offers"] == pytest.approx(
        1 - found[1]["everybody"]["today"]["without_offer"]
    )


def test_a_sample_is_the_same_for_the_same_seed(nothing: Path) -> None:
    one, again, other = (answer("--change", nothing, "--customers", 40, "--seed", seed) for seed in (1, 1, 2))
    assert one == again != other
    assert one["customers"] == 40


def test_the_text_has_figures_segments_offers_and_codes(nothing: Path) -> None:
    shown = nbo("simulate", "--change", nothing, "--at", AT).stdout
    assert "no discount by position" in shown
    for words in ("== nothing ==", "net value, whole list", "everybody", "held back by", "not_eligible"):
        assert words in shown


def test_out_writes_json_csv_and_a_picture(nothing: Path, tmp_path: Path) -> None:
    answer_ = answer("--change", nothing, "--out", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "what-if.json").read_text(encoding="utf-8")) == answer_
    with (tmp_path / "out" / "offers-1.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["offer_id"]: row for row in csv.DictReader(file)}
    assert {one["offer_id"]: str(one["today"]["shown"]) for one in answer_["scenarios"][0]["offers"]} == {
        offer_id: row["shown_today"] for offer_id, row in rows.items()
    }
    assert (tmp_path / "out" / "movers-1.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_in_service_judges(home: Path, nothing: Path, tmp_path: Path) -> None:
    assert answer("--change", nothing)["model_version"] == "none"
    trained = nbo(
        "train", "--events", two_tastes(tmp_path / "events"), "--model", "item_item", "--promote-if-better", "--json"
    )
    assert answer("--change", nothing)["model_version"] == json.loads(trained.stdout)["champion"]
    shutil.rmtree(home / "mlflow")


def test_nothing_is_written_to_the_event_log(home: Path, nothing: Path) -> None:
    before = nbo("init", "--json").stdout
    answer("--change", nothing)
    assert nbo("init", "--json").stdout == before


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("policy: {a: 1\n", ImportInvalid, "bad.yaml, line 2"),
        ("a: &x 1\nb: *x\n", ImportInvalid, "bad.yaml, line 2: aliases"),
        ("policy: {sales_capp: 1}", ChangeInvalid, "bad.yaml, policy, sales_capp: is not a number of the policy"),
        ("remove: [nothing_like_it]", ChangeInvalid, "bad.yaml, remove: there is no offer"),
    ],
)
def test_a_bad_file_is_an_error_with_its_place(text: str, error: type[Exception], said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    result = nbo("simulate", "--change", tmp_path / "bad.yaml")
    assert isinstance(result.exception, error)
    assert said in str(result.exception)


def test_a_file_that_is_not_there_and_an_unknown_channel_are_said(nothing: Path, tmp_path: Path) -> None:
    missing = nbo("simulate", "--change", tmp_path / "missing.yaml")
    assert isinstance(missing.exception, ImportInvalid)
    assert nbo("simulate", "--change", nothing, "--channel", "pigeon").exit_code == 2


def test_the_banks_own_channel_is_one_too(
    home: Path, nothing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home, tmp_path / "home")
    monkeypatch.setenv("NBO_HOME", str(tmp_path / "home"))
    with closing(open_database(current_settings().event_log_url)) as database, database.transaction() as log:
        log.save_policy(parse_policy({"vocabulary": {"channels": {"kiosk": ["lobby screen"]}}}), NOW)
    assert answer("--change", nothing, "--channel", "Lobby Screen")["channel"] == "kiosk"


def test_without_an_event_log_it_says_so(nothing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBO_HOME", str(tmp_path / "empty"))
    assert isinstance(nbo("simulate", "--change", nothing).exception, StoreUnavailable)

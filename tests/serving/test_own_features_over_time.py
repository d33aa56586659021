"""A bank's own features over time: filled back, changed, broken, and called like what an import brings."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow.parquet import read_table, write_table
from typer.testing import CliRunner

from features.offline import offline_features
from features.service_names import PROPENSITY_SERVICE
from features.skew import measure_skew, told_features
from recsys.domain.customer import Customer
from recsys.domain.errors import InvalidInput
from serving.cli.main import build
from serving.cli.own_features import applied_own
from serving.decisions.replay import replay
from serving.models.feature_skew import feature_skew
from tests.serving.test_own_features import FILE, bank, folder, judged, server, shared, write
from tests.serving.test_served_features import Bank

__all__ = ["bank", "server", "shared"]

LATE = (
    FILE
    + """

bonuses = View(name="bonuses", source=Parquet("bonuses.parquet"), features=[Feature("bonus", int)])
"""
)


def write_bonuses(bank: Bank, bonus: int) -> None:
    """Write of everybody that the bonus was known three days ago."""
    customers, at = [f"c{number}" for number in range(5)], bank.services.clock() - timedelta(days=3)
    known_at = pa.array([at] * len(customers), pa.timestamp("us", tz="UTC"))
    table = pa.table({"customer_id": customers, "known_at": known_at, "bonus": pa.array([bonus] * 5, pa.uint64())})
    write_table(table, folder(bank) / "bonuses.parquet")


def test_a_view_that_was_filled_back_is_held_against_the_decisions_that_it_was_served_to(bank: Bank) -> None:
    services = bank.services

    def skew_of_bonus() -> tuple[int, int]:
        report = feature_skew(services.settings, services.database, services.features.gateway, services.clock)
        (found,) = [one for one in report.features if one.feature == "bonus"]
        return found.decisions, found.different

    for number in range(5):
        bank.decide(f"c{number}")
    write(bank, LATE)
    write_bonuses(bank, 40)
    bank.fill()
    decided = [bank.decide(f"c{number}") for number in range(3)]
    assert [one["inputs"]["own"]["bonus"] for one in decided] == [40] * 3
    bank.fill()
    assert skew_of_bonus() == (3, 0)
    write_bonuses(bank, 41)  # now the tables say what no decision was told
    bank.fill()
    assert skew_of_bonus() == (3, 3)


def nbo(bank: Bank, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a command in the bank's home; its exit code, and the JSON that it says."""
    settings = bank.services.settings
    environment = {"NBO_HOME": str(settings.home), "NBO_REDIS_URL": bank.url, "NBO_FEATURES": str(settings.features)}
    result = CliRunner().invoke(build(), [*arguments, "--json"], env=environment)
    said: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, said


def test_a_view_that_cannot_be_written_is_named_everywhere_and_the_others_go_on(bank: Bank) -> None:
    write(bank, LATE)
    write_bonuses(bank, 40)
    bank.fill()
    assert nbo(bank, "features", "export")[0] == 0
    table = bank.services.settings.offline / "features" / "bonuses.parquet"
    table.write_bytes(b"PAR1 and nothing more")
    bank.empty()
    code, said = nbo(bank, "features", "materialize")
    assert code == 1
    assert [view["view"] for view in said["views"] if view["problem"]] == ["bonuses"]
    ready = bank.ready()
    assert (ready["mode"], ready["degraded_reasons"], list(ready["failed"])) == (
        "degraded", ["features_missing"], ["bonuses"],
    )  # fmt: skip
    assert "nbo features export" in ready["advice"]
    online = nbo(bank, "doctor")[1]["parts"]["features online"]
    assert not online["ok"]
    assert "bonuses: " in online["says"]
    decision = bank.decide("c0")
    assert decision["features_missing"] == ["bonuses"]
    assert "bonus" in decision["inputs"]["unread"]
    assert decision["inputs"]["own"]["salary_paid"] == 3000.0
    assert [nbo(bank, "features", part)[0] for part in ("export", "materialize")] == [0, 0]
    assert "failed" not in bank.ready()
    assert bank.ready()["mode"] == "normal"
    assert bank.decide("c0")["inputs"]["own"]["bonus"] == 40


def test_a_source_with_numbers_beyond_64_bits_is_named_everywhere_and_its_view_goes_on(bank: Bank) -> None:
    write(bank, LATE)
    write_bonuses(bank, 40)
    bank.fill()
    write_bonuses(bank, 2**63)
    code, said = nbo(bank, "features", "export")
    assert code == 1
    (line,) = said["problems"]
    assert "view bonuses: " in line
    assert "column bonus: expected int, found 5 beyond 64 bits" in line
    assert nbo(bank, "features", "materialize")[0] == 0
    assert "beyond 64 bits" in bank.ready()["failed"]["bonuses"]
    assert "beyond 64 bits" in nbo(bank, "doctor")[1]["parts"]["features online"]["says"]
    decision = bank.decide("c0")
    assert (decision["inputs"]["own"]["bonus"], decision["degraded"]) == (40, False)


def test_a_function_that_was_changed_is_held_against_the_decisions_that_it_has_told(bank: Bank) -> None:
    services = bank.services

    def skew_of_share() -> tuple[int, int]:
        with offline_features(services.settings) as features:  # as a command reads it, which knows what is applied
            own = applied_own(services.settings)
            features.own = own
            told = [told_features(one["inputs"], own.code) for one in decided]
            moments = [datetime.fromisoformat(one["made_at"]) for one in decided]
            joined = features.known_at(PROPENSITY_SERVICE, [one["customer_id"] for one in decided], moments).to_pylist()
        (found,) = [one for one in measure_skew(told, joined) if one.feature == "salary_by_age"]
        return found.decisions, found.different

    decided = [bank.decide("c0"), bank.decide("c1")]
    bank.fill()
    assert skew_of_share() == (2, 0)
    write(bank, FILE.replace("salary_paid / age if", "12 * salary_paid / age if"))
    bank.fill()
    decided.append(bank.decide("c0"))
    bank.fill()
    assert decided[-1]["signals"]["salary_by_age"] == pytest.approx(12 * 3000.0 / 44.0)
    assert skew_of_share() == (1, 0)
    for one in decided:
        with services.database.read() as log:
            basis = services.archive.basis_of(one, log)
        assert replay(one["text"], basis).is_identical


def import_customers(bank: Bank, directory: Path, column: str, *options: str) -> tuple[int, dict[str, Any], str]:
    """Import of c0 and c1 what this column says; the exit code, what customers have as attributes, what was printed."""
    directory.mkdir(exist_ok=True)
    (directory / "customers.csv").write_text(f"customer_id,{column}\nc0,1\nc1,9999\n")
    seen = f"customer_id,offer_id,occurred_at,kind\nc0,o5,{bank.services.clock().isoformat()},view\n"
    (directory / "interactions.csv").write_text(seen)
    environment = {"NBO_HOME": str(bank.services.settings.home), "NBO_REDIS_URL": bank.url}
    result = CliRunner().invoke(build(), ["import", str(directory), *options], env=environment)
    with bank.services.database.read() as log:
        attributes = {**log.attribute_types(), **log.customer("c1").attributes}
    return result.exit_code, attributes, f"{result.output}{result.exception or ''}"


@pytest.mark.parametrize("name", ["salary_paid", "salary_by_age", "Salary_Paid", "SALARY_BY_AGE"])
def test_an_attribute_that_is_called_like_a_feature_is_refused_before_anything_is_written(
    bank: Bank, tmp_path: Path, name: str
) -> None:
    with bank.services.database.read() as log:
        before = {**log.attribute_types(), **log.customer("c1").attributes}, log.counts()
    for options in ((), ("--plan",)):
        code, attributes, said = import_customers(bank, tmp_path / "in", name, *options)
        with bank.services.database.read() as log:
            assert (attributes, log.counts()) == before
        assert code == 1
        line, feature = " ".join(said.split()), name.lower()
        there = "" if name == feature else f" (there: {feature}; case makes no other name)"
        assert f"{name}{there} is the name of a feature of the bank's own" in line
    (tmp_path / "mapping.yaml").write_text(f"customers: {{columns: {{other_name: {name}}}}}\n")
    code, attributes, said = import_customers(bank, tmp_path / "in", name, "--mapping", str(tmp_path / "mapping.yaml"))
    assert code == 0, said
    assert attributes["other_name"] == 9999
    bank.fill()
    assert judged(bank.decide("c1"))["pays"] == "not_eligible"


def test_a_rule_that_names_a_feature_never_reads_an_attribute_of_that_name(bank: Bank) -> None:
    """A home in which both are there already: the feature is the one that is meant."""
    with bank.services.database.transaction() as log:
        log.add_customer(Customer("both", attributes={"salary_paid": 9999.0}), bank.services.clock())
    write(bank, paid=(("both", 900.0, "rail"),))
    bank.fill()
    with bank.services.database.transaction() as log:
        types = log.attribute_types()
        log.set_attribute_types({**types, "salary_paid": "number"})
        assert {"salary_paid", "employer_sector", "salary_by_age"} <= log.own_names()
    bank.services.features.own._names = 0, 0, frozenset()  # as after a start
    assert judged(bank.decide("both"))["pays"] == "not_eligible"
    bank.empty()
    told = bank.decide("both")
    assert judged(told)["pays"] == "eligibility_unknown"
    assert "salary_paid" in told["inputs"]["unread"]
    with bank.services.database.transaction() as log:
        log.set_attribute_types(types)


def test_an_attribute_may_have_the_name_of_a_feature_that_was_dropped(bank: Bank, tmp_path: Path) -> None:
    write(bank, FILE.replace("salary_paid", "salary_once"))
    rename = folder(bank) / "payroll.parquet"
    table = read_table(rename)
    write_table(table.rename_columns([one.replace("paid", "once") for one in table.column_names]), rename)
    bank.fill()
    assert judged(bank.decide("c1"))["pays"] == "eligibility_unknown"
    code, attributes, said = import_customers(bank, tmp_path / "in", "salary_paid")
    assert (code, attributes["salary_paid"]) == (0, 9999), said
    assert judged(bank.decide("c1"))["pays"] == "open"  # the rule of before names the attribute from now on
    write(bank)
    with pytest.raises(InvalidInput, match="salary_paid: customers have an attribute of this name"):
        bank.fill()
    with bank.services.database.transaction() as log:
        log.set_attribute_types({name: kind for name, kind in log.attribute_types().items() if name != "salary_paid"})

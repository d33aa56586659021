"""A bank's own features: declared outside the repository, checked whole, the same point in time and online."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow.parquet import read_table

from features.feature_tables import OwnTable
from features.gateway import FeatureGateway
from features.offline import features_of_export
from features.own_code import CodeShelf
from features.own_discovery import find_declared
from features.own_features import OwnFeatures, Transformations
from features.own_tables import build_own_tables, check_own_tables
from features.own_views import Declared
from features.person_signals import person_signals
from features.service_names import PROPENSITY_SERVICE, RELEVANCE_SERVICE
from recsys.domain.customer import Customer
from recsys.domain.errors import InvalidInput
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.protection import FLAGS
from recsys.rules import BUILT_IN
from tests.features.conftest import NOW, SetClock, Settings
from tests.features.exported import Given, write_export
from tests.features.own import EXAMPLE, MOMENT, declared_as, payroll_folder, write_payroll
from tests.redis_server import RedisServer, redis_server  # noqa: F401  (a fixture)

MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
ATTRIBUTES = {"monthly_income_cny": "number"}
PAID = [
    ("c0", NOW - 9 * DAY, 1000.0, "retail"),
    ("c0", NOW - 2 * DAY, 3000.0, "rail"),
    ("c1", NOW - 5 * DAY, None, "rail"),
    ("c1", NOW + DAY, 9000.0, "later than the export"),
    ("nobody knows", NOW - DAY, 10.0, None),
]


def people() -> list[Given]:
    """Three customers with an income, the third without anything of payroll."""
    loan = InteractionKind.ACCEPTED
    return [
        Given(
            Customer(f"c{number}", segment="gold", risk_level=3, attributes={"monthly_income_cny": 2000.0}),
            history=(Interaction(f"c{number}", "loan", NOW - 30 * DAY, loan),),
        )
        for number in range(3)
    ]


@dataclass
class Own:
    """A home with the example applied, over a real Redis."""

    gateway: FeatureGateway
    settings: Settings
    folder: Path
    own: OwnFeatures

    def online(self, customer_id: str) -> dict[str, Any]:
        """What a read gives of payroll, and what the functions make of it with what else is known."""
        read = self.gateway.read_online(customer_id)
        row = read.own["payroll"]
        assert row is not None
        made = Transformations(self.own).apply({**(read.profile or {}), **read.values, **row})
        assert not made.failed
        return {**row, **made.values}

    def at(self, service: str, pairs: list[tuple[str, datetime]]) -> list[dict[str, Any]]:
        """What the point-in-time join says of the customers at those moments."""
        table = self.gateway.offline.known_at(service, [one for one, _ in pairs], [at for _, at in pairs])
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


@pytest.fixture
def bank(redis_server: RedisServer, tmp_path: Path) -> Iterator[Own]:  # noqa: F811
    folder = payroll_folder(tmp_path / "bank", PAID)
    settings = Settings(tmp_path, tmp_path / "offline", redis_server.url)
    write_export(settings.offline / "events", people(), NOW)
    declared, shelf = find_declared(folder, ATTRIBUTES), CodeShelf(tmp_path / "kept", folder)
    own = OwnFeatures.of_declared(declared, shelf)
    shelf.keep(folder / "payroll.py")
    gateway = FeatureGateway(settings, clock=SetClock(NOW + timedelta(hours=1)), own=own)
    gateway.build_feature_tables(settings.offline / "events", as_of=NOW)
    assert build_own_tables(declared, settings.offline / "features", NOW).problems == ()
    gateway.apply()
    gateway.materialize(everybody=True)
    yield Own(gateway, settings, folder, own)
    gateway.close()


def test_the_documented_example_is_what_a_bank_has_to_write() -> None:
    text = EXAMPLE.read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 20
    assert f"```python\n{text}```" in (EXAMPLE.parents[2] / "features.md").read_text()


def test_a_row_is_known_from_its_moment_on_and_a_microsecond_before_it_is_the_one_before(bank: Own) -> None:
    at = NOW - 2 * DAY
    rows = bank.at(PROPENSITY_SERVICE, [("c0", at), ("c0", at - MICROSECOND), ("c0", NOW - 9 * DAY - MICROSECOND)])
    assert [row["salary_paid"] for row in rows] == [3000.0, 1000.0, None]
    assert [row["employer_sector"] for row in rows] == ["rail", "retail", None]
    assert [row["salary_share"] for row in rows] == [1.0, 0.5, None]


@pytest.mark.parametrize("service", [PROPENSITY_SERVICE, RELEVANCE_SERVICE])
def test_what_is_served_is_what_training_reads_of_the_same_moment(bank: Own, service: str) -> None:
    customers = ["c0", "c1", "c2", "nobody knows"]
    joined = bank.at(service, [(one, NOW) for one in customers])
    for customer, row in zip(customers, joined, strict=True):
        names = ("salary_paid", "employer_sector", "salary_share")
        assert bank.online(customer) == {name: row[name] for name in names}
    assert bank.online("c0")["salary_share"] == 1.0


def test_the_services_of_models_and_of_a_decision_have_the_features_and_their_names(bank: Own) -> None:
    signals = person_signals(bank.gateway.offline.known_at(PROPENSITY_SERVICE, ["c0"], NOW), [NOW])
    assert signals["salary_paid"].tolist() == [3000.0]
    assert signals["salary_share"].tolist() == [1.0]
    assert "employer_sector" not in signals  # text is no signal of a propensity
    lineage = bank.gateway.offline.lineage(PROPENSITY_SERVICE)
    assert lineage["views"]["payroll"] == "v0"
    assert lineage["own"]["features"] == ["employer_sector", "salary_paid", "salary_share"]
    marker = bank.gateway.marker()
    assert marker is not None
    assert marker.views["payroll"] == ("salary_paid", "employer_sector")
    assert marker.own == bank.own.version


def test_who_the_bank_says_nothing_of_has_a_row_and_is_not_missing(bank: Own) -> None:
    assert bank.gateway.read_online("c2").own == {"payroll": {"salary_paid": None, "employer_sector": None}}
    assert bank.gateway.read_online("stranger").own == {"payroll": None}


def test_what_is_pushed_is_what_the_next_read_sees(bank: Own) -> None:
    bank.gateway.push_own(bank.own.views[0], "c2", {"salary_paid": 500.0, "employer_sector": "care"}, NOW + MICROSECOND)
    assert bank.online("c2") == {"salary_paid": 500.0, "employer_sector": "care", "salary_share": 0.25}
    bank.gateway.push_own(bank.own.views[0], "c2", {"salary_paid": 1.0, "employer_sector": "old"}, NOW - DAY)
    assert bank.online("c2")["employer_sector"] == "care"


def test_only_who_changed_is_written_again_and_a_broken_file_leaves_the_table_as_it_was(bank: Own) -> None:
    folder, tables = bank.folder, bank.settings.offline / "features"
    write_payroll(bank.folder, [*PAID, ("c2", NOW + DAY / 2, 7.0, "care")])
    later = NOW + timedelta(days=0.6)
    bank.gateway.build_feature_tables(bank.settings.offline / "events", as_of=later)
    assert build_own_tables(find_declared(folder, ATTRIBUTES), tables, later).rows == {"payroll": 5}
    assert {one.view: one.rows for one in bank.gateway.materialize()}["payroll"] == 1
    assert bank.online("c2")["salary_paid"] == 7.0
    before = OwnTable("payroll").file(tables).read_bytes()
    write_payroll(folder, [(None, NOW, 1.0, "x")])
    assert build_own_tables(find_declared(folder, ATTRIBUTES), tables, later).problems
    assert OwnTable("payroll").file(tables).read_bytes() == before
    assert {one.view: one.rows for one in bank.gateway.materialize(everybody=True)}["payroll"] == 4
    assert bank.online("c0")["salary_paid"] == 3000.0


def test_the_pinned_features_are_read_until_the_next_materialisation(bank: Own) -> None:
    def applied(change: Callable[[str], str]) -> FeatureGateway:
        text = change((bank.folder / "payroll.py").read_text())
        (bank.folder / "payroll.py").write_text(text)
        declared = find_declared(bank.folder, ATTRIBUTES)
        assert build_own_tables(declared, bank.settings.offline / "features", NOW).problems == ()
        gateway = FeatureGateway(bank.settings, clock=SetClock(NOW), own=OwnFeatures.of_declared(declared))
        gateway.apply()
        return gateway

    drop = '        Feature("employer_sector", str, "What the employer does."),\n'
    beside = applied(lambda text: text.replace(drop, ""))
    try:
        assert bank.online("c0")["employer_sector"] == "rail"
        assert (beside.read_online("c0").own["payroll"] or {}).keys() == {"salary_paid", "employer_sector"}
        beside.materialize()
        assert (bank.gateway.read_online("c0").own["payroll"] or {}).keys() == {"salary_paid"}
        (bank.folder / "payroll.py").unlink()
        without = FeatureGateway(bank.settings, clock=SetClock(NOW))
        without.apply()
        assert bank.gateway.read_online("c0").own.keys() == {"payroll"}  # applied, not materialised
        without.materialize()
        assert bank.gateway.read_online("c0").own == {}
        assert "payroll" not in {view.name for view in without._store.list_feature_views()}
        without.close()
    finally:
        beside.close()


# -- what is wrong is said in one line each


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a missing column": ({"salary_paid": None}, "column salary_paid: expected float, found no such column among"),
    "another type": (
        {"salary_paid": pa.array(["1"] * 5)},
        "column salary_paid: expected float, found string",
    ),
    "a number for a text": ({"employer_sector": pa.array([1] * 5)}, "employer_sector: expected str, found int64"),
    "a truth value": ({"salary_paid": pa.array([True] * 5)}, "salary_paid: expected float, found bool"),
    "a number for an id": ({"client_no": pa.array([*range(5)])}, "column client_no: expected text, found int64"),
    "a text for a moment": ({"booked_at": pa.array(["2026"] * 5)}, "booked_at: expected a moment, found string"),
    "an undated row": (
        {"booked_at": pa.array([NOW, None, NOW + DAY, None, NOW], MOMENT)},
        "column booked_at: expected a value in every row, found 2 without, the first of customer c0",
    ),
    "nobody's row": (
        {"client_no": pa.array(["c0", "", None, "c3", "c4"], pa.string())},
        "column client_no: expected a value in every row, found 2 without",
    ),
    "a duplicate": (
        {"client_no": pa.array(["c7"] * 5), "booked_at": pa.array([NOW] * 5, MOMENT)},
        "columns client_no and booked_at: expected one row a customer and moment, found several of 1, as of c7 at",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_source_that_is_not_as_declared_is_one_line_and_no_table(kind: str, tmp_path: Path) -> None:
    columns, said = BAD[kind]
    folder = payroll_folder(tmp_path, PAID)
    write_payroll(folder, PAID, **columns)
    built = build_own_tables(find_declared(folder, ATTRIBUTES), tmp_path / "tables", NOW)
    assert built.rows == {}
    (line,) = built.problems
    assert line.startswith(f"{folder / 'payroll.py'}: view payroll: {folder / 'payroll.parquet'}, ")
    assert said in line
    assert list((tmp_path / "tables").glob("*.parquet*")) == []


@pytest.mark.parametrize(
    "written", ["c1", " c1", "c1 ", "\u3000c1", "c1\u00a0", "\uff43\uff11", "c\u200b1", "\ufeffc1", "\tc1\n"]
)
def test_an_id_is_the_same_however_it_is_written(written: str, tmp_path: Path) -> None:
    folder = payroll_folder(tmp_path / "bank", [(written, NOW - DAY, 5.0, "rail"), ("客户 2", NOW - DAY, 6.0, "it")])
    assert build_own_tables(find_declared(folder, ATTRIBUTES), tmp_path / "tables", NOW).problems == ()
    rows = read_table(OwnTable("payroll").file(tmp_path / "tables")).to_pylist()
    assert [row["customer_id"] for row in rows] == ["c1", "客户 2"]


def test_one_customer_written_in_two_ways_has_two_rows_of_one_moment(tmp_path: Path) -> None:
    folder = payroll_folder(tmp_path / "bank", [(written, NOW, 5.0, "rail") for written in ("c1", "c1 ")])
    (problem,) = build_own_tables(find_declared(folder, ATTRIBUTES), tmp_path / "tables", NOW).problems
    assert "expected one row a customer and moment, found several of 1, as of c1" in problem


def test_an_id_that_is_none_is_one_line(tmp_path: Path) -> None:
    folder = payroll_folder(tmp_path / "bank", [("c\x001", NOW, 5.0, "rail"), ("x" * 201, NOW, 5.0, "rail")])
    problems = build_own_tables(find_declared(folder, ATTRIBUTES), tmp_path / "tables", NOW).problems
    assert sorted(line.rpartition(": ")[2] for line in problems) == [
        "contains a character that cannot be printed",
        "is longer than 200 characters",
    ]


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_without_an_end_is_not_known(number: float, tmp_path: Path) -> None:
    folder = payroll_folder(tmp_path / "bank", [("c1", NOW, number, "rail")])
    assert build_own_tables(find_declared(folder, ATTRIBUTES), tmp_path / "tables", NOW).problems == ()
    assert read_table(OwnTable("payroll").file(tmp_path / "tables"))["salary_paid"].to_pylist() == [None]


def test_every_file_of_a_folder_is_checked_and_an_integer_is_a_float_too(tmp_path: Path) -> None:
    folder = payroll_folder(tmp_path, PAID)
    (folder / "many").mkdir()
    write_payroll(folder, PAID[:2], salary_paid=pa.array([1, 2], pa.int64()))
    (folder / "payroll.parquet").rename(folder / "many" / "a.parquet")
    write_payroll(folder, PAID[2:])
    (folder / "payroll.parquet").rename(folder / "many" / "b.parquet")
    text = (folder / "payroll.py").read_text().replace("payroll.parquet", "many")
    (folder / "payroll.py").write_text(text)
    assert build_own_tables(find_declared(folder, ATTRIBUTES), tmp_path / "tables", NOW).rows == {"payroll": 4}
    write_payroll(folder, PAID[2:], employer_sector=None)
    (folder / "payroll.parquet").rename(folder / "many" / "b.parquet")
    (line,) = build_own_tables(find_declared(folder, ATTRIBUTES), tmp_path / "tables", NOW).problems
    assert f"{folder / 'many' / 'b.parquet'}, column employer_sector: expected str" in line


FLOAT = 'Feature("balance_trend", float)'
WRONG = {
    "a file that does not compile": ("x = (\n", "SyntaxError"),
    "a file that fails": ("import os\nraise ValueError('no data')\n", "ValueError: no data, line 2"),
    "a name of ours": (declared_as('Feature("segment", str)'), "feature segment: we have a feature of this name"),
    "an attribute": (declared_as('Feature("monthly_income_cny", float)'), "customers have an attribute of this name"),
    "a signal of a contact": (declared_as('Feature("channel_phone", float)'), "we have a feature of this name"),
    "a view of ours": (declared_as(FLOAT, name="offer_answers"), "we have a view of this name"),
    "the events": (declared_as(FLOAT, name="interaction_events"), "we have a view of this name"),
    "a person's name": (declared_as('Feature("full_name", str)'), "say who somebody is"),
    "an unknown type": (declared_as('Feature("tags", list)'), "of the types float, int, str, bool, found list"),
    "a moment": (declared_as('Feature("last_visit_at", float)'), "moments are no features"),
    "no feature": (declared_as(""), "a view needs at least one feature"),
    "no source": (declared_as(FLOAT, source='"x.parquet"'), "expected a source (Parquet, Table or Pushed), found str"),
    "an offer": (declared_as(FLOAT, 'v.entity = "offer"\n'), "expected the entity customer, found offer"),
    "an unknown input": (
        declared_as(FLOAT, "@v.transformation()\ndef trend(wages: float) -> float:\n    return wages\n"),
        "feature trend: nothing is called wages",
    ),
    "a type that is not said": (
        declared_as(FLOAT, "@v.transformation()\ndef trend(balance_trend):\n    return 1.0\n"),
        "feature trend: expected one of the types",
    ),
    "a function that cannot do without": (
        declared_as(FLOAT, "@v.transformation()\ndef trend(balance_trend) -> float:\n    return balance_trend + 1\n"),
        "where nothing is known it must return None or a value, and raises TypeError",
    ),
    "a function of another type": (
        declared_as(FLOAT, "@v.transformation()\ndef trend(balance_trend: float) -> float:\n    return 'x'\n"),
        "raises TypeError: float is declared, found str",
    ),
    "two of a name": (declared_as(f"{FLOAT}, {FLOAT}"), "view mine has a feature of this name"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_declaration_that_cannot_be_is_one_line_that_names_the_file(kind: str, tmp_path: Path) -> None:
    text, said = WRONG[kind]
    folder = payroll_folder(tmp_path / "bank", PAID)
    (folder / "wrong.py").write_text(text)
    with pytest.raises(InvalidInput) as refused:
        find_declared(folder, ATTRIBUTES)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(str(folder / "wrong.py"))
    assert said in line


@pytest.mark.parametrize("name", [*FLAGS, "consent_marketing", "is_vulnerable", "dnc_flag", "免打扰", *BUILT_IN])
def test_what_protects_somebody_is_never_a_feature(name: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(declared_as(f"Feature({name!r}, bool)"))
    with pytest.raises(InvalidInput, match=f"feature {name}: (it seems to protect somebody|we have a feature)"):
        find_declared(tmp_path)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = (\n")
    (tmp_path / "b.py").write_text(declared_as('Feature("segment", str), Feature("arrears", bool)'))
    with pytest.raises(InvalidInput) as refused:
        find_declared(tmp_path)
    assert len(str(refused.value).splitlines()) == 3


def test_an_installed_package_declares_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bank_package.py").write_text(EXAMPLE.read_text())
    info = tmp_path / "bank_package-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bank-package\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[nbo.features]\npayroll = bank_package:payroll\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (declared,) = find_declared(None, ATTRIBUTES)
    own = OwnFeatures.of_declared([declared])
    assert (own.views[0].module, own.views[0].digest) == ("bank_package", None)
    made = Transformations(OwnFeatures.of_json(own.to_json())).apply({"salary_paid": 1.0, "monthly_income_cny": 4.0})
    assert made.values == {"salary_share": 0.25}


def test_the_applied_document_goes_on_without_the_file_it_came_from(tmp_path: Path) -> None:
    folder, shelf = payroll_folder(tmp_path / "bank", PAID), CodeShelf(tmp_path / "kept", tmp_path / "bank")
    own = OwnFeatures.of_declared(find_declared(folder, ATTRIBUTES), shelf)
    shelf.keep(folder / "payroll.py")
    (folder / "payroll.py").write_text("broken (")
    again = OwnFeatures.of_json(own.to_json(), shelf)
    assert again == own
    assert json.loads(own.to_json())[0]["owner"] == "payroll-data@bank.example"
    made = Transformations(again).apply({"salary_paid": 1.0, "monthly_income_cny": 4.0})
    assert made.values == {"salary_share": 0.25}


def test_code_that_is_not_the_code_that_was_applied_is_not_run(tmp_path: Path) -> None:
    folder = payroll_folder(tmp_path / "bank", PAID)
    own = OwnFeatures.of_declared(find_declared(folder, ATTRIBUTES), CodeShelf(tmp_path / "kept", folder))
    applied = (folder / "payroll.py").read_text()
    (folder / "payroll.py").write_text(applied + "# changed\n")
    made = Transformations(own).apply({"salary_paid": 1.0, "monthly_income_cny": 4.0})
    assert "no file as it was applied" in made.failed["salary_share"]
    (folder / "again.py").write_text(applied)  # wherever a machine has it
    assert Transformations(own).apply({"salary_paid": 1.0, "monthly_income_cny": 4.0}).values == {"salary_share": 0.25}


def test_a_function_that_fails_is_named_in_service_and_stops_training_with_one_line(tmp_path: Path) -> None:
    write_export(tmp_path / "events", people(), NOW)
    folder = payroll_folder(tmp_path / "bank", PAID)
    text = (folder / "payroll.py").read_text().replace("else None", "else None if salary_paid is None else 1 // 0")
    (folder / "payroll.py").write_text(text.replace("and monthly_income_cny", "and not monthly_income_cny"))
    declared = find_declared(folder, ATTRIBUTES)
    made = Transformations(OwnFeatures.of_declared(declared)).apply({"salary_paid": 1.0, "monthly_income_cny": 1.0})
    assert made.values == {}
    assert made.failed["salary_share"].startswith("salary_share failed: ZeroDivisionError")
    with (
        features_of_export(tmp_path / "events", NOW, service=PROPENSITY_SERVICE, declared=declared) as features,
        pytest.raises(InvalidInput, match=r"salary_share failed: ZeroDivisionError.*salary_paid = 3000.0"),
    ):
        features.known_at(PROPENSITY_SERVICE, ["c0"], NOW)


def test_functions_of_our_features_read_them_as_models_do_in_training(tmp_path: Path) -> None:
    write_export(tmp_path / "events", people(), NOW)
    more = (
        "@v.transformation()\n"
        "def since(days_since_last_accepted: float, held_count: int, segment: str) -> float | None:\n"
        "    return None if held_count is None else days_since_last_accepted * held_count + len(segment)\n"
    )
    (tmp_path / "mine.py").write_text(declared_as(FLOAT, more, source="Pushed()"))
    declared = find_declared(tmp_path, ATTRIBUTES)
    for service in (PROPENSITY_SERVICE, RELEVANCE_SERVICE):
        with features_of_export(tmp_path / "events", NOW, service=service, declared=declared) as features:
            table = features.known_at(service, ["c0"], [NOW - DAY])
            np.testing.assert_allclose(table["since"].to_pylist(), [33.0])
            assert ("held_count" in table.column_names) is (service == PROPENSITY_SERVICE)


def test_apply_says_what_to_run_where_the_tables_do_not_have_the_features_yet(tmp_path: Path) -> None:
    declared = find_declared(payroll_folder(tmp_path, PAID), ATTRIBUTES)
    with pytest.raises(InvalidInput, match=r"do not have payroll .*nbo features export"):
        check_own_tables(declared, tmp_path / "tables")
    build_own_tables(declared, tmp_path / "tables", NOW)
    check_own_tables(declared, tmp_path / "tables")
    renamed = [replace(one.view.features[0], name="other") for one in declared] + list(declared[0].view.features[1:])
    declared[0].view.features[:] = renamed
    with pytest.raises(InvalidInput, match="run `nbo features export`"):
        check_own_tables([Declared(declared[0].view, declared[0].code)], tmp_path / "tables")

"""Importing a directory: what goes in, what is rejected, and that a second time changes nothing."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.domain.customer import Consents, CustomerKind
from recsys.domain.errors import CatalogueInvalid, ImportInvalid
from recsys.domain.outcome import Answer
from recsys.domain.protection import Statement
from recsys.storage.import_mapping import parse_mapping
from tests.builders import NOW, a_contact
from tests.recsys.storage.importing import CONTACTS, CUSTOMERS, INTERACTIONS, Importer
from tests.recsys.storage.test_decision_log import a_record, an_outcome

INSURANCE = Path(__file__).parents[4] / "shared" / "data" / "insurance"
MAPPING = Path(__file__).parents[3] / "docs" / "examples" / "insurance.yaml"


def a_bank(importer: Importer) -> None:
    """Write one good file of each kind."""
    importer.write(
        interactions=INTERACTIONS + "c1,card,2026-01-01,accepted,app,1\nc3,loan,2026-01-02T09:00:00+08:00,view,,\n",
        customers=CUSTOMERS + "c1,customer,李娜,3,true,true,41.5,上海,false\nc2,prospect,,,,,,,\n",
        contacts=CONTACTS + "k1,c1,2026-02-01,phone,inbound,complaint,-0.5,a1,2\nk2,c4,2026-02-02,,,,,,\n",
        offers="offer_id,title,margin,eligibility\ncard,Gold card,300,age >= 18\n",
    )


def test_every_kind_of_file_goes_in(importer: Importer) -> None:
    a_bank(importer)
    report = importer.run()
    with importer.database.read() as log:
        customer, contact = log.customer("c1"), log.contact("k1")
        catalogue = log.latest_catalogue()
        assert log.attribute_types() == {"age": "number", "city": "text", "is_student": "boolean"}
        assert log.counts()["customers"] == 4
        assert log.customer("c2").kind is CustomerKind.PROSPECT
    assert (customer.name, customer.risk_level, customer.flags) == ("李娜", 3, frozenset({"vulnerable"}))
    assert customer.attributes == {"age": 41.5, "city": "上海", "is_student": False}
    assert customer.consents == Consents(marketing=True)
    assert (contact.sentiment, contact.csat, contact.closed_at) == (-0.5, 2, contact.opened_at)
    assert catalogue is not None
    assert [(offer["offer_id"], offer["title_en"]) for offer in catalogue.offers] == [
        ("card", "Gold card"),
        ("loan", "loan"),
    ]
    assert (report.customers_created, report.offers_created, report.consents_written) == (2, 1, 1)
    assert report.rejected_path is None


def test_importing_twice_changes_nothing(importer: Importer) -> None:
    a_bank(importer)
    importer.run()
    before = importer.everything()
    report = importer.run()
    assert importer.everything() == before
    for file in report.files.values():
        assert (file.added, file.changed, file.already_there, file.rejected) == (0, 0, file.read, 0)


def test_identical_rows_of_one_file_are_all_kept_and_only_once(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS + "c1,card,2026-01-01,,,\n" * 3)
    assert importer.run().files["interactions.csv"].added == 3
    importer.write(interactions=INTERACTIONS + 'c1,"card",2026-01-01T00:00:00Z,accepted,,1.0\n' * 4)
    report = importer.run().files["interactions.csv"]
    assert (report.added, report.already_there) == (1, 3)
    with importer.database.read() as log:
        assert len(log.history("c1", NOW)) == 4


@pytest.mark.parametrize("rule", ["age >=", "wealth > 3"])
def test_an_offer_with_a_broken_rule_is_rejected_and_nobody_gets_a_bare_one(importer: Importer, rule: str) -> None:
    a_bank(importer)
    importer.write(offers=f"offer_id,title,eligibility\ncard,Card,{rule}\nfund,Fund,age >= 30\n")
    report = importer.run()
    with importer.database.read() as log:
        catalogue = log.latest_catalogue()
    assert catalogue is not None
    assert [offer["offer_id"] for offer in catalogue.offers] == ["fund", "loan"]
    assert (report.files["offers.csv"].read, report.files["offers.csv"].rejected) == (2, 1)
    assert [(row["line"], row["column"]) for row in importer.rejected()] == [("2", "eligibility")]


def test_a_byte_order_mark_and_windows_line_ends_are_tolerated(importer: Importer) -> None:
    content = (INTERACTIONS + 'c1,"card",2026-01-01,,,\n').replace("\n", "\r\n").encode("utf-8-sig")
    importer.write(interactions=content)
    assert importer.run().files["interactions.csv"].added == 1


def test_parquet_and_csv_say_the_same(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS + "c1,card,2026-01-01T01:00:00.000001,view,,0.1\n")
    importer.run()
    (importer.directory / "interactions.csv").unlink()
    moment = pa.array([1767229200000001000], pa.timestamp("ns", "UTC"))
    columns = {"customer_id": ["c1"], "offer_id": ["card"], "occurred_at": moment, "event": ["view"], "weight": [0.1]}
    pq.write_table(pa.table(columns), importer.directory / "interactions.parquet")
    assert importer.run().files["interactions.parquet"].already_there == 1


def test_offers_merge_with_those_that_are_there(importer: Importer) -> None:
    a_bank(importer)
    importer.run()
    importer.write(offers="offer_id,title\nloan,Home loan\nfund,Fund\n")
    report = importer.run().files["offers.csv"]
    with importer.database.read() as log:
        catalogue = log.latest_catalogue()
    assert catalogue is not None
    assert {offer["offer_id"]: offer["title_en"] for offer in catalogue.offers} == {
        "card": "Gold card",
        "fund": "Fund",
        "loan": "Home loan",
    }
    assert (report.read, report.added, report.changed, report.already_there) == (2, 1, 1, 0)


def test_a_changed_row_changes_only_the_columns_its_file_has(importer: Importer) -> None:
    a_bank(importer)
    importer.run()
    importer.write(customers="customer_id,city,score\nc1,北京,7\n")
    assert importer.run().files["customers.csv"].changed == 1
    with importer.database.read() as log:
        customer = log.customer("c1")
    assert (customer.name, customer.flags) == ("李娜", frozenset({"vulnerable"}))
    assert customer.attributes == {"age": 41.5, "is_student": False, "city": "北京", "score": 7}


def test_an_attribute_has_the_type_of_the_last_file_for_everybody(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, customers="customer_id,age\nc1,41\nc3,50\n")
    for second, expected in (("old", ("text", "old", "50")), ("42", ("number", 42, 50))):
        importer.run()
        importer.write(customers=f"customer_id,age\nc1,{second}\nc2,30\n")
        assert importer.run().files["customers.csv"].rejected == 0
        with importer.database.read() as log:
            found = log.attribute_types()["age"], *(log.customer(c).attributes["age"] for c in ("c1", "c3"))
        assert found == expected


def test_a_rule_in_force_that_an_attribute_no_longer_fits_refuses_the_import(importer: Importer) -> None:
    a_bank(importer)
    importer.run()
    (importer.directory / "offers.csv").unlink()
    importer.write(customers="customer_id,age\nc1,41\nc2,forty\n")
    before = importer.everything()
    with pytest.raises(CatalogueInvalid, match=r"card.*age >= 18.*customers\.csv column age is text since line 3"):
        importer.run()
    assert importer.everything() == before


def test_a_consent_withdrawn_since_is_not_given_back_by_the_same_file(importer: Importer) -> None:
    a_bank(importer)
    importer.run()
    with importer.database.transaction("c1") as log:
        log.add_statement("c1", Statement("marketing", False, NOW, NOW, "customer"))
    importer.write(customers=CUSTOMERS + "c1,customer,李娜,4,true,true,41.5,上海,false\n")
    assert importer.run().consents_written == 0
    with importer.database.read() as log:
        assert log.customer("c1").consents.marketing is False


def test_a_new_word_on_a_consent_is_written(importer: Importer) -> None:
    for granted, expected in (("true", True), ("false", False), ("true", True), ("", True)):
        importer.write(interactions=INTERACTIONS, customers=f"customer_id,consent_partner\nc1,{granted}\n")
        importer.run()
        with importer.database.read() as log:
            assert log.customer("c1").consents.partner is expected


def test_a_live_contact_is_not_overwritten(importer: Importer) -> None:
    a_bank(importer)
    importer.run()
    with importer.database.transaction("c1") as log:
        log.add_contact(a_contact(contact_id="live"))
    importer.write(contacts=CONTACTS + "live,c1,2020-01-01,,,,,,1\n")
    assert importer.run().files["contacts.csv"].already_there == 1
    with importer.database.read() as log:
        assert log.contact("live") == a_contact(contact_id="live")


def test_replace_makes_the_files_the_whole_truth_but_keeps_what_is_live(importer: Importer) -> None:
    a_bank(importer)
    importer.run()
    with importer.database.transaction("c1") as log:
        log.add_contact(a_contact(contact_id="live"))
        log.add_decision(a_record(contact_id="live"), log.next_sequence("live"))
        log.add_outcome(an_outcome(Answer.DECLINED, contact_id="live"), "key", "digest", {})
    importer.write(
        interactions=INTERACTIONS + "c2,fund,2026-03-01,,,\n",
        customers="customer_id,score\nc2,1\n",
        contacts=CONTACTS,
        offers="offer_id,title\ncard,Card\n",
    )
    for _ in range(2):
        importer.run(replace=True)
    with importer.database.read() as log:
        counts = log.counts()
        assert [event.kind for event in log.history("c1", NOW)] == ["declined"]
        assert log.customer("c1").attributes == {}
        catalogue = log.latest_catalogue()
    assert catalogue is not None
    assert [offer["offer_id"] for offer in catalogue.offers] == ["card", "fund"]
    kept = {"customers": 2, "contacts": 1, "decisions": 1, "outcomes": 1, "interactions": 2}
    assert {name: counts[name] for name in kept} == kept


@pytest.mark.parametrize(
    "document",
    [
        ["interactions"],
        {"purchases": {}},
        {"interactions": {"files": "a.csv"}},
        {"interactions": {"file": "../a.csv"}},
        {"interactions": {"columns": ["customer_id"]}},
        {"interactions": {"dates": "day-mounth-year"}},
        {"interactions": {"types": {"a": "decimal"}}},
        {"interactions": {"time_zone": "Asia/Shanghay"}},
        {"interactions": {"file": "a.csv", "query": "SELECT 1"}},
        {"interactions": {"delimiter": ";;"}},
        {"interactions": {"decimal": ";"}},
    ],
)
def test_a_mapping_it_does_not_know_is_refused(document: Any) -> None:
    with pytest.raises(ImportInvalid):
        parse_mapping(document)


@pytest.mark.parametrize("change", [{"file": "other.csv"}, {"columns": {"offer_id": "product"}}])
def test_a_mapping_that_names_what_is_not_there_is_refused(importer: Importer, change: dict[str, Any]) -> None:
    importer.write(interactions=INTERACTIONS)
    with pytest.raises(ImportInvalid, match="which the mapping names"):
        importer.run(mapping=parse_mapping({"interactions": change}))


@pytest.mark.skipif(not INSURANCE.is_dir(), reason="the shared data is not on this machine")
def test_the_purchases_of_an_insurance_company_all_go_in(importer: Importer) -> None:
    import yaml

    (importer.directory / "purchase_events_train.csv.gz").symlink_to(INSURANCE / "purchase_events_train.csv.gz")
    report = importer.run(mapping=parse_mapping(yaml.safe_load(MAPPING.read_text())))
    rows = report.files["purchase_events_train.csv.gz"]
    assert (rows.read, rows.added, rows.rejected) == (55_619, 55_619, 0)

"""No row that cannot be used frees anybody: whom it names is held, and what it says that protects is applied."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.domain.customer import Consents
from recsys.domain.errors import ImportInvalid
from recsys.domain.protection import CONSENT_COLUMNS, DELIVERED_FLAGS, FLAGS, UNREADABLE, Statement
from recsys.storage.import_mapping import parse_mapping
from tests.builders import NOW
from tests.recsys.storage.importing import INTERACTIONS, Importer

LATER = datetime(2200, 1, 1, tzinfo=UTC)

CUSTOMERS = "customer_id,risk_level,do_not_contact,consent_marketing,age\n"
CONTACTS = "contact_id,customer_id,opened_at,reason\n"
FREE = "c1,2,false,true,30\n"


def flags(importer: Importer, customer_id: str = "c1") -> frozenset[str]:
    with importer.database.read() as log:
        return log.customer(customer_id).flags


def consents(importer: Importer, customer_id: str = "c1") -> Consents:
    with importer.database.read() as log:
        return log.customer(customer_id).consents


BAD_CUSTOMERS = {
    "a level out of range": ("c1,9,false,true,30\n", set()),
    "a flag nobody can read": ("c1,2,perhaps,true,30\n", set()),
    "a consent nobody can read": ("c1,2,false,perhaps,30\n", set()),
    "too few cells": ("c1,2,false\n", set()),
    "too many cells": ("c1,2,false,true,30,x\n", set()),
    "a stray quote": ('"c1,2,false,true,30\n', set()),
    "bytes that are no text": ("c1,2,false,true,\udce7\n", set()),
    "a bad level beside a flag": ("c1,9,yes,true,30\n", {"do_not_contact"}),
    "an unreadable consent beside a flag": ("c1,2,是,perhaps,30\n", {"do_not_contact"}),
    "a flag in a torn row": ("c1,2,true\n", {"do_not_contact"}),
}


@pytest.mark.parametrize("case", BAD_CUSTOMERS)
@pytest.mark.parametrize("is_known", [False, True])
def test_whoever_a_rejected_customers_row_names_is_held(importer: Importer, case: str, is_known: bool) -> None:
    bad, others = BAD_CUSTOMERS[case]
    importer.write(interactions=INTERACTIONS, customers=CUSTOMERS + FREE)
    if is_known:
        importer.run()
        assert flags(importer) == frozenset()
    content = (CUSTOMERS + bad + "c2,2,false,true,40\nc3,2,否,true,王\n").encode("utf-8", "surrogateescape")
    importer.write(customers=content)
    report = importer.run()
    assert flags(importer) == {UNREADABLE, *others}
    assert report.held >= 1
    importer.run()
    assert flags(importer) == {UNREADABLE, *others}
    importer.write(customers=CUSTOMERS + FREE)
    importer.run()
    assert flags(importer) == frozenset()


def test_a_good_row_of_another_table_frees_nobody(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, customers=CUSTOMERS + "c1,9,false,true,30\n")
    importer.run()
    (importer.directory / "customers.csv").unlink()
    importer.write(
        interactions=INTERACTIONS + "c1,card,2026-01-01,,,\n", contacts=CONTACTS + "k1,c1,2026-01-01,balance\n"
    )
    importer.run()
    assert flags(importer) == {UNREADABLE}


def test_a_rejected_row_withdraws_the_consent_it_can_read(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, customers=CUSTOMERS + FREE)
    importer.run()
    assert consents(importer).marketing is True
    importer.write(customers=CUSTOMERS + "c1,9,false,不同意,30\n")
    importer.run()
    assert consents(importer).marketing is False


def test_replacing_everything_does_not_forget_whom_a_rejected_row_names(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, customers=CUSTOMERS + "c1,2,true,true,30\nc2,2,false,true,30\n")
    importer.run()
    importer.write(customers=CUSTOMERS + "c1,9,false,true,30\n")
    importer.run(replace=True)
    assert flags(importer) >= {UNREADABLE}
    with importer.database.read() as log:
        assert log.counts()["customers"] == 1


@pytest.mark.parametrize("rows", ["c1,2,false,true,30\nc1,3,true,true,30\n", "c1,2,true,true,30\nc1,3,false,true,30\n"])
def test_of_rows_that_contradict_each_other_what_protects_holds(importer: Importer, rows: str) -> None:
    importer.write(interactions=INTERACTIONS, customers=CUSTOMERS + rows)
    report = importer.run()
    assert report.files["customers.csv"].rejected == 1
    assert flags(importer) == {UNREADABLE, "do_not_contact"}
    importer.write(customers=CUSTOMERS + FREE)
    importer.run()
    assert flags(importer) == frozenset()


@pytest.mark.parametrize(
    ("row", "is_held"),
    [
        ("k1,c1,soon,balance\n", False),
        ("k1,c1,soon,\n", False),
        ("k1,c1,soon,投诉\n", True),
        ("k1,c1,soon,a complaint about fees\n", True),
        ("k1,c1,2026-01-01\n", True),
        ('k1,"c1,2026-01-01,balance\n', True),
        ("k2,c1,2026-01-01,balance\nk2,c1,2026-01-02,complaint\n", True),
        ("k2,c1,2026-01-01,balance\nk2,c1,2026-01-02,balance\n", False),
    ],
)
def test_a_rejected_contact_holds_unless_it_was_no_complaint(importer: Importer, row: str, is_held: bool) -> None:
    importer.write(
        interactions=INTERACTIONS, customers=CUSTOMERS + FREE, contacts=CONTACTS + row + "k9,c9,2026-01-01,\n"
    )
    importer.run()
    assert (UNREADABLE in flags(importer)) is is_held
    importer.write(contacts=CONTACTS + "k9,c1,2026-01-01,balance\n")
    importer.run()
    assert (UNREADABLE in flags(importer)) is is_held, "the row of another contact frees nobody"
    importer.write(contacts=CONTACTS + "k1,c1,2026-01-01,balance\nk2,c1,2026-01-01,balance\n")
    importer.run()
    assert flags(importer) == frozenset()


@pytest.mark.parametrize(
    ("row", "is_held"),
    [
        ("c1,card,soon,view,,\n", False),
        ("c1,card,soon,浏览,,\n", False),
        ("c1,card,soon,inquiry,,\n", False),
        ("c1,card,soon,cancelled,,\n", False),
        ("c1,card,soon,declined,,\n", True),
        ("c1,card,soon,accepted,,\n", True),
        ("c1,card,soon,,,\n", True),
        ("c1,card,2026-01-01,levitated,,\n", True),
        ("c1,card,2026-01-01,view\n", True),
    ],
)
def test_a_rejected_interaction_holds_unless_it_was_harmless(importer: Importer, row: str, is_held: bool) -> None:
    importer.write(interactions=INTERACTIONS + row + "c9,card,2026-01-01,,,\n", customers=CUSTOMERS + FREE)
    importer.run()
    assert (UNREADABLE in flags(importer)) is is_held
    importer.write(interactions=INTERACTIONS + "c1,loan,2026-01-01,,,\nc9,card,2026-01-01,,,\n")
    importer.run()
    assert (UNREADABLE in flags(importer)) is is_held, "the row of another offer frees nobody"
    importer.write(interactions=INTERACTIONS + "c1,card,2026-01-01,view,,\n")
    importer.run()
    assert flags(importer) == frozenset()


def test_somebody_who_ended_a_hold_is_not_overruled_by_the_same_row_but_by_another_one(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, customers=CUSTOMERS + "c1,9,false,true,30\n")
    importer.run()
    later = NOW + timedelta(hours=1)
    with importer.database.transaction("c1") as log:
        log.set_protection("c1", UNREADABLE, Statement(UNREADABLE, False, later, later, "console", "sam"))
    importer.run(clock=lambda: NOW + timedelta(hours=2))
    assert flags(importer) == frozenset()
    importer.write(customers=CUSTOMERS + "c1,8,false,true,30\n")
    importer.run(clock=lambda: NOW + timedelta(hours=3))
    assert flags(importer) == {UNREADABLE}


def test_a_typed_row_that_lost_digits_holds_whom_it_names(importer: Importer) -> None:
    columns = {"customer_id": ["c1", "c2"], "offer_id": [1.5, 2.0], "occurred_at": ["2026-01-01", "2026-01-02"]}
    pq.write_table(pa.table(columns), importer.directory / "interactions.parquet")
    importer.write(customers=CUSTOMERS + FREE)
    importer.run()
    assert [flags(importer, name) for name in ("c1", "c2")] == [frozenset({UNREADABLE}), frozenset()]


def test_two_columns_that_say_the_same_protection_are_refused(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, customers="customer_id,client id,do_not_contact,DNC\nc1,x,false,true\n")
    with pytest.raises(ImportInvalid, match="two columns of the same name, do_not_contact"):
        importer.run()
    importer.write(customers="customer_id,client id,DNC\nc1,x,true\n")
    importer.run()
    with importer.database.read() as log:
        assert log.customer("c1").attributes == {"client id": "x"}
        assert log.customer("c1").flags == {"do_not_contact"}


YES, NO = ("true", "Yes", "1", "是", "Y", " TRUE ", "1.0"), ("false", "no", "0", "否", "N", "", "N/A", "NULL")


@pytest.mark.parametrize("column", [*DELIVERED_FLAGS, *(name for flag in FLAGS.values() for name in flag.headers)])
def test_a_flag_is_known_by_any_of_its_names_and_spellings(importer: Importer, column: str) -> None:
    subject = next(name for name, flag in FLAGS.items() if column in (name, *flag.headers))
    rows = "".join(f"y{place},{word}\n" for place, word in enumerate(YES))
    rows += "".join(f"n{place},{word}\n" for place, word in enumerate(NO))
    importer.write(interactions=INTERACTIONS, customers=f"客户号,{column.upper().replace('_', ' ')}\n{rows}")
    assert importer.run().rejected_path is None
    assert {flags(importer, f"y{place}") for place in range(len(YES))} == {frozenset({subject})}
    assert {flags(importer, f"n{place}") for place in range(len(NO))} == {frozenset()}


@pytest.mark.parametrize("column", [*CONSENT_COLUMNS, "Consent Marketing", "营销同意", "third-party consent"])
def test_a_consent_is_known_by_its_names_and_spellings(importer: Importer, column: str) -> None:
    rows = "a,同意\nb,granted\nc,withdrawn\nd,不同意\ne,\nf,无\n"
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,{column}\n{rows}")
    importer.run()
    found = [
        [said for purpose in ("marketing", "profiling", "partner") if (said := getattr(one, purpose)) is not None]
        for one in (consents(importer, name) for name in "abcdef")
    ]
    assert found == [[True], [True], [False], [False], [], [False]]


@pytest.mark.parametrize(
    "column", ["consent_email", "opt_out_sms", "do_not_visit", "同意短信", "勿扰时段", "complaint_open"]
)
@pytest.mark.parametrize("table", ["customers", "contacts"])
def test_a_column_that_seems_to_protect_must_be_explained(importer: Importer, column: str, table: str) -> None:
    header = {"customers": "customer_id", "contacts": "contact_id,customer_id,opened_at"}[table]
    row = {"customers": "c1", "contacts": "k1,c1,2026-01-01"}[table]
    importer.write(interactions=INTERACTIONS, **{table: f"{header},{column}\n{row},true\n"})
    before = importer.everything()
    with pytest.raises(ImportInvalid, match=f"{column}.*types"):
        importer.run()
    assert importer.everything() == before
    importer.run(mapping=parse_mapping({table: {"types": {column: "text"}}}))
    if table == "customers":
        importer.run(mapping=parse_mapping({"customers": {"columns": {"do_not_contact": column}}}))
        assert flags(importer) == {"do_not_contact"}


DAY = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize("way", ["column", "mapping", "option"])
def test_a_dated_consent_counts_as_of_its_day(importer: Importer, way: str) -> None:
    options: dict[str, Any] = {}
    header, cell = ("consent_marketing,consents_as_of", ",2026-01-31") if way == "column" else ("consent_marketing", "")
    if way == "mapping":
        options["mapping"] = parse_mapping({"customers": {"consents_as_of": "2026-01-31"}})
    if way == "option":
        options["consents_as_of"] = DAY
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,{header}\nc1,true{cell}\nc2,true{cell}\n")
    importer.run(**options)
    for customer, days in (("c1", -1), ("c2", 1)):
        at = DAY + timedelta(days=days)
        with importer.database.transaction(customer) as log:
            log.add_statement(customer, Statement("marketing", False, at, at, "customer"))
    assert [consents(importer, name).marketing for name in ("c1", "c2")] == [True, False]
    assert importer.run(**options).consents_written == 0


def test_a_file_without_a_date_never_beats_a_dated_word(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, customers="customer_id,consent_marketing\nc1,false\n")
    importer.run()
    with importer.database.transaction("c1") as log:
        log.add_statement("c1", Statement("marketing", False, DAY, DAY, "customer"))
    importer.write(customers="customer_id,consent_marketing\nc1,true\n")
    importer.run()
    assert consents(importer).marketing is False


def test_ids_are_the_same_in_every_table_however_they_are_padded(importer: Importer) -> None:
    importer.write(
        customers="customer_id,age\n \uff231\u3000,30\n",
        interactions=INTERACTIONS + "C1\u200b,card\u00a0,2026-01-01,,,\n",
        contacts=CONTACTS + "k1,\ufeffC1,2026-01-01,\n",
    )
    importer.run()
    with importer.database.read() as log:
        assert log.counts()["customers"] == 1
        assert [event.offer_id for event in log.history("C1", LATER)] == ["card"]


@pytest.mark.parametrize("other", ["C1", "c-1", "c 1"])
def test_whoever_has_nearly_the_id_of_somebody_known_is_held_until_known(importer: Importer, other: str) -> None:
    importer.write(interactions=INTERACTIONS + f"{other},card,2026-01-01,,,\n", customers=CUSTOMERS + FREE)
    report = importer.run()
    assert any(repr(other) in notice and "'c1'" in notice for notice in report.notices)
    assert [flags(importer), flags(importer, other)] == [frozenset(), frozenset({UNREADABLE})]
    importer.write(customers=CUSTOMERS + FREE + f"{other},2,false,true,30\n")
    importer.run()
    assert flags(importer, other) == frozenset()


def test_words_nobody_knows_stay_and_are_counted_with_the_nearest(importer: Importer) -> None:
    importer.write(
        interactions=INTERACTIONS,
        contacts="contact_id,customer_id,opened_at,channel,reason\nk1,c1,2026-01-01,phoen,balanse\nk2,c1,2026-01-02,电话,\n",
    )
    report = importer.run()
    with importer.database.read() as log:
        assert (log.contact("k1").channel, log.contact("k1").reason, log.contact("k2").channel) == (
            "phoen", "balanse", "phone",
        )  # fmt: skip
    assert {(one.part, one.word, one.times, one.nearest) for one in report.unknown_words} == {
        ("channel", "phoen", 1, "phone"),
        ("reason", "balanse", 1, "balance"),
    }


@pytest.mark.parametrize("column", [*DELIVERED_FLAGS, "consent_marketing"])
@pytest.mark.parametrize(
    "later", ["customer_id,segment\nc1,gold\n", "customer_id,{}\nc1,\n", "customer_id,{}\nc1,N/A\n"]
)
def test_a_row_that_does_not_say_what_could_not_be_read_frees_nobody(
    importer: Importer, column: str, later: str
) -> None:
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,{column}\nc1,yess\n")
    importer.run()
    importer.write(customers=later.format(column))
    importer.run(clock=lambda: NOW + timedelta(days=1))
    assert flags(importer) == {UNREADABLE}
    importer.write(customers=f"customer_id,{column}\nc1,no\n")
    importer.run(clock=lambda: NOW + timedelta(days=2))
    assert flags(importer) == frozenset()


@pytest.mark.parametrize("flag", DELIVERED_FLAGS)
def test_an_empty_cell_says_nothing_of_a_flag(importer: Importer, flag: str) -> None:
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,{flag}\nc1,Y\n")
    importer.run()
    importer.write(customers=f"customer_id,{flag}\nc1,\n")
    importer.run(clock=lambda: NOW + timedelta(days=1))
    assert flags(importer) == {flag}


def test_a_consent_dated_in_the_future_never_beats_a_live_withdrawal(importer: Importer) -> None:
    content = "customer_id,consent_marketing,consents_as_of\nc1,yes,2099-01-01\n"
    importer.write(interactions=INTERACTIONS, customers=content)
    importer.run()
    with importer.database.transaction() as log:
        at = NOW + timedelta(hours=1)
        log.set_protection("c1", "marketing", Statement("marketing", False, at, at, "api"))
    importer.run(clock=lambda: NOW + timedelta(days=1))
    assert consents(importer).marketing is False


@pytest.mark.parametrize(("one", "other"), [("D8", "d8"), ("D8", "D-8"), ("D8", "D 8"), ("007", "7"), ("A7", "a7")])
@pytest.mark.parametrize("said", ["Y,yes", "N,no"])
@pytest.mark.parametrize("together", [True, False])
def test_whoever_looks_like_somebody_protected_is_held_until_a_person_has_looked(
    importer: Importer, one: str, other: str, said: str, together: bool
) -> None:
    header = "customer_id,do_not_contact,consent_marketing\n"
    first, twin = f"{one},{said}\n", f"{other},N,yes\n"
    importer.write(interactions=INTERACTIONS, customers=header + first + (twin if together else ""))
    importer.run()
    importer.write(customers=header + twin)
    importer.run(clock=lambda: NOW + timedelta(days=1))
    assert flags(importer, other) == {UNREADABLE}
    with importer.database.transaction() as log:
        at = NOW + timedelta(days=2)
        log.set_protection(other, UNREADABLE, Statement(UNREADABLE, False, at, at, "agent", "a1", "another person"))
    importer.run(clock=lambda: NOW + timedelta(days=3))
    assert flags(importer, other) == frozenset()


def test_two_alike_of_whom_nobody_is_protected_are_left_alone(importer: Importer) -> None:
    header = "customer_id,do_not_contact,consent_marketing\n"
    importer.write(interactions=INTERACTIONS, customers=header + "D8,N,yes\nd8,N,yes\n")
    importer.run()
    assert flags(importer, "D8") == flags(importer, "d8") == frozenset()


@pytest.mark.parametrize("row", ["c2,Y,yes\n", "c2,N,no\n", "c2,perhaps,yes\n"])
def test_replacing_everything_keeps_what_protects_whoever_left(importer: Importer, row: str) -> None:
    header = "customer_id,do_not_contact,consent_marketing\n"
    importer.write(interactions=INTERACTIONS, customers=header + "c1,N,yes\n" + row)
    importer.run()
    importer.write(customers=header + "c1,N,yes\n")
    importer.run(replace=True, clock=lambda: NOW + timedelta(days=1))
    assert flags(importer, "c2") or consents(importer, "c2").marketing is False


UNKNOWN_HEADERS = [
    "HasOptedOutOfEmail", "contactable", "blacklisted", "black_list", "blocklist", "MarketingOptOut", "nocontact",
    "contact_ban", "no_calls", "no_sales", "not_to_be_contacted", "robinson", "can_contact", "may_contact",
    "allow_contact", "call_allowed", "marketing_allowed", "allow_marketing", "accepts_marketing", "agreed_marketing",
    "newsletter", "dnm", "禁呼", "禁呼名单", "营销许可", "允许营销", "不接电话", "敏感客户", "特殊人群", "hardship",
    "werbesperre",
]  # fmt: skip


@pytest.mark.parametrize("header", UNKNOWN_HEADERS)
def test_a_column_that_sounds_protective_and_is_not_known_is_refused(importer: Importer, header: str) -> None:
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,{header}\nc1,Y\n")
    with pytest.raises(ImportInvalid, match="seems to protect"):
        importer.run()


@pytest.mark.parametrize("header", ["DoNotCall", "doNotContact", "DO NOT CONTACT", "Do-Not-Market", "OptOut", "免打扰"])
def test_a_flag_is_known_by_its_header_in_any_case(importer: Importer, header: str) -> None:
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,{header}\nc1,Y\n")
    importer.run()
    assert flags(importer) == {"do_not_contact"}


@pytest.mark.parametrize("header", ["Reason", "REASON", "contact_reason", "Call Type", "callReason", "来电原因"])
def test_a_complaint_is_found_however_its_column_is_called(importer: Importer, header: str) -> None:
    content = f"Contact ID,Customer_Id,Opened At,{header}\nk1,c1,2026-02-27,投 诉\n"
    importer.write(interactions=INTERACTIONS, contacts=content)
    importer.run()
    with importer.database.read() as log:
        assert log.customer_and_complaint("c1")[1] is not None


def test_none_in_a_consent_can_be_meant_both_ways_and_holds(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, customers="customer_id,consent_marketing\nc1,none\n")
    importer.run()
    assert flags(importer) == {UNREADABLE}

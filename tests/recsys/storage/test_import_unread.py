"""Nothing that may protect somebody is dropped in silence: no file, no column, no word in a column."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.domain.errors import ImportInvalid
from recsys.domain.stems import looks_protective
from recsys.domain.vocabulary import COMPLAINT, NEEDS
from recsys.storage.database import open_database
from recsys.storage.import_mapping import parse_ignored, parse_mapping
from tests.recsys.storage.importing import INTERACTIONS, Importer
from tests.recsys.storage.test_import_protection import flags

DNC = "customer_id,do_not_contact\nc1,yes\n"


@pytest.fixture
def one_importer(sqlite_url: str, tmp_path: Path) -> Iterator[Importer]:
    """Imports into SQLite alone, for tests by generation."""
    database = open_database(sqlite_url)
    yield Importer(database, tmp_path / "bank")
    database.close()


@pytest.mark.parametrize(
    "name", ["Customers.csv", "CUSTOMERS.CSV", "customers.CSV", "Customers.Csv.Gz", "customers.csv.GZ"]
)
def test_a_table_is_found_whatever_the_case_of_its_name(one_importer: Importer, name: str) -> None:
    one_importer.write(Interactions=INTERACTIONS)
    raw = DNC.encode()
    (one_importer.directory / name).write_bytes(gzip.compress(raw) if name.lower().endswith("gz") else raw)
    report = one_importer.run()
    assert flags(one_importer) == {"do_not_contact"}
    assert report.problems == report.unread_files == []


def test_two_files_of_one_table_are_refused(one_importer: Importer) -> None:
    one_importer.write(interactions=INTERACTIONS, customers=DNC, Customers=DNC)
    with pytest.raises(ImportInvalid, match=r"Customers\.csv and customers\.csv"):
        one_importer.run()


TABLES = [
    *(f"customers.{ending}" for ending in ("tsv", "txt", "csv.zip", "xlsx", "parquet.zst", "json", "CSV.bz2", "bak")),
    "customers (1).csv", "customer.csv", "kunden.csv", "consents.csv", "dnc.csv", "optouts.csv", "dnc", "CRM.XLSX",
]  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_nothing_reads_is_a_problem_until_it_is_said_not_to_be_meant(
    one_importer: Importer, name: str
) -> None:
    one_importer.write(interactions=INTERACTIONS)
    (one_importer.directory / name).write_text(DNC)
    (one_importer.directory / "about.md").write_text("What this is.")
    report = one_importer.run()
    assert report.unread_files == sorted(["about.md", name])
    (problem,) = report.problems
    assert name in problem
    assert "ignore: [" in problem
    for ignored in (name, name.upper(), f"{name[:3]}*"):
        report = one_importer.run(ignored=parse_ignored({"ignore": [ignored]}))
        assert (report.problems, report.unread_files) == ([], sorted(["about.md", name]))


def test_files_that_a_query_or_a_mapping_names_are_read(one_importer: Importer) -> None:
    one_importer.write(interactions=INTERACTIONS, kunden=DNC, calls="k,c,t\nk1,c1,2026-01-01\n")
    query = "SELECT k AS contact_id, c AS customer_id, t AS opened_at FROM calls"
    report = one_importer.run(
        mapping=parse_mapping({"customers": {"file": "kunden.csv"}, "contacts": {"query": query}})
    )
    assert (report.problems, report.unread_files) == ([], [])


@pytest.mark.parametrize("ignored", ["customers.csv", {"a": 1}, [1], [""]])
def test_what_is_not_meant_is_a_list_of_names(ignored: object) -> None:
    with pytest.raises(ImportInvalid, match="must be a list of files"):
        parse_ignored({"ignore": ignored})


HEADERS = [
    "DND", "TPS", "D.N.C.", "DNCFLAG", "mkt_ok", "OkToCall", "no_offers", "excluded", "restricted", "withdrawn",
    "agreed", "vuln", "delinquency", "dpd", "overdue_days", "is_overdue_flag", "is_dead", "nicht_anrufen",
    "Einwilligung", "Werbung erlaubt", "Widerspruch", "no_llamar", "consenso", "toestemming", "ne pas appeler",
    "согласие", "не звонить", "수신거부", "연체", "勧誘拒否", "延滞", "免扰", "拒呼", "催收",
    "已故", "未成年", "請勿聯絡", "授權",
    "黑名單", "NoSolicit", "cease_contact", "keine Werbung", "mora", "moroso", "拒访", "欠息", "Beschwerde", "客诉标志",
    "is_complaint", "plainte", "жалоба", "samtycke", "souhlas", "zgoda", "συγκατάθεση", "décédé", "impagos",
]  # fmt: skip
HARMLESS = [
    "age", "monthly_income", "tenure_months", "city", "branch_code", "avg_balance_3m", "products", "Gewerbe",
    "Bewerbung",
    "employment_status", "education", "postcode", "has_mortgage", "card_type", "credit_limit", "risk_score", "app_user",
    "withdrawals_30d", "agreement_id", "default_channel", "notes", "technology", "collection_count", "memory", "moral",
    "account_number", "optical", "job", "marital", "poutcome", "previous", "campaign", "pdays", "emp.var.rate", "年龄",
    "收入", "城市", "职业", "余额", "网点", "学历", "是否持卡", "最近登录", "权重", "贷款金额", "婚姻",
    "客户等级", "city_block",
]  # fmt: skip


@pytest.mark.parametrize("way", [str, str.upper, str.title, lambda one: f"cust_{one}", lambda one: f"{one} 2"])
def test_headers_that_sound_protective_are_told_from_others(way: object) -> None:
    assert callable(way)
    assert [one for one in HEADERS if not looks_protective(way(one))] == []
    assert [one for one in HARMLESS if looks_protective(way(one))] == []


@pytest.mark.parametrize("table", ["customers", "contacts", "interactions"])
@pytest.mark.parametrize("header", HEADERS[::9])
def test_the_way_out_of_a_protective_header_fits_its_table(one_importer: Importer, table: str, header: str) -> None:
    files = {
        "customers": f'customer_id,"{header}"\nc1,no\n',
        "contacts": f'contact_id,customer_id,opened_at,"{header}"\nk1,c1,2026-01-01,no\n',
        "interactions": f'customer_id,offer_id,occurred_at,"{header}"\nc1,card,2026-01-01,no\n',
    }
    one_importer.write(**{"interactions": INTERACTIONS, table: files[table]})
    with pytest.raises(ImportInvalid, match="seems to protect") as refused:
        one_importer.run()
    assert ("customers: {columns" in str(refused.value)) is (table == "customers")
    assert f"{table}: {{types: {{{header}: text}}}}" in str(refused.value)
    one_importer.run(mapping=parse_mapping({table: {"types": {header: "text"}}}))


COLUMNS = (
    "topic", "category", "subject", "intent", "contact_type", "purpose", "disposition", "wrap_up_code", "reason_text",
    "contact_reason_code", "ReasonForContact", "Grund", "motif", "工单类型", "业务类型", "来电目的",
)  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_a_complaint_in_a_column_that_nothing_reads_is_refused(one_importer: Importer, column: str) -> None:
    words = NEEDS[COMPLAINT].spellings
    word = words[COLUMNS.index(column) * 3 % len(words)]
    rows = f"k1,c1,2026-01-01,fees\nk2,c2,2026-01-01,about the {word} of May\n"
    one_importer.write(interactions=INTERACTIONS, contacts=f"contact_id,customer_id,opened_at,{column}\n{rows}")
    before = one_importer.everything()
    with pytest.raises(ImportInvalid, match=rf"line 3: column {column}.*columns: {{reason: {column}}}"):
        one_importer.run()
    assert one_importer.everything() == before
    one_importer.run(mapping=parse_mapping({"contacts": {"columns": {"reason": column}}}))
    with one_importer.database.read() as log:
        assert [log.customer_and_complaint(one)[1] is not None for one in ("c1", "c2")] == [False, True]


def test_a_complaint_beside_the_reason_or_in_interactions_is_refused_too(one_importer: Importer) -> None:
    contacts = "contact_id,customer_id,opened_at,reason,topic\nk1,c1,2026-01-01,fees,投诉\n"
    one_importer.write(interactions=INTERACTIONS, contacts=contacts)
    with pytest.raises(ImportInvalid, match="by a query"):
        one_importer.run()
    report = one_importer.run(mapping=parse_mapping({"contacts": {"types": {"topic": "text"}}}))
    assert "contacts.csv: nothing reads topic." in report.notices
    rows = "customer_id,offer_id,occurred_at,note\nc1,card,2026-01-01,Kundenbeschwerde\n"
    one_importer.write(interactions=rows, contacts="contact_id,customer_id,opened_at\n")
    with pytest.raises(ImportInvalid, match="from contacts alone"):
        one_importer.run()


def test_unused_columns_and_new_attributes_are_named(one_importer: Importer) -> None:
    rows = "customer_id,offer_id,occurred_at,note\nc1,card,2026-01-01,well\n"
    one_importer.write(interactions=rows, customers="customer_id,age,shoe size\nc1,30,44\n")
    told = one_importer.run().notices
    assert "New attributes of customers: age, shoe size." in told
    assert "interactions.csv: nothing reads note." in told
    assert "New attributes" not in " ".join(one_importer.run().notices)


@pytest.mark.parametrize(
    ("table", "content", "constant"),
    [
        ("customers", "customer_id,do_not_contact\nc1,yes\n", {"do_not_contact": "no"}),
        ("customers", "customer_id,DNC\nc1,yes\n", {"do_not_contact": "no"}),
        ("customers", "customer_id,age\nc1,3\n", {"age": 4}),
        ("contacts", "contact_id,customer_id,opened_at,reason\nk,c1,2026-01-01,complaint\n", {"reason": "fees"}),
        ("interactions", "customer_id,offer_id,occurred_at,event\nc1,card,2026-01-01,declined\n", {"event": "view"}),
    ],
)
def test_a_constant_never_replaces_what_the_file_says(
    one_importer: Importer, table: str, content: str, constant: dict[str, object]
) -> None:
    one_importer.write(**{"interactions": INTERACTIONS, table: content})
    with pytest.raises(ImportInvalid, match="constants"):
        one_importer.run(mapping=parse_mapping({table: {"constants": constant}}))

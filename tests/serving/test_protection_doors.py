"""Every protection, in every spelling, through every door, in a row good or bad: nobody who is protected is sold to."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from recsys.domain.clock import system_clock
from recsys.domain.offer import OfferKind
from recsys.domain.protection import CONSENT_COLUMNS, DELIVERED_FLAGS, Purpose
from recsys.domain.vocabulary import _CONSENTED, _REFUSED, COMPLAINT, FALSE_WORDS, NEEDS, TRUE_WORDS
from recsys.storage import import_protections
from recsys.storage.import_directory import ImportOptions, import_directory
from serving.cli.imported_offers import next_catalogue
from tests.builders import NOW

OFFERS = (
    "offer_id,title_en,kind,family,intents\nloan,Loan,product,loan,\npartner,Cover,partner,cover,\n"
    "stay,Stay,retention,stay,\nhelp,Help,service,help,complaint|travel\n"
)
YESTERDAY = (system_clock() - timedelta(days=1)).isoformat()
COMPLAINTS = (COMPLAINT, *NEEDS[COMPLAINT].spellings, *NEEDS[COMPLAINT].label)
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
COLUMNS = ("customer_id", "risk_level", *DELIVERED_FLAGS, *CONSENT_COLUMNS, "age")
BAD = {"risk_level": "9", "age": "103A"}
"""Cells that reject a row and have nothing to do with protection: a level out of range, no number among numbers."""


@dataclass(frozen=True, slots=True)
class Case:
    """One protected customer: what of them protects, in which word, and the cell that spoils their row, if one does."""

    customer_id: str
    column: str
    word: str
    spoilt: str | None

    def row(self) -> dict[str, str]:
        """Return the row of customers, in which all but the one cell lets anything be sold."""
        free = {"customer_id": self.customer_id, "risk_level": "5", "age": "40"}
        free |= dict.fromkeys(DELIVERED_FLAGS, "no") | dict.fromkeys(CONSENT_COLUMNS, "yes")
        return free | ({self.column: self.word} if self.column in COLUMNS else {}) | self._spoilt()

    def _spoilt(self) -> dict[str, str]:
        return {self.spoilt: BAD[self.spoilt]} if self.spoilt in BAD else {}


def ways(word: str) -> list[str]:
    """Return the ways in which files write one word."""
    return list(dict.fromkeys([word, word.upper(), word.title(), f" {word}\u3000", word.translate(WIDE)]))


def spellings() -> Iterator[tuple[str, str]]:
    """Yield every protective column with every word that protects, and words that nobody can read."""
    for flag in DELIVERED_FLAGS:
        yield from ((flag, way) for word in (*TRUE_WORDS, "1.0", "perhaps", "2", "?") for way in ways(word))
    refusals = (*FALSE_WORDS, *_REFUSED, "0.0", "perhaps", "2", "?")
    for column in CONSENT_COLUMNS:
        if CONSENT_COLUMNS[column] is not Purpose.PROFILING:
            yield from ((column, way) for word in refusals for way in ways(word))
    yield from (("reason", way) for word in COMPLAINTS for way in ways(word))
    yield from (
        ("reason", f"{before}{word}{behind}") for word in COMPLAINTS for before, behind in (("re ", "　理财亏损"),)
    )


def cases() -> list[Case]:
    """Return a customer for each protection, spelling, and kind of row; few ages are spoilt, else all are text."""
    pairs = list(dict.fromkeys(spellings()))
    rows: list[tuple[str, str, str | None]] = [(*pair, spoilt) for pair in pairs for spoilt in (None, "risk_level")]
    rows += [(*pair, "age") for pair in pairs[::60]]
    return [Case(f"P{number}", *row) for number, row in enumerate(rows)]


CASES = cases()
_FREE = [
    *(("do_not_contact", word) for word in ("", *FALSE_WORDS, "0.0")),
    *(("consent_marketing", word) for word in (*TRUE_WORDS, *_CONSENTED)),
    *(("reason", word) for word in ("travel", "card lost", "")),
]
FREE = [Case(f"F{number}", column, word, None) for number, (column, word) in enumerate(_FREE)]
"""Customers whom nothing protects: else a test in which nobody is ever sold to would pass."""


def tables() -> dict[str, list[dict[str, str]]]:
    """Return the tables of an import of all of them; a complaint whose contact's row is spoilt has no readable time."""
    everybody = [*CASES, *FREE]
    called = [one for one in everybody if one.column == "reason"]
    return {
        "customers": [one.row() for one in everybody],
        "contacts": [
            {
                "contact_id": f"k-{one.customer_id}",
                "customer_id": one.customer_id,
                "opened_at": YESTERDAY if one.spoilt is None else "soon",
                "reason": one.word,
            }
            for one in called
        ],
        "interactions": [
            {"customer_id": one.customer_id, "offer_id": "seen", "occurred_at": "2026-01-01", "event": "view"}
            for one in everybody
        ],
    }


def write_csv(rows: list[dict[str, str]], path: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.with_suffix(".csv").write_text(text.getvalue(), encoding="utf-8")


def write_parquet(rows: list[dict[str, str]], path: Path) -> None:
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]}
    pq.write_table(pa.table(columns), path.with_suffix(".parquet"))


def imported(api: TestClient, folder: Path, write: Callable[[list[dict[str, str]], Path], None]) -> Any:
    """Import all of them into the service's event log."""
    folder.mkdir()
    for name, rows in tables().items():
        write(rows, folder / name)
    (folder / "offers.csv").write_text(OFFERS, encoding="utf-8")
    database = api.app.state.services.database  # type: ignore[attr-defined]
    options = ImportOptions(build_catalogue=next_catalogue, clock=lambda: NOW, most_rejected=1.0)
    return import_directory(database, folder, options)


def sold_to(api: TestClient, customer_id: str) -> set[str]:
    """Return the kinds of sales on the first list of a new contact, which is closed again."""
    body = {"customer_id": customer_id, "channel": "phone", "agent_id": "a1"}
    answer = api.post("/v1/contacts", json=body)
    assert answer.status_code == 201, answer.text
    view = answer.json()
    api.post(f"/v1/contacts/{view['contact']['contact_id']}/close", json={"csat": 5})
    return {offer["kind"] for offer in view["decision"]["offers"] if OfferKind(offer["kind"]).is_sale}


def wrongly_sold(api: TestClient, chosen: list[Case]) -> list[Case]:
    """Return who of them was offered what their protection forbids."""
    partner_alone = "consent_partner"
    return [
        one
        for one in chosen
        if (sales := sold_to(api, one.customer_id))
        and (one.column != partner_alone or one.spoilt is not None or OfferKind.PARTNER in sales)
    ]


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_nobody_protected_is_sold_to_however_files_say_it(
    empty_api: TestClient, tmp_path: Path, write: Callable[[list[dict[str, str]], Path], None]
) -> None:
    imported(empty_api, tmp_path / "bank", write)
    assert wrongly_sold(empty_api, CASES) == []
    assert all(sold_to(empty_api, one.customer_id) for one in FREE)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_without_the_rule_that_a_rejected_row_holds_people_are_sold_to(
    empty_api: TestClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[list[dict[str, str]], Path], None],
) -> None:
    monkeypatch.setattr(import_protections, "held_by", lambda *_: None)
    imported(empty_api, tmp_path / "bank", write)
    spoilt = [one for one in CASES if one.spoilt is not None][::20]
    assert len(wrongly_sold(empty_api, spoilt)) > 0.5 * len(spoilt)


TYPED: dict[str, list[Any]] = {
    "bool": [True], "float64": [1.0], "int64": [1], "float32": [1.0], "int8": [1], "string": ["Y"],
    "dictionary": ["yes"],
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPED)
def test_flags_protect_in_whatever_type_a_parquet_file_has_them(
    empty_api: TestClient, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "bank"
    folder.mkdir()
    values = pa.array(TYPED[kind] * len(DELIVERED_FLAGS))
    values = values.dictionary_encode() if kind == "dictionary" else values.cast("bool" if kind == "bool" else kind)
    nobody = pa.nulls(len(values), values.type)
    ids = pa.array([float(7 + place) for place in range(len(DELIVERED_FLAGS))])
    table = {"customer_id": ids, "consent_marketing": pa.array([1.0] * len(values))}
    for place, flag in enumerate(DELIVERED_FLAGS):
        table[flag] = pa.array([one if row == place else no for row, (one, no) in enumerate(
            zip(values.to_pylist(), nobody.to_pylist(), strict=True))], values.type)  # fmt: skip
    pq.write_table(pa.table(table), folder / "customers.parquet")
    (folder / "interactions.csv").write_text("customer_id,offer_id,occurred_at\n7,loan,2026-01-01\n", encoding="utf-8")
    (folder / "offers.csv").write_text(OFFERS, encoding="utf-8")
    database = empty_api.app.state.services.database  # type: ignore[attr-defined]
    import_directory(database, folder, ImportOptions(build_catalogue=next_catalogue, clock=lambda: NOW))
    assert [sold_to(empty_api, str(7 + place)) for place in range(len(DELIVERED_FLAGS))] == [set()] * len(values)


SAME_ID = ["P7 ", " P7", "P7\u3000", "\u00a0P7", "\ufeffP7", "P7\u200b", "\uff30\uff17", "P\uff17", "\tP7"]
ALIKE = ["p7", "P-7", "P 7", "p_7", "\uff50\uff17"]


@pytest.mark.parametrize("flag", DELIVERED_FLAGS)
def test_a_protected_customer_is_known_by_every_spelling_of_their_id(api: TestClient, flag: str) -> None:
    assert api.post("/v1/contacts", json={"customer_id": "P7", "channel": "phone"}).status_code == 201
    assert api.post("/v1/customers/P7/flags", json={"flag": flag, "value": True, "why": "asked"}).status_code == 201
    for spelt in SAME_ID + ALIKE:
        answer = api.post("/v1/contacts", json={"customer_id": spelt, "channel": "phone", "agent_id": "a1"}).json()
        assert (answer["customer"]["customer_id"] == "P7") == (spelt in SAME_ID), ascii(spelt)
        assert [one for one in answer["decision"]["offers"] if one["kind"] != "service"] == [], ascii(spelt)


@pytest.mark.parametrize("flag", DELIVERED_FLAGS)
def test_a_flag_that_is_set_over_the_api_stops_sales_and_a_file_without_a_date_does_not_end_it(
    empty_api: TestClient, tmp_path: Path, flag: str
) -> None:
    imported(empty_api, tmp_path / "bank", write_csv)
    free = FREE[0].customer_id
    assert sold_to(empty_api, free)
    body = {"flag": flag, "value": True, "why": "asked on the phone"}
    assert empty_api.post(f"/v1/customers/{free}/flags", json=body).status_code == 201
    imported(empty_api, tmp_path / "again", write_csv)
    assert sold_to(empty_api, free) == set()


def test_a_withdrawal_over_the_api_is_not_undone_by_a_file_without_a_date(
    empty_api: TestClient, tmp_path: Path
) -> None:
    imported(empty_api, tmp_path / "bank", write_csv)
    free = FREE[0].customer_id
    body = {"purpose": "marketing", "granted": False}
    assert empty_api.post(f"/v1/customers/{free}/consents", json=body).status_code == 201
    imported(empty_api, tmp_path / "again", partial(write_csv))
    assert sold_to(empty_api, free) == set()


@pytest.mark.parametrize("door", ["reason", "intent", "continued"])
def test_a_complaint_stops_sales_however_a_desktop_says_it(api: TestClient, door: str) -> None:
    for number, word in enumerate(dict.fromkeys(way for one in COMPLAINTS for way in ways(one))):
        body: dict[str, Any] = {"customer_id": f"c{number}", "channel": "phone", "agent_id": "a1"}
        if door == "intent":
            contact = api.post("/v1/contacts", json=body).json()["contact"]["contact_id"]
            event = {"type": "intent", "intent": word, "confidence": 0.9}
            decision = api.post(f"/v1/contacts/{contact}/events", json=event).json()
        else:
            view = api.post("/v1/contacts", json={**body, "reason": word}).json()
            if door == "continued":
                api.post(f"/v1/contacts/{view['contact']['contact_id']}/close", json={})
                view = api.post("/v1/contacts", json=body).json()
            decision = view["decision"]
        assert [one for one in decision["offers"] if one["kind"] != "service"] == [], word


def test_the_table_is_as_long_as_it_says() -> None:
    assert len(CASES) > 1_500
    assert {one.column for one in CASES} == {*DELIVERED_FLAGS, "consent_marketing", "consent_partner", "reason"}

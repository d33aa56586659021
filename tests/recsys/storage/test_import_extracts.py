"""Monthly extracts: however files are cut and in whatever order they come, the log says who held what since when."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from recsys.domain.errors import ImportInvalid
from recsys.storage.database import Database, open_database
from recsys.storage.extracts import CHANNEL
from recsys.storage.holdings import TRACES
from recsys.storage.import_directory import ImportReport
from recsys.storage.import_mapping import parse_mapping
from recsys.storage.schema import interactions
from tests.recsys.storage.importing import Importer
from tests.recsys.storage.test_decision_log import a_record, an_outcome

Pair = tuple[str, str]
Stock = Mapping[date, set[Pair]]
"""What is held on each date."""
Row = tuple[str, str, str, str]

DECLARED = parse_mapping({"interactions": {"extract": True}})
MONTHS = [date(2025, month, 28) for month in range(1, 9)]


def in_log(database: Database) -> list[Row]:
    """Return customer, offer, day and kind of every interaction but the traces of extracts."""
    rows = [row for row in all_rows(database) if row["weight"] > 0]
    return sorted((row["customer_id"], row["offer_id"], f"{row['occurred_at']:%Y-%m-%d}", row["kind"]) for row in rows)


def all_rows(database: Database) -> list[Mapping[str, Any]]:
    """Return all interactions of the log."""
    names = [column.name for column in interactions.columns]
    with database.read() as log:
        rows = [row for batch in log.batches(select(interactions), 1000) for row in batch]
    return [dict(zip(names, row, strict=True)) for row in rows]


def truth(stock: Stock) -> list[Row]:
    """Return the rows that say what is held at every date and nothing twice."""
    rows: list[Row] = []
    before: set[Pair] = set()
    for day in sorted(stock):
        rows += [(*pair, f"{day}", "holding") for pair in stock[day] - before]
        rows += [(*pair, f"{day}", "cancelled") for pair in before - stock[day]]
        before = stock[day]
    return sorted(rows)


def as_file(stock: Stock, days: Iterable[date], event: str = "") -> str:
    """Return interactions.csv of these dates; without an `event` the file has no such column."""
    rows = [(*pair, f"{day}", *([event] if event else [])) for day in days for pair in sorted(stock[day])]
    header = ("customer_id", "offer_id", "occurred_at", *(["event"] if event else []))
    return "\n".join(map(",".join, [header, *rows])) + "\n"


def a_bank(rng: np.random.Generator, pairs: int, ends: float, begins: float, months: int = 6) -> Stock:
    """A bank of which a share `ends` of what is held ends every month, and a share `begins` of the others begins."""
    every = [(f"c{number // 4}", f"o{number % 4}") for number in range(pairs)]
    held = rng.random(pairs) < 0.6
    stock = {}
    for day in MONTHS[:months]:
        stock[day] = {pair for pair, is_held in zip(every, held, strict=True) if is_held}
        held = np.where(held, rng.random(pairs) >= ends, rng.random(pairs) < begins)
    return stock


@pytest.fixture(name="bank")
def _bank(importer: Importer) -> Importer:
    return importer


def give(bank: Importer, content: str, **options: object) -> ImportReport:
    bank.write(interactions=content)
    return bank.run(**options)


@pytest.mark.parametrize("event", ["", "holding"])
def test_an_extract_is_recognised_and_becomes_holdings_from_their_first_date(bank: Importer, event: str) -> None:
    stock = a_bank(np.random.default_rng(1), 200, ends=0.1, begins=0.05)
    report = give(bank, as_file(stock, stock, event))
    found = report.extracts["interactions.csv"]
    assert (found.how, found.dates, found.first_unknown) == ("recognised", 6, len(stock[MONTHS[0]]))
    assert found.rows == sum(map(len, stock.values()))
    expected = truth(stock)
    assert (found.holdings, found.ended) == tuple(
        sum(row[3] == kind for row in expected) for kind in ("holding", "cancelled")
    )
    assert in_log(bank.database) == expected


def test_importing_the_same_extract_again_changes_nothing(bank: Importer) -> None:
    stock = a_bank(np.random.default_rng(2), 200, ends=0.1, begins=0.05)
    give(bank, as_file(stock, stock))
    before = bank.everything()["interactions"]
    report = give(bank, as_file(stock, stock))
    file = report.files["interactions.csv"]
    assert (file.added, file.already_there) == (0, file.read)
    assert bank.everything()["interactions"] == before


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2, 1, 0, 3)])
def test_monthly_files_in_any_order_are_recognised_by_the_log(bank: Importer, order: tuple[int, ...]) -> None:
    stock = a_bank(np.random.default_rng(3), 400, ends=0.05, begins=0.03, months=4)
    for place, month in enumerate(order):
        report = give(bank, as_file(stock, [MONTHS[month]]))
        assert bool(report.extracts) == (place > 0)
    assert in_log(bank.database) == truth(stock)


@pytest.mark.parametrize("seed", range(60))
def test_any_mixture_of_files_in_any_order_says_what_is_true(
    seed: int, sqlite_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rng = np.random.default_rng(seed)
    url = request.getfixturevalue("postgresql_url") if seed < 4 else sqlite_url
    bank = Importer(open_database(url), tmp_path / "bank")
    stock = a_bank(rng, 24, ends=rng.uniform(0.1, 0.6), begins=rng.uniform(0.1, 0.6), months=int(rng.integers(2, 8)))
    days = list(stock)
    stock[rng.choice(np.array(days, dtype=object))].update([("c0", "o0")])
    unseen = list(days)
    while unseen:
        cut = sorted(rng.choice(np.array(days, dtype=object), int(rng.integers(1, len(days) + 1)), replace=False))
        if all(stock[day] for day in cut):
            give(bank, as_file(stock, cut, event=str(rng.choice(["", "holding"]))), mapping=DECLARED)
        unseen = [day for day in unseen if day not in cut and stock[day]]
    try:
        assert in_log(bank.database) == truth({day: held for day, held in stock.items() if held})
    finally:
        bank.database.close()


def truth_with_events(stock: Stock, events: list[Row]) -> list[Row]:
    """The same, going through everything in time order, one pair after the other."""
    rows: list[Row] = []
    for pair in {pair for held in stock.values() for pair in held} | {(row[0], row[1]) for row in events}:
        points = [(f"{day}", "stock") for day in stock]
        points += [(row[2], row[3]) for row in events if row[:2] == pair]
        is_held = False
        for day, what in sorted(points):
            now = pair in stock[date.fromisoformat(day)] if what == "stock" else what == "holding"
            if now != is_held:
                rows.append((*pair, day, "holding" if now else "cancelled"))
            elif what == "cancelled":
                rows.append((*pair, day, what))
            is_held = now
    return sorted(rows)


@pytest.mark.parametrize("seed", range(40))
def test_events_between_extracts_count_when_they_come_as_they_happen(
    seed: int, sqlite_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rng = np.random.default_rng(1_000 + seed)
    url = request.getfixturevalue("postgresql_url") if seed < 4 else sqlite_url
    bank = Importer(open_database(url), tmp_path / "bank")
    stock = a_bank(rng, 24, ends=0.3, begins=0.3, months=int(rng.integers(1, 5)))
    days = [date(2025, 1, 1) + timedelta(int(day)) for day in np.sort(rng.choice(200, 30, replace=False))]
    events = [
        (f"c{rng.integers(6)}", f"o{rng.integers(4)}", f"{day}", str(kind))
        for day, kind in zip(days, rng.choice(["holding", "cancelled"], 30), strict=True)
        if day not in stock
    ]
    since = "2000"
    for until in [*map(str, stock), "2999"]:
        part = [row for row in events if since < row[2] < until]
        since = until
        give(bank, "customer_id,offer_id,occurred_at,event\n" + "".join(",".join(row) + "\n" for row in part))
        if until < "2999":
            give(bank, as_file(stock, [date.fromisoformat(until)]), mapping=DECLARED)
    try:
        assert in_log(bank.database) == truth_with_events(stock, events)
    finally:
        bank.database.close()


def test_purchases_are_no_extract_also_where_some_buy_again_and_again(bank: Importer) -> None:
    rng = np.random.default_rng(5)
    rows = "".join(
        f"c{rng.integers(60)},o{rng.integers(4)},{date(2025, 1, 1) + timedelta(int(rng.integers(120)))}\n"
        for _ in range(2_000)
    )
    report = give(bank, "customer_id,offer_id,occurred_at\n" + rows)
    assert not report.extracts
    assert report.files["interactions.csv"].added == 2_000


def test_a_mapping_may_say_that_repeated_rows_are_events(bank: Importer) -> None:
    stock = a_bank(np.random.default_rng(6), 100, ends=0.1, begins=0.05, months=3)
    events = parse_mapping({"interactions": {"extract": False}})
    report = give(bank, as_file(stock, stock), mapping=events)
    assert report.files["interactions.csv"].added == sum(map(len, stock.values()))


def test_repeated_holdings_are_one_also_where_nothing_is_known_to_be_complete(bank: Importer) -> None:
    rows = "a,x,2025-01-31,holding\na,x,2025-02-28,holding\na,x,2025-03-05,cancelled\na,x,2025-04-30,holding\n"
    give(bank, "customer_id,offer_id,occurred_at,event\n" + rows)
    kinds = [(row[2], row[3]) for row in in_log(bank.database)]
    assert kinds == [("2025-01-31", "holding"), ("2025-03-05", "cancelled"), ("2025-04-30", "holding")]


def test_a_file_that_lacks_much_is_not_taken_for_complete_and_that_is_said(bank: Importer) -> None:
    stock = a_bank(np.random.default_rng(7), 200, ends=0.0, begins=0.0, months=2)
    first, second = stock
    stock = {first: stock[first], second: set(sorted(stock[second])[::2])}
    give(bank, as_file(stock, [first]))
    report = give(bank, as_file(stock, [second], "holding"))
    assert not report.extracts
    assert any("not taken for complete" in notice for notice in report.notices)
    assert {row[3] for row in in_log(bank.database)} == {"accepted"}


def test_the_plan_says_that_a_file_is_an_extract_and_saves_nothing(bank: Importer) -> None:
    stock = a_bank(np.random.default_rng(8), 100, ends=0.1, begins=0.0)
    assert give(bank, as_file(stock, stock), plan=True).extracts["interactions.csv"].how == "recognised"
    assert in_log(bank.database) == []


def test_replacing_everything_forgets_earlier_extracts(bank: Importer) -> None:
    stock = a_bank(np.random.default_rng(9), 200, ends=0.1, begins=0.05)
    give(bank, as_file(stock, stock))
    later = {day: stock[day] for day in list(stock)[3:]}
    give(bank, as_file(later, later), replace=True)
    assert in_log(bank.database) == truth(later)


def test_who_cannot_be_read_holds_on(bank: Importer) -> None:
    """A row that was rejected may have said that it is held: nothing of that customer ends, and nobody is freed."""
    stock = a_bank(np.random.default_rng(10), 200, ends=0.0, begins=0.0, months=2)
    first, second = stock
    customer, offer = min(stock[first])
    content = as_file(stock, stock).replace(f"{customer},{offer},{second}", f"{customer},{offer},soon")
    report = give(bank, content, most_rejected=1.0)
    assert report.held == 1
    assert in_log(bank.database) == truth({first: stock[first]})
    with bank.database.read() as log:
        assert set(log.held_customers(10)) == {customer}


def test_an_inferred_ending_does_not_free_who_is_held(bank: Importer) -> None:
    """The hold is about a row of customer and offer; that the offer is in no extract any more is no such row."""
    stock = a_bank(np.random.default_rng(11), 200, ends=0.0, begins=0.0, months=3)
    first, second, third = stock
    customer, offer = min(stock[first])
    unread = f"{customer},{offer},{second}"
    give(bank, as_file(stock, [first, second]).replace(unread, f"{customer},{offer},soon"), most_rejected=1.0)
    stock[third].remove((customer, offer))
    report = give(bank, as_file(stock, [third]))
    assert (customer, offer, f"{third}", "cancelled") in in_log(bank.database)
    assert report.extracts["interactions.csv"].ended == 1
    with bank.database.read() as log:
        assert set(log.held_customers(10)) == {customer}


def test_a_live_acceptance_has_until_the_second_extract_to_stand_in_one(
    known_contact: Database, tmp_path: Path
) -> None:
    bank = Importer(known_contact, tmp_path / "bank")
    stock = {date(2027, month, 28): {(f"d{number}", "card") for number in range(40)} for month in (1, 2, 3)}
    with known_contact.transaction() as log:
        log.add_decision(a_record(), 1)
        log.add_outcome(an_outcome(), "k", "digest", {})
    live = [row for row in in_log(known_contact) if row[3] == "accepted"]
    assert len(live) == 1
    ended = (*live[0][:2], "2027-02-28", "cancelled")
    for day, is_ended in zip(stock, (False, True, True), strict=True):
        stock[day].add(("d0", live[0][1]))
        give(bank, as_file(stock, [day]), mapping=DECLARED)
        assert (ended in in_log(known_contact)) == is_ended


@pytest.mark.parametrize("document", [{"interactions": {"extract": "yes"}}, {"contacts": {"extract": True}}])
def test_a_mapping_says_of_interactions_alone_and_truly_whether_they_are_an_extract(document: object) -> None:
    with pytest.raises(ImportInvalid, match="extract is true or false"):
        parse_mapping(document)


def test_of_every_extract_a_few_rows_without_weight_are_its_trace(bank: Importer) -> None:
    stock = a_bank(np.random.default_rng(12), 400, ends=0.1, begins=0.05)
    give(bank, as_file(stock, stock))
    traces = [row for row in all_rows(bank.database) if row["weight"] == 0]
    assert len(traces) == TRACES * len(stock)
    assert {row["channel"] for row in traces} == {CHANNEL}

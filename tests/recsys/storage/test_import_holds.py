"""What was not read of a person holds them until a later row says it, whatever rows came in between."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest

from recsys.domain.protection import UNREADABLE, Statement
from recsys.storage.database import Database, open_database
from tests.builders import NOW, a_customer
from tests.recsys.storage.importing import INTERACTIONS, Importer

COLUMNS = ("do_not_contact", "vulnerable", "consent_marketing")
FREE = {"do_not_contact": "no", "vulnerable": "no", "consent_marketing": "yes"}
HEADER = f"customer_id,{','.join(COLUMNS)},risk_level\n"
YESTERDAY = (NOW - timedelta(days=1)).date().isoformat()


@pytest.fixture
def one_importer(sqlite_url: str, tmp_path: Path) -> Iterator[Importer]:
    """Imports into SQLite alone, for tests by generation."""
    database = open_database(sqlite_url)
    yield Importer(database, tmp_path / "bank")
    database.close()


def held(database: Database) -> set[str]:
    """Return who is held."""
    with database.read() as log:
        return set(log.held_customers(100_000))


def complaining(database: Database, *customers: str) -> set[str]:
    """Return who of these has an open complaint."""
    with database.read() as log:
        return {one for one in customers if log.customer_and_complaint(one)[1] is not None}


def run(importer: Importer, day: int = 0, **options: Any) -> Any:
    """Import on a day after the first one."""
    return importer.run(clock=lambda: NOW + timedelta(days=day), **options)


def subsets() -> list[frozenset[str]]:
    return [frozenset(some) for size in range(len(COLUMNS) + 1) for some in combinations(COLUMNS, size)]


def row(name: str, said: dict[str, str], level: str = "2") -> str:
    return f"{name},{','.join(said[column] for column in COLUMNS)},{level}\n"


def test_every_cell_that_was_not_read_must_be_said_by_a_later_row(one_importer: Importer) -> None:
    """Every subset of faults, in a row bad or good otherwise, then every subset of what a later row says."""
    cases = {f"A{number}": case for number, case in enumerate(product(subsets(), subsets(), ("2", "99"), ("", "N/A")))}
    first = {
        name: {column: "?" if column in faults else FREE[column] for column in COLUMNS}
        for name, (faults, *_) in cases.items()
    }
    rows = "".join(row(name, first[name], case[2]) for name, case in cases.items())
    one_importer.write(interactions=INTERACTIONS, customers=HEADER + rows)
    run(one_importer)
    assert held(one_importer.database) == {
        name for name, (faults, _, level, _) in cases.items() if faults or level == "99"
    }
    later = {
        name: {column: FREE[column] if column in said else nothing for column in COLUMNS}
        for name, (_, said, _, nothing) in cases.items()
    }
    one_importer.write(customers=HEADER + "".join(row(name, said) for name, said in later.items()))
    run(one_importer, 1)
    assert held(one_importer.database) == {name for name, (faults, said, *_) in cases.items() if faults - said}
    one_importer.write(customers=HEADER + "".join(row(name, FREE) for name in cases))
    run(one_importer, 2)
    assert held(one_importer.database) == set()


def torn(name: str, way: str) -> str:
    whole = [name, "no", "no", "yes", "2"]
    cells = {"extra": [*whole, "x"], "trailing": [*whole, ""]}
    return ",".join(cells.get(way, whole[: int(way)] if way.isdigit() else whole)) + "\n"


@pytest.mark.parametrize("way", ["1", "2", "3", "4", "extra", "trailing"])
def test_a_torn_row_says_nothing_of_any_protective_column(one_importer: Importer, way: str) -> None:
    cases = {f"B{number}": said for number, said in enumerate(subsets())}
    one_importer.write(interactions=INTERACTIONS, customers=HEADER + "".join(torn(name, way) for name in cases))
    run(one_importer)
    assert held(one_importer.database) == set(cases)
    later = {name: {one: FREE[one] if one in said else "" for one in COLUMNS} for name, said in cases.items()}
    one_importer.write(customers=HEADER + "".join(row(name, said) for name, said in later.items()))
    run(one_importer, 1)
    assert held(one_importer.database) == {name for name, said in cases.items() if said != set(COLUMNS)}
    one_importer.write(customers="customer_id,segment\n" + "".join(f"{name},gold\n" for name in cases))
    run(one_importer, 2)
    assert held(one_importer.database) == {name for name, said in cases.items() if said != set(COLUMNS)}
    for name in cases:
        with one_importer.database.transaction(name) as log:
            at = NOW + timedelta(days=3)
            log.set_protection(name, UNREADABLE, Statement(UNREADABLE, False, at, at, "agent", "a1", "asked them"))
    assert held(one_importer.database) == set()


def test_a_second_row_of_one_customer_frees_only_by_what_it_says(one_importer: Importer) -> None:
    cases = {f"U{number}": case for number, case in enumerate(product(subsets(), subsets(), "?c"))}
    rows = ""
    for name, (others, _, kind) in cases.items():
        odd = "?" if kind == "?" else ""
        second = {one: odd if one in others else FREE[one] for one in COLUMNS}
        rows += row(name, FREE) + row(name, second, "2" if kind == "?" else "3")
    one_importer.write(interactions=INTERACTIONS, customers=HEADER + rows)
    run(one_importer)
    everything = set(COLUMNS)
    wanted = {name: (set(others) if kind == "?" else everything - others) for name, (others, _, kind) in cases.items()}
    expected = {name for name, (others, _, kind) in cases.items() if others or kind == "c"}
    assert held(one_importer.database) == expected
    later = {name: {one: FREE[one] if one in case[1] else "" for one in COLUMNS} for name, case in cases.items()}
    one_importer.write(customers=HEADER + "".join(row(name, said) for name, said in later.items()))
    run(one_importer, 1)
    assert held(one_importer.database) == {name for name in expected if wanted[name] - cases[name][1]}


def test_what_a_rejected_row_says_that_protects_is_not_undone_by_silence(one_importer: Importer) -> None:
    dated = "customer_id,consent_marketing,consents_as_of,risk_level\n"
    one_importer.write(interactions=INTERACTIONS, customers=dated + "c1,yes,2026-01-01,2\n")
    run(one_importer)
    one_importer.write(customers=dated + "c1,no,2026-02-01,99\n")
    run(one_importer, 1)
    one_importer.write(customers=dated + "c1,,,2\n")
    run(one_importer, 2)
    assert held(one_importer.database) == {"c1"}


def test_the_same_two_bad_rows_again_say_nothing_new(one_importer: Importer) -> None:
    one_importer.write(interactions=INTERACTIONS, customers=HEADER + "c1,?,no,yes,2\nc1,??,no,yes,2\n")
    run(one_importer)
    before = one_importer.everything()["protections"]
    for day in (1, 2):
        run(one_importer, day)
    assert one_importer.everything()["protections"] == before


CONTACTS = "contact_id,customer_id,opened_at,reason\n"
OTHER = f"k0,c0,{YESTERDAY},\n"
SILENT = {
    "no column": ("contact_id,customer_id,opened_at\n", "k,{0},{1}\n"),
    "empty": (CONTACTS, "k,{0},{1},\n"),
    "a null token": (CONTACTS, "k,{0},{1},N/A\n"),
    "blank": (CONTACTS, "k,{0},{1}, \u3000\n"),
}


@pytest.mark.parametrize("silence", SILENT)
@pytest.mark.parametrize("first", ["known", "rejected"])
@pytest.mark.parametrize("owner", ["c1", "c2"])
@pytest.mark.parametrize("replace", [False, True])
def test_a_complaint_is_not_lost_to_a_file_that_says_nothing_of_it(
    one_importer: Importer, silence: str, first: str, owner: str, replace: bool
) -> None:
    day = YESTERDAY if first == "known" else "soon"
    customers = HEADER + row("c1", FREE) + row("c2", FREE)
    one_importer.write(interactions=INTERACTIONS, customers=customers, contacts=f"{CONTACTS}k,c1,{day},投诉\n{OTHER}")
    run(one_importer)
    header, line = SILENT[silence]
    one_importer.write(contacts=header + line.format(owner, YESTERDAY))
    run(one_importer, replace=replace)
    protected = held(one_importer.database) | complaining(one_importer.database, "c1", "c2")
    assert "c1" in protected
    one_importer.write(contacts=f"{CONTACTS}k,c1,{YESTERDAY},fees\n")
    run(one_importer)
    assert "c1" not in held(one_importer.database) | complaining(one_importer.database, "c1")


@pytest.mark.parametrize("reason", ["fees", "complaint"])
def test_a_complaint_that_another_customer_gets_holds_the_first_one(one_importer: Importer, reason: str) -> None:
    one_importer.write(interactions=INTERACTIONS, contacts=f"{CONTACTS}k,c1,{YESTERDAY},complaint\n")
    run(one_importer)
    one_importer.write(contacts=f"{CONTACTS}k,c2,{YESTERDAY},{reason}\n")
    run(one_importer)
    assert held(one_importer.database) == {"c1"}
    assert complaining(one_importer.database, "c1", "c2") == ({"c2"} if reason == "complaint" else set())


def test_replacing_everything_keeps_open_complaints_and_forgets_settled_ones(one_importer: Importer) -> None:
    header = "contact_id,customer_id,opened_at,reason,csat\n"
    rows = f"k1,c1,{YESTERDAY},complaint,\nk2,c2,{YESTERDAY},complaint,5\nk3,c3,{YESTERDAY},complaint,2\n"
    one_importer.write(interactions=INTERACTIONS, contacts=header + rows)
    run(one_importer)
    one_importer.write(contacts=header + f"k9,c9,{YESTERDAY},fees,\n")
    run(one_importer, replace=True)
    assert complaining(one_importer.database, "c1", "c3", "c9") == {"c1", "c3"}
    with one_importer.database.read() as log:
        assert log.counts()["contacts"] == 3


PROTECTING = {
    "a flag": ("customers", "{},yes,no,yes,2\n"),
    "a refusal": ("customers", "{},no,no,no,2\n"),
    "an unreadable row": ("customers", "{},?,no,yes,2\n"),
    "a torn row": ("customers", "{},no\n"),
    "a complaint": ("contacts", f"{{1}},{{0}},{YESTERDAY},complaint\n"),
    "a complaint of no readable day": ("contacts", "{1},{0},soon,complaint\n"),
}


PAIRS = (("C1", "c1"), ("C5", "C-5"), ("d1", "D1"), ("007", "7"))


@pytest.mark.parametrize("what", PROTECTING)
@pytest.mark.parametrize("known", ["file", "prospect", "nobody"])
def test_whatever_protects_holds_everybody_alike(one_importer: Importer, what: str, known: str) -> None:
    """The first of each pair is free and known from a file or live, the second is protected: both are not sold to."""
    table, line = PROTECTING[what]
    if known == "prospect":
        with one_importer.database.transaction() as log:
            for one, _ in PAIRS:
                log.add_customer(a_customer(customer_id=one), NOW)
    rows = "".join(row(one, FREE) for one, _ in PAIRS) if known == "file" else ""
    one_importer.write(interactions=INTERACTIONS, customers=HEADER + rows)
    run(one_importer)
    files = {"customers": HEADER, "contacts": CONTACTS + OTHER}
    files[table] += "".join(line.format(other, f"k-{other}") for _, other in PAIRS)
    if known == "nobody":
        files["interactions"] = INTERACTIONS + "".join(f"{one},card,2026-01-01,,,\n" for one, _ in PAIRS)
    one_importer.write(**files)
    for day in (0, 1):
        run(one_importer, day)
        assert {one for one, _ in PAIRS} <= held(one_importer.database)


def test_an_old_complaint_of_somebody_alike_holds_nobody(one_importer: Importer) -> None:
    content = f"{CONTACTS}k,c1,2024-01-01,complaint\nk2,c1,{YESTERDAY},fees\n"
    one_importer.write(
        interactions=INTERACTIONS, contacts=content, customers=HEADER + row("C1", FREE) + row("c1", FREE)
    )
    run(one_importer)
    assert held(one_importer.database) == set()


def test_the_holds_are_the_same_on_both_databases(importer: Importer) -> None:
    rows = row("A", {**FREE, "vulnerable": "?"}) + torn("B", "2") + row("C1", FREE) + row("c-1", FREE)
    contacts = f"{CONTACTS}k1,c-1,{YESTERDAY},complaint\nk2,D,{YESTERDAY},complaint\nk3,E,soon,complaint\n"
    importer.write(interactions=INTERACTIONS, customers=HEADER + rows, contacts=contacts)
    run(importer)
    assert held(importer.database) == {"A", "B", "C1", "E"}
    importer.write(
        customers=HEADER + row("A", {**FREE, "vulnerable": ""}) + row("B", FREE),
        contacts=f"{CONTACTS}k2,F,{YESTERDAY},\nk3,E,{YESTERDAY},\n",
    )
    run(importer, 1)
    assert held(importer.database) == {"A", "C1", "D", "E"}
    assert datetime.fromisoformat(YESTERDAY) < NOW.replace(tzinfo=None)


def test_a_rejected_row_of_which_everything_protective_was_read_is_no_unreadable_one(one_importer: Importer) -> None:
    one_importer.write(
        interactions=INTERACTIONS + "c1,,2026-01-01,,,\n", customers=HEADER + row("c1", FREE, "99") + row("c2", FREE)
    )
    assert [one for one in run(one_importer).problems if "could not be read" in one] == []
    one_importer.write(customers=HEADER + row("c1", {**FREE, "vulnerable": "?"}, "99") + row("c2", FREE))
    assert "customers: 1 rows whose protective cells could not be read." in run(one_importer).problems

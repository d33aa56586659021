"""The customer's history as a row: the definition, the table for everybody, and what comes after the row."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.customer_history import HISTORY_FEATURES, as_row, as_values
from features.feature_tables import FeatureTable, build_feature_tables
from recsys.domain.customer import Customer
from recsys.domain.interaction import HistoryRow, Interaction, InteractionKind
from recsys.interactions.served_history import fold, history_row, is_whole
from recsys.interactions.weights import history_weights
from tests.features.conftest import NOW
from tests.features.exported import Given, write_export

GRID = (timedelta(days=30), timedelta(hours=1), timedelta(microseconds=1))


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Return moments that often fall together, long before and shortly after NOW."""
    return NOW - draw(st.sampled_from(GRID)) * draw(st.integers(-3, 12))


@st.composite
def events(draw: st.DrawFn) -> Interaction:
    kind, offer = draw(st.sampled_from(InteractionKind)), draw(st.sampled_from(["loan", "card", "fund"]))
    return Interaction("c1", offer, draw(moments()), kind, weight=draw(st.sampled_from([1.0, 0.25, 3.0])))


histories = st.lists(events(), max_size=25).map(lambda some: sorted(some, key=lambda one: one.occurred_at))


@settings(max_examples=400, deadline=None)
@given(histories, moments(), moments())
def test_a_row_and_the_events_since_say_what_all_events_say(
    history: list[Interaction], one: datetime, other: datetime
) -> None:
    earlier, later = min(one, other), max(one, other)
    row = as_row(as_values(history_row(history, earlier)), earlier)
    assert row is not None
    assert is_whole(row, history, later)
    folded = fold(row, [event for event in history if event.occurred_at > earlier], later)
    assert folded == pytest.approx(history_weights(history, later), abs=1e-9)
    assert list(folded) == sorted(folded)


@settings(max_examples=100, deadline=None)
@given(histories, events(), moments())
def test_a_row_is_not_whole_where_an_event_before_it_came_late(
    history: list[Interaction], late: Interaction, at: datetime
) -> None:
    changes = late.kind is not InteractionKind.DECLINED and late.occurred_at <= at
    assert is_whole(history_row(history, at), [*history, late], at) == (not changes)


def test_a_row_from_the_future_is_not_whole() -> None:
    assert not is_whole(history_row((), NOW + timedelta(seconds=1)), (), NOW)


def test_a_row_holds_the_hundred_offers_with_the_newest_evidence() -> None:
    history = [Interaction("c1", f"o{age:03}", NOW - timedelta(days=age)) for age in reversed(range(130))]
    row = history_row(history, NOW)
    assert (row.offers[0], row.offers[-1], len(row.offers), row.event_count) == ("o000", "o099", 100, 130)


@pytest.mark.parametrize("lost", HISTORY_FEATURES)
def test_values_of_which_one_is_lost_are_no_row(lost: str) -> None:
    values = as_values(history_row([Interaction("c1", "loan", NOW)], NOW))
    assert as_row({name: value for name, value in values.items() if name != lost}, NOW) is None


def random_histories(chance: np.random.Generator, count: int) -> list[Given]:
    """Make customers with none, few and many events, whose moments collide and lie after the export too."""

    def one(number: int) -> Given:
        name, size = f"c{number}", int(chance.choice([0, 3, 15, 16, 17, 40, 150]))
        history = [
            Interaction(
                name,
                f"o{chance.integers(int(chance.choice([3, 130])))}",
                NOW - GRID[chance.integers(3)] * int(chance.integers(-2, 14)),
                list(InteractionKind)[chance.integers(6)],
                weight=float(chance.choice([1.0, 0.5])),
            )
            for _ in range(size)
        ]
        return Given(Customer(name), tuple(sorted(history, key=lambda event: event.occurred_at)))

    return [one(number) for number in range(count)]


@pytest.mark.parametrize("seed", range(3))
def test_the_table_says_at_every_row_what_the_definition_says(tmp_path: Path, seed: int) -> None:
    people = random_histories(np.random.default_rng(seed), 30)
    rows = _table(tmp_path, people)
    for one in people:
        found = rows[one.customer.customer_id]
        assert found[-1].at == NOW
        for row in found:
            assert _rounded(row) == _rounded(history_row(one.history, row.at))


@pytest.mark.parametrize("seed", range(3))
def test_the_latest_row_of_the_table_leaves_fewer_events_than_it_tells(tmp_path: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)
    people = random_histories(chance, 30)
    rows = _table(tmp_path, people)
    for one in people:
        for age in chance.uniform(0, 400, 5):
            at = NOW - timedelta(days=age)
            row = max((r for r in rows[one.customer.customer_id] if r.at <= at), key=lambda r: r.at, default=None)
            base = row or HistoryRow(datetime.fromisoformat("1970-01-01T00:00:00Z"))
            since = [event for event in one.history if base.at < event.occurred_at <= at]
            assert len([e for e in since if e.kind is not InteractionKind.DECLINED]) < max(base.event_count + 1, 16)
            if len(base.offers) < 100:
                assert fold(base, since, at) == pytest.approx(history_weights(one.history, at), abs=1e-9)


def _table(folder: Path, people: list[Given]) -> dict[str, list[HistoryRow]]:
    write_export(folder / "events", people, NOW)
    build_feature_tables(folder / "events", folder, NOW)
    table = duckdb.read_parquet(str(FeatureTable.HISTORY.file(folder))).order("event_timestamp")
    found: dict[str, list[HistoryRow]] = {}
    for values in table.fetchall():
        named: dict[str, Any] = dict(zip(table.columns, values, strict=True))
        row = as_row(named, named["event_timestamp"])
        assert row is not None
        found.setdefault(named["customer_id"], []).append(row)
    return found


def _rounded(row: HistoryRow) -> tuple[Any, ...]:
    numbers = [[round(value, 9) for value in values] for values in (row.held, row.signalled, row.last_at)]
    return row.at, row.event_count, row.offers, *numbers

"""The definitions for one customer, and that the tables for everybody say the same."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from features.feature_tables import FeatureTable, build_feature_tables, built_as_of
from features.from_events import (
    INTERACTION_FEATURES,
    OfferEvent,
    interaction_features,
    may_have_changed,
    offer_channel_features,
    offer_features,
    with_ages,
)
from recsys.domain.channel import CHANNELS
from recsys.domain.contact import Contact
from recsys.domain.customer import Customer
from recsys.domain.errors import InvalidInput
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.outcome import Answer, PastAnswer
from tests.features.exported import Exposed, Given, decision_of, write_export

NOW = datetime(2026, 3, 1, 9, 30, 0, 123_456, tzinfo=UTC)


def an_event(kind: InteractionKind, days_ago: float, offer_id: str = "loan") -> Interaction:
    return Interaction("c1", offer_id, NOW - timedelta(days=days_ago), kind)


def a_contact(days_ago: float, sentiment: float | None = None, is_complaint: bool = False) -> Contact:
    at = NOW - timedelta(days=days_ago)
    return Contact(f"k{days_ago}", "c1", at, sentiment=sentiment, is_complaint=is_complaint)


def test_a_customer_without_events_has_counts_of_zero_and_nothing_else() -> None:
    features = interaction_features((), (), (), NOW)
    assert set(features) == set(INTERACTION_FEATURES)
    assert {name for name, value in features.items() if value == 0} == {n for n in features if "count" in n}


def test_a_window_leaves_out_what_is_as_old_as_itself_and_what_is_still_to_come() -> None:
    declined = [an_event(InteractionKind.DECLINED, days) for days in (-0.1, 0, 89.99, 90)]
    assert interaction_features(declined, (), (), NOW)["declined_count_90d"] == 2


def test_a_cancelled_offer_is_not_held_until_it_is_accepted_again() -> None:
    history = [
        an_event(InteractionKind.HOLDING, 50, "card"),
        an_event(InteractionKind.CANCELLED, 40, "card"),
        an_event(InteractionKind.ACCEPTED, 30, "loan"),
        an_event(InteractionKind.CANCELLED, 20, "loan"),
        an_event(InteractionKind.ACCEPTED, 10, "loan"),
    ]
    assert interaction_features(history, (), (), NOW)["held_count"] == 1


def test_the_live_contact_does_not_count_before_it_is_a_day_old() -> None:
    contacts = [a_contact(0.01, sentiment=-1.0), a_contact(3, sentiment=0.5, is_complaint=True)]
    features = interaction_features((), (), contacts, NOW)
    assert (features["contact_count_90d"], features["mean_sentiment_90d"]) == (1, 0.5)
    assert features["last_complaint_at"] == (NOW - timedelta(days=3)).timestamp()


def test_the_last_answer_is_the_latest_from_any_source() -> None:
    history = [an_event(InteractionKind.ACCEPTED, 5), an_event(InteractionKind.VIEW, 1)]
    answers = [PastAnswer("card", Answer.LATER, NOW - timedelta(days=2))]
    assert interaction_features(history, answers, (), NOW)["last_answer"] == "later"


def test_moments_are_read_as_days_since_and_unknown_values_left_out() -> None:
    values = {"last_contact_at": NOW.timestamp() - 86_400 * 2.5, "last_answer_at": None, "attr_built_at": 1.0}
    assert with_ages(values, NOW) == {"days_since_last_contact": pytest.approx(2.5), "attr_built_at": 1.0}


def random_customers(chance: np.random.Generator, count: int) -> list[Given]:
    """Make customers whose events collide, straddle every window and come after the export too."""

    def moment() -> datetime:
        grid = one_of(timedelta(days=1), timedelta(hours=6), timedelta(microseconds=1))
        past: datetime = NOW - grid * round(timedelta(days=chance.uniform(-5, 500)) / grid)
        return past

    def one_of(*choices: Any) -> Any:
        return choices[chance.integers(len(choices))]

    def one(number: int) -> Given:
        name = f"c{number}"
        offers = [f"o{i}" for i in range(4)]
        history = [Interaction(name, one_of(*offers), moment(), one_of(*InteractionKind)) for _ in range(12)]
        channels = (*CHANNELS, "a_bank's_own", None)
        answers = [PastAnswer(one_of(*offers), one_of(*Answer), moment(), one_of(*channels)) for _ in range(4)]
        exposures = [
            Exposed(
                f"d-{name}-{chance.integers(3)}",
                one_of(*offers),
                one_of("seen", "pitched"),
                moment(),
                one_of(*channels),
            )
            for _ in range(8)
        ]
        contacts = [
            Contact(f"{name}-{i}", name, moment(), one_of(*CHANNELS), is_complaint=one_of(False, True),
                    sentiment=one_of(None, round(chance.uniform(-1, 1), 2)))
            for i in range(5)
        ]  # fmt: skip
        return Given(Customer(name), tuple(history), tuple(answers), tuple(contacts), exposures=tuple(exposures))

    return [one(number) for number in range(count)]


def test_the_tables_say_at_every_moment_what_the_definitions_say(tmp_path: Path) -> None:
    given = random_customers(np.random.default_rng(7), 15)
    write_export(tmp_path / "events", given, NOW)
    build_feature_tables(tmp_path / "events", tmp_path, NOW)
    table = duckdb.read_parquet(str(FeatureTable.INTERACTIONS.file(tmp_path)))
    names = table.columns
    rows = [dict(zip(names, row, strict=True)) for row in table.order("customer_id, event_timestamp").fetchall()]
    people = {one.customer.customer_id: one for one in given}
    assert len(rows) > 15 * 20
    for row in rows:
        at, one = row.pop("event_timestamp"), people[row.pop("customer_id")]
        expected = interaction_features(one.history, one.answers, one.contacts, at)
        assert row == {name: pytest.approx(value, abs=2e-6) for name, value in expected.items()}, at


def test_between_two_rows_of_the_table_nothing_changes(tmp_path: Path) -> None:
    chance = np.random.default_rng(11)
    given = random_customers(chance, 10)
    write_export(tmp_path / "events", given, NOW)
    build_feature_tables(tmp_path / "events", tmp_path, NOW)
    file = str(FeatureTable.INTERACTIONS.file(tmp_path))
    for one in given:
        at = NOW - timedelta(days=chance.uniform(0, 400))
        query = "SELECT * FROM read_parquet(?) WHERE customer_id = ? AND event_timestamp <= ? ORDER BY 2 DESC LIMIT 1"
        found = duckdb.execute(query, [file, one.customer.customer_id, at])
        names = [column[0] for column in found.description]
        row = dict(zip(names, *found.fetchall(), strict=False))
        expected = interaction_features(one.history, one.answers, one.contacts, at)
        assert {name: row.get(name, 0 if "count" in name else None) for name in expected} == {
            name: pytest.approx(value, abs=2e-6) for name, value in expected.items()
        }


def test_facts_without_a_date_hold_from_the_first_event_in_tables_of_before_their_import_too(tmp_path: Path) -> None:
    imported, known = NOW + timedelta(days=1), Customer("c1", segment="gold")
    given = Given(known, history=(an_event(InteractionKind.VIEW, 10),), versions=((imported, known),))
    write_export(tmp_path / "events", [given], imported)
    build_feature_tables(tmp_path / "events", tmp_path, NOW)
    rows = duckdb.read_parquet(str(FeatureTable.PROFILE.file(tmp_path))).order("event_timestamp")
    assert rows.project("segment").fetchall() == [("gold",), ("gold",)]


def test_features_change_only_where_they_may_have(tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    may, did = 0, 0
    for one in random_customers(chance, 40):
        events = one.history, one.answers, one.contacts
        for _ in range(25):
            since = NOW - timedelta(days=chance.uniform(0, 500))
            now = since + timedelta(days=float(10 ** chance.uniform(-3, 2)))
            is_changed = interaction_features(*events, since) != interaction_features(*events, now)
            said = may_have_changed(*events, since, now)
            assert said or not is_changed, (since, now)
            may, did = may + said, did + is_changed
    assert 0.8 * may < did < 40 * 25 / 1.2  # it is not said where nothing can have


def test_an_offer_counts_a_day_of_answers_from_its_end_on(tmp_path: Path) -> None:
    at = NOW - timedelta(days=10)
    answers = [PastAnswer("loan", answer, at) for answer in (Answer.ACCEPTED, Answer.LATER, Answer.NOT_PITCHED)]
    seen = Exposed("d-other", "loan", "seen", at, "app")
    write_export(tmp_path / "events", [Given(Customer("c1"), answers=tuple(answers), exposures=(seen,))], NOW)
    build_feature_tables(tmp_path / "events", tmp_path, NOW)
    rows = dicts(FeatureTable.OFFERS.file(tmp_path))
    midnight = (at + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert [row["event_timestamp"] for row in rows] == [midnight, NOW]
    counts = {"shown": 2, "pitched": 1, "accepted": 1, "declined": 0, "later": 1}
    for row in rows:
        assert {what: row[f"offer_{what}_count_30d"] for what in counts} == counts


def dicts(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a feature table by key and moment."""
    table = duckdb.read_parquet(str(file))
    keys = [name for name in table.columns if name in ("offer_id", "channel")]
    ordered = table.order(", ".join([*keys, "event_timestamp"]))
    return [dict(zip(table.columns, row, strict=True)) for row in ordered.fetchall()]


def offer_events(given: list[Given], offer_id: str) -> list[OfferEvent]:
    """Return what happened to one offer."""
    events = [OfferEvent(e.decision_id, e.stage, e.at, e.channel) for one in given for e in one.exposures
              if e.offer_id == offer_id]  # fmt: skip
    return events + [
        OfferEvent(decision_of(one, number), str(answer.answer), answer.answered_at, answer.channel)
        for one in given for number, answer in enumerate(one.answers) if answer.offer_id == offer_id
    ]  # fmt: skip


@pytest.mark.parametrize("seed", [5, 6])
def test_the_tables_of_offers_say_at_every_moment_what_the_definitions_say(seed: int, tmp_path: Path) -> None:
    chance = np.random.default_rng(seed)
    given = random_customers(chance, 12)
    write_export(tmp_path / "events", given, NOW)
    build_feature_tables(tmp_path / "events", tmp_path, NOW)
    happened = {f"o{number}": offer_events(given, f"o{number}") for number in range(4)}
    before = [
        moment for days in range(0, 500, 7) for moment in [NOW - timedelta(days=days, hours=chance.uniform(0, 9))]
    ]
    for table in (FeatureTable.OFFERS, FeatureTable.OFFER_CHANNELS):
        rows: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in dicts(table.file(tmp_path)):
            key = (row.pop("offer_id"),) + ((row.pop("channel"),) if "channel" in row else ())
            rows.setdefault(key, []).append(row)
        assert len(rows) >= (4 if table is FeatureTable.OFFERS else 12)
        for key, of_key in rows.items():
            for moment in [*before, *(row["event_timestamp"] for row in of_key)]:
                known = [one for one in happened[key[0]] if one.at <= NOW]
                expected = offer_channel_features(known, key[1], moment) if key[1:] else offer_features(known, moment)
                latest = max((r for r in of_key if r["event_timestamp"] <= moment), default=None, key=_moment_of)
                found = dict.fromkeys(expected, 0) if latest is None else latest
                assert {name: found[name] for name in expected} == expected, (key, moment)


def _moment_of(row: dict[str, Any]) -> datetime:
    moment: datetime = row["event_timestamp"]
    return moment


def test_the_profile_holds_from_the_first_event_and_again_as_of_the_export(tmp_path: Path) -> None:
    first = an_event(InteractionKind.ACCEPTED, 300)
    customer = Customer("c1", name="Ada", segment="gold", attributes={"年龄": 41.0, "owner": True})
    write_export(tmp_path / "events", [Given(customer, history=(first,))], NOW)
    build_feature_tables(tmp_path / "events", tmp_path, NOW)
    profile = duckdb.read_parquet(str(FeatureTable.PROFILE.file(tmp_path)))
    assert [row[1] for row in profile.order("event_timestamp").fetchall()] == [first.occurred_at, NOW]
    assert set(profile.columns) == {
        "customer_id", "event_timestamp", "kind", "language", "segment", "risk_level", "attr_owner", "attr_年龄",
    }  # fmt: skip


def profile_rows(folder: Path, customer: str = "c1") -> list[tuple[datetime, Any]]:
    """Return (since when, segment) of every row of the profile table, in time."""
    query = "SELECT event_timestamp, segment FROM read_parquet(?) WHERE customer_id = ? ORDER BY 1"
    found = duckdb.execute(query, [str(FeatureTable.PROFILE.file(folder)), customer]).fetchall()
    return [(moment, segment) for moment, segment in found]


def test_every_version_of_a_profile_holds_from_when_it_was_known_and_not_before(tmp_path: Path) -> None:
    old, new = Customer("c1", segment="mass"), Customer("c1", segment="gold")
    january, march = NOW - timedelta(days=60), NOW - timedelta(days=10)
    given = Given(
        new, history=(an_event(InteractionKind.VIEW, 300),), versions=((march, new), (january, old), (january, old))
    )
    write_export(tmp_path / "events", [given], NOW)
    build_feature_tables(tmp_path / "events", tmp_path, NOW)
    assert profile_rows(tmp_path) == [(january, "mass"), (march, "gold"), (NOW, "gold")]


def test_a_first_version_dated_by_the_import_alone_holds_from_the_first_event(tmp_path: Path) -> None:
    imported = NOW - timedelta(days=50)
    first, later = an_event(InteractionKind.VIEW, 300), NOW - timedelta(days=10)
    old, new = Customer("c1", segment="mass"), Customer("c1", segment="gold")
    given = Given(new, history=(first,), versions=((imported, old), (later, new)))
    write_export(tmp_path / "events", [given, Given(Customer("c2", segment="met live"))], imported)
    build_feature_tables(tmp_path / "events", tmp_path, NOW)
    assert profile_rows(tmp_path) == [(first.occurred_at, "mass"), (later, "gold"), (NOW, "gold")]
    assert profile_rows(tmp_path, "c2") == [(imported, "met live"), (NOW, "met live")]


def test_a_version_that_was_known_after_the_export_is_not_in_the_table(tmp_path: Path) -> None:
    versions = ((NOW + timedelta(microseconds=1), Customer("c1", segment="future")),)
    write_export(tmp_path / "events", [Given(Customer("c1", segment="gold"), versions=versions)], NOW)
    build_feature_tables(tmp_path / "events", tmp_path, NOW)
    assert [segment for _, segment in profile_rows(tmp_path)] == ["gold"]


def test_times_are_kept_to_the_microsecond_in_utc(tmp_path: Path) -> None:
    write_export(tmp_path / "events", [Given(Customer("c1"))], NOW)
    build_feature_tables(tmp_path / "events", tmp_path, NOW)
    table = duckdb.read_parquet(str(FeatureTable.INTERACTIONS.file(tmp_path)))
    assert str(table.types[1]) == "TIMESTAMP WITH TIME ZONE"
    assert (table.fetchall()[0][1], built_as_of(tmp_path)) == (NOW, NOW)


def test_without_an_export_the_answer_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nbo features export"):
        build_feature_tables(tmp_path / "events", tmp_path, NOW)
    with pytest.raises(InvalidInput, match="nbo features export"):
        built_as_of(tmp_path)

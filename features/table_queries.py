"""The definitions of `features.from_events` for everybody and every moment, in DuckDB's SQL.

A customer's row is written at every moment a value changes (an event, or one leaving its window) and once
more as of the export, so that the latest row not after a moment is what was known at that moment. The
views `interactions`, `contacts`, `answers` and `customers` and the variable `as_of` must be there.
"""

from collections.abc import Mapping, Sequence

from features.from_events import (
    CHANNEL_WINDOW,
    CONTACT_SETTLES,
    OFFER_COUNTS,
    OFFER_WINDOWS,
    PROFILE_FEATURES,
    WINDOW_DAYS,
)
from recsys.domain.vocabulary import UNKNOWN_CHANNEL

_SQL_TYPES = {int: "BIGINT", str: "VARCHAR"}
_COUNTS = [*WINDOW_DAYS, "held_count", "mood", "moods"]
_LATEST = ["last_accepted", "last_answer", "last_contact", "last_complaint"]
_COUNTED_KINDS = {name: name.split("_")[0] for name in WINDOW_DAYS if name != "contact_count_90d"}

_COUNTED = [
    f"SELECT customer_id, occurred_at + INTERVAL {days} DAY AS moment, {change} AS {name}"
    f" FROM interactions WHERE kind = '{kind}'"
    for name, kind in _COUNTED_KINDS.items()
    for days, change in ((0, 1), (WINDOW_DAYS[name], -1))
]
_HOLDINGS = """
    SELECT customer_id, moment, held - coalesce(lag(held) OVER each_offer, 0) AS held_count
    FROM (
        SELECT customer_id, offer_id, occurred_at AS moment, bool_or(kind <> 'cancelled')::INTEGER AS held
        FROM interactions WHERE kind IN ('holding', 'accepted', 'cancelled') GROUP BY ALL
    )
    WINDOW each_offer AS (PARTITION BY customer_id, offer_id ORDER BY moment)"""
_ACCEPTED = """
    SELECT customer_id, occurred_at AS moment, occurred_at AS last_accepted FROM interactions WHERE kind = 'accepted'"""
_ANSWERED = """
    SELECT customer_id, moment, {'moment': moment, 'value': answer} AS last_answer
    FROM (
        SELECT customer_id, answered_at AS moment, answer FROM answers
        UNION ALL SELECT customer_id, occurred_at, kind FROM interactions WHERE kind IN ('accepted', 'declined')
    )"""
_SETTLED = f"""
    SELECT customer_id, opened_at + INTERVAL {CONTACT_SETTLES.days} DAY AS moment, 1 AS contact_count_90d,
        round(sentiment * 1e6)::BIGINT AS mood, (sentiment IS NOT NULL)::INTEGER AS moods,
        {{'moment': opened_at, 'value': channel}} AS last_contact,
        CASE WHEN is_complaint THEN opened_at END AS last_complaint
    FROM contacts"""
_FORGOTTEN = f"""
    SELECT customer_id, moment + INTERVAL {WINDOW_DAYS["contact_count_90d"]} DAY AS moment,
        -contact_count_90d AS contact_count_90d, -mood AS mood, -moods AS moods
    FROM settled"""
_AS_OF = "SELECT customer_id, getvariable('as_of') AS moment FROM customers"

_OFFER_EVENTS = f"""
    SELECT offer_id, decision_id, what, happened, coalesce(channel, '{UNKNOWN_CHANNEL}') AS channel
    FROM (
        SELECT offer_id, decision_id, answer AS what, answered_at AS happened, channel FROM answers
        UNION ALL SELECT offer_id, decision_id, stage, exposed_at, channel FROM exposures
    ) WHERE what <> 'not_pitched' AND happened <= getvariable('as_of')"""
_FIRST_OF_DECISIONS = """
    SELECT offer_id, '{}' AS what, unnest(min({{'happened': happened, 'channel': channel}}))
    FROM offer_events {} GROUP BY offer_id, decision_id"""
_OFFER_COUNTS = f"""
    SELECT offer_id, what, happened, channel FROM offer_events WHERE what IN {OFFER_COUNTS[2:]}
    UNION ALL {_FIRST_OF_DECISIONS.format("shown", "")}
    UNION ALL {_FIRST_OF_DECISIONS.format("pitched", "WHERE what <> 'seen'")}"""

VIEWS = {
    "offer_events": _OFFER_EVENTS,
    "offer_counts": _OFFER_COUNTS,
    "settled": _SETTLED,
    "changes": " UNION ALL BY NAME ".join(
        [*_COUNTED, _HOLDINGS, _ACCEPTED, _ANSWERED, "FROM settled", _FORGOTTEN, _AS_OF]
    ),
}
"""To be made in this order. A row of `changes` says what a moment adds to a count or makes latest; null: nothing."""


def interactions_query() -> str:
    """Return the query of what a customer's events say, by the moment from which on they say it."""
    by_moment = ", ".join(
        [f"sum({name}) AS {name}" for name in _COUNTS] + [f"max({name}) AS {name}" for name in _LATEST]
    )
    running = [f"coalesce(sum({name}) OVER until, 0)::BIGINT AS {name}" for name in _COUNTS]
    running += [f"max({name}) OVER until AS {name}" for name in _LATEST]
    return f"""
        WITH moments AS (
            SELECT customer_id, moment, {by_moment} FROM changes
            WHERE moment <= getvariable('as_of') GROUP BY customer_id, moment
        ), states AS (
            SELECT customer_id, moment, {", ".join(running)} FROM moments
            WINDOW until AS (PARTITION BY customer_id ORDER BY moment)
        )
        SELECT customer_id, moment::TIMESTAMPTZ AS event_timestamp, {", ".join(WINDOW_DAYS)}, held_count,
            CASE WHEN moods > 0 THEN mood / 1e6 / moods END AS mean_sentiment_90d,
            last_contact.value AS last_channel, last_answer.value AS last_answer,
            epoch_us(last_accepted) / 1e6 AS last_accepted_at, epoch_us(last_answer.moment) / 1e6 AS last_answer_at,
            epoch_us(last_contact.moment) / 1e6 AS last_contact_at, epoch_us(last_complaint) / 1e6 AS last_complaint_at
        FROM states ORDER BY customer_id, event_timestamp"""


def profile_query(attributes: Sequence[str]) -> str:
    """Return the query of the profiles: one row from the customer's first event on, and one as of the export.

    An imported attribute has no date, so it is taken to have held from the start. The second row is what is
    served: only a newer row replaces an older one in the online store.
    """
    columns = [f"{name}::{_SQL_TYPES[kind]} AS {name}" for name, kind in PROFILE_FEATURES.items()]
    columns += ['"' + name.replace('"', '""') + '"' for name in attributes]
    return f"""
        WITH seen AS (
            SELECT customer_id, occurred_at AS moment FROM interactions
            UNION ALL SELECT customer_id, opened_at FROM contacts
            UNION ALL SELECT customer_id, recorded_at::TIMESTAMP FROM customers
            UNION ALL {_AS_OF}
        ), moments AS (
            SELECT customer_id, unnest([min(moment), getvariable('as_of')]) AS moment FROM seen GROUP BY customer_id
        )
        SELECT DISTINCT customer_id, moment::TIMESTAMPTZ AS event_timestamp, {", ".join(columns)}
        FROM moments JOIN customers USING (customer_id) ORDER BY customer_id, event_timestamp"""


def offers_query() -> str:
    """Return the query of what is counted of an offer, by day: a row an answer would make the join of training explode.

    A day counts from the midnight at its end on. Every offer of the catalogue has a row as of the export.
    """
    return _by_day(
        ("offer_id",), {days: f"offer_{{}}_count_{days}d" for days in OFFER_WINDOWS}, "SELECT offer_id FROM offers"
    )


def offer_channels_query() -> str:
    """Return the query of what is counted of an offer on each channel where it was ever seen, by day as above."""
    return _by_day(("offer_id", "channel"), {CHANNEL_WINDOW: f"offer_channel_{{}}_count_{CHANNEL_WINDOW}d"})


def _by_day(keys: Sequence[str], names: Mapping[int, str], everybody: str | None = None) -> str:
    """Return the query of the counts by `keys`; `names` says how a window of so many days calls a count."""
    key, wide = ", ".join(keys), [(days, name, what) for days, name in names.items() for what in OFFER_COUNTS]
    daily = ", ".join(f"count(*) FILTER (what = '{what}') AS {what}" for what in OFFER_COUNTS)
    coming = ", ".join(f"{what} AS {name.format(what)}" for _, name, what in wide)
    leaving = " ".join(
        f"UNION ALL BY NAME SELECT {key}, moment + INTERVAL {days} DAY AS moment, "
        + ", ".join(f"-{what} AS {name.format(what)}" for what in OFFER_COUNTS)
        + " FROM daily"
        for days, name in names.items()
    )
    counts = ", ".join(
        f"coalesce(sum({name.format(what)}) OVER until, 0)::BIGINT AS {name.format(what)}" for _, name, what in wide
    )
    more = f"UNION {everybody}" if everybody else ""
    return f"""
        WITH daily AS (
            SELECT {key}, date_trunc('day', happened) + INTERVAL 1 DAY AS moment, {daily} FROM offer_counts GROUP BY ALL
        ), everybody AS (
            SELECT DISTINCT {key} FROM daily {more}
        ), changes AS (
            SELECT {key}, moment, {coming} FROM daily
            {leaving}
            UNION ALL BY NAME
            SELECT {key}, getvariable('as_of') AS moment FROM everybody
        )
        SELECT DISTINCT {key}, moment::TIMESTAMPTZ AS event_timestamp, {counts}
        FROM changes WHERE moment <= getvariable('as_of')
        WINDOW until AS (PARTITION BY {key} ORDER BY moment) ORDER BY {key}, event_timestamp"""

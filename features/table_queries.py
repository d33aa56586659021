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
from recsys.interactions.served_history import COUNTED, MOST_OFFERS
from recsys.interactions.weights import EVIDENCE, SIGNAL_HALF_LIFE_DAYS, SIGNALS

_FIRST_CHECKPOINT = 16
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
_WORTH = " ".join(f"WHEN '{kind}' THEN {EVIDENCE[kind]}" for kind in sorted(COUNTED))
_QUOTED_SIGNALS, _QUOTED_COUNTED = (", ".join(f"'{kind}'" for kind in sorted(some)) for some in (SIGNALS, COUNTED))
_EVENTS_THAT_COUNT = f"""
    SELECT customer_id, offer_id, occurred_at AS moment, kind IN ({_QUOTED_SIGNALS}) AS is_signal,
        kind <> 'cancelled' AS is_evidence, CASE kind {_WORTH} END * weight AS evidence,
        min(occurred_at) FILTER (kind = 'cancelled') OVER (
            PARTITION BY customer_id, offer_id ORDER BY occurred_at
            RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS cancelled_at
    FROM interactions WHERE kind IN ({_QUOTED_COUNTED}) AND occurred_at <= getvariable('as_of')"""

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


def history_query() -> str:
    """Return the query of the histories: each customer's row as of the export, and earlier ones as checkpoints.

    A row at every moment an event changes it would hold the whole history again at each, the square of all events.
    A checkpoint stands where the number of a customer's events has doubled since the one before (16, 32, 64 …), so
    that all rows together are made of less than thrice the events, and a row not after a moment leaves fewer events
    than it tells to be folded in. Before the first checkpoint there is no row: the events alone tell everything.
    """
    age = f"(epoch_us(row.moment) - epoch_us(event.moment)) / 86400e6 / {SIGNAL_HALF_LIFE_DAYS}"
    newest = "ORDER BY last_at DESC, offer_id"
    lists = {"offers": "offer_id", "held": "held", "signalled": "signalled", "last_at": "last_at"}
    telling = "FILTER (held <> 0 OR signalled <> 0)"
    columns = ", ".join(
        f"coalesce(list({one} {newest}) {telling}, [])[:{MOST_OFFERS}] AS {name}" for name, one in lists.items()
    )
    return f"""
        WITH events AS ({_EVENTS_THAT_COUNT}
        ), counts AS (
            SELECT customer_id, moment, sum(count(*)) OVER (
                PARTITION BY customer_id ORDER BY moment)::BIGINT AS event_count
            FROM events GROUP BY customer_id, moment
        ), checkpoints AS (
            SELECT customer_id, moment, event_count FROM counts
            QUALIFY event_count >= {_FIRST_CHECKPOINT} AND length(bin(event_count)) > length(bin(
                coalesce(lag(event_count) OVER (PARTITION BY customer_id ORDER BY moment), 1)))
        ), rows AS (
            SELECT * FROM checkpoints WHERE moment < getvariable('as_of')
            UNION ALL
            SELECT customer_id, getvariable('as_of') AS moment, coalesce(max(event_count), 0) AS event_count
            FROM customers LEFT JOIN counts USING (customer_id) GROUP BY customer_id
        ), told AS (
            SELECT row.customer_id, row.moment, any_value(row.event_count) AS event_count, event.offer_id,
                coalesce(sum(event.evidence) FILTER (NOT event.is_signal AND
                    (event.cancelled_at IS NULL OR event.cancelled_at > row.moment)), 0) AS held,
                coalesce(sum(event.evidence * 0.5 ** ({age})) FILTER (event.is_signal), 0) AS signalled,
                epoch_us(max(event.moment) FILTER (event.is_evidence)) / 1e6 AS last_at
            FROM rows AS row LEFT JOIN events AS event
                ON event.customer_id = row.customer_id AND event.moment <= row.moment
            GROUP BY row.customer_id, row.moment, event.offer_id
        )
        SELECT customer_id, moment::TIMESTAMPTZ AS event_timestamp, {columns}, any_value(event_count) AS event_count
        FROM told GROUP BY customer_id, moment ORDER BY customer_id, event_timestamp"""


def profile_query(attributes: Sequence[str]) -> str:
    """Return the query of the profiles: one row a version, from when it was known, and one as of the export.

    Facts without a date are taken to have held from the customer's first event on: those of a customer without any
    version, and a first version that is dated by the import which brought the customer (`recorded_at`). The last row
    is what is served: only a newer row replaces an older one in the online store.
    """
    names = [*PROFILE_FEATURES, *attributes]
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    typed = [f"{name}::{_SQL_TYPES[kind]} AS {name}" for name, kind in PROFILE_FEATURES.items()]
    typed += ['"' + name.replace('"', '""') + '"' for name in attributes]
    return f"""
        WITH seen AS (
            SELECT customer_id, occurred_at AS moment FROM interactions
            UNION ALL SELECT customer_id, opened_at FROM contacts
            UNION ALL SELECT customer_id, recorded_at::TIMESTAMP FROM customers
            UNION ALL {_AS_OF}
        ), first AS (
            SELECT customer_id, min(moment) AS moment FROM seen GROUP BY customer_id
        ), known AS (
            SELECT v.* REPLACE (v.known_at::TIMESTAMP AS known_at), c.recorded_at::TIMESTAMP AS recorded_at,
                rank() OVER (PARTITION BY v.customer_id ORDER BY v.known_at) AS place
            FROM versions AS v JOIN customers AS c USING (customer_id)
            QUALIFY row_number() OVER (PARTITION BY v.customer_id, v.known_at ORDER BY v.version_id DESC) = 1
        ), dated AS (
            SELECT customer_id, {columns}, since AS moment FROM (
                SELECT *, CASE WHEN place = 1 AND known_at = recorded_at THEN moment ELSE known_at END AS since
                FROM known JOIN first USING (customer_id)
            ) WHERE since < getvariable('as_of')
            UNION ALL
            SELECT customer_id, {columns}, moment FROM customers JOIN first USING (customer_id)
            WHERE moment < getvariable('as_of') AND customer_id NOT IN (SELECT customer_id FROM known)
            UNION ALL
            SELECT customer_id, {columns}, getvariable('as_of') FROM customers
        )
        SELECT customer_id, moment::TIMESTAMPTZ AS event_timestamp, {", ".join(typed)}
        FROM dated ORDER BY customer_id, event_timestamp"""


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

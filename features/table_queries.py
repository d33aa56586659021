"""The definitions of `features.from_events` for everybody and every moment, in DuckDB's SQL.

A customer's row is written at every moment a value changes (an event, or one leaving its window) and once
more as of the export, so that the latest row not after a moment is what was known at that moment. The
views `interactions`, `contacts`, `answers` and `customers` and the variable `as_of` must be there.
"""

from collections.abc import Sequence

from features.customer_history import COUNTED, MOST_OFFERS
from features.from_events import CONTACT_SETTLES, OFFER_FEATURES, PROFILE_FEATURES, WINDOW_DAYS
from recsys.interactions.weights import EVIDENCE, SIGNAL_HALF_LIFE_DAYS, SIGNALS

_OFFER_WINDOW_DAYS = 90
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
    """Return the query of the answers to an offer, by day: a row an answer would make the join of training explode.

    A day counts from the midnight at its end on.
    """
    counts = ", ".join(f"coalesce(sum({name}) OVER until, 0)::BIGINT AS {name}" for name in OFFER_FEATURES)
    leaving = ", ".join(f"-{name} AS {name}" for name in OFFER_FEATURES)
    return f"""
        WITH daily AS (
            SELECT offer_id, date_trunc('day', answered_at) + INTERVAL 1 DAY AS moment,
                count(*) AS offer_pitched_count_90d,
                count(*) FILTER (answer = 'accepted') AS offer_accepted_count_90d,
                count(*) FILTER (answer = 'declined') AS offer_declined_count_90d
            FROM answers WHERE answer <> 'not_pitched' AND answered_at <= getvariable('as_of') GROUP BY ALL
        ), changes AS (
            FROM daily
            UNION ALL BY NAME
            SELECT offer_id, moment + INTERVAL {_OFFER_WINDOW_DAYS} DAY AS moment, {leaving} FROM daily
            UNION ALL BY NAME
            SELECT DISTINCT offer_id, getvariable('as_of') AS moment FROM daily
        )
        SELECT DISTINCT offer_id, moment::TIMESTAMPTZ AS event_timestamp, {counts}
        FROM changes WHERE moment <= getvariable('as_of')
        WINDOW until AS (PARTITION BY offer_id ORDER BY moment) ORDER BY offer_id, event_timestamp"""

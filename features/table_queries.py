"""The definitions of `features.from_events` for everybody and every moment, in DuckDB's SQL.

A customer's row is written at every moment a value changes (an event, or one leaving its window) and once
more as of the export, so that the latest row not after a moment is what was known at that moment. The
views `interactions`, `contacts`, `answers` and `customers` and the variable `as_of` must be there.
"""

from collections.abc import Sequence

from features.from_events import CONTACT_SETTLES, OFFER_FEATURES, PROFILE_FEATURES, WINDOW_DAYS

_OFFER_WINDOW_DAYS = 90
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
            SELECT customer_id, {columns},
                CASE WHEN place = 1 AND known_at = recorded_at THEN moment ELSE known_at END AS moment
            FROM known JOIN first USING (customer_id) WHERE known_at < getvariable('as_of')
            UNION ALL
            SELECT customer_id, {columns}, moment FROM customers JOIN first USING (customer_id)
            WHERE moment < getvariable('as_of') AND customer_id NOT IN (SELECT customer_id FROM known)
            UNION ALL
            SELECT customer_id, {columns}, getvariable('as_of') FROM customers
        )
        SELECT customer_id, moment::TIMESTAMPTZ AS event_timestamp, {", ".join(typed)}
        FROM dated ORDER BY customer_id, event_timestamp"""


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

"""Monthly extracts among imported interactions: recognised, and every run of dates made one holding."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, Integer, String, Table, bindparam, select, text

from recsys.domain.extract import LEAST_PAIRS, LEAST_REPEATED, Date, is_extract
from recsys.storage.import_report import ExtractReport
from recsys.storage.moments import UtcDateTime
from recsys.storage.staging import analyse_staging, index_staging, metadata, staged_interactions

CHANNEL = "extract"
"""The channel of rows that no file has: what was inferred from extracts, and the traces by which the log knows them."""
HELD = "('holding', 'accepted')"
_LEAST_LIKE_ONE = 0.3

extract_dates = Table(
    "extract_dates",
    metadata,
    Column("at", UtcDateTime, primary_key=True),
    Column("number", Integer, comment="from 1 on among those of the file; empty: of an earlier import"),
    Column("day", String, unique=True, comment="the bank's; empty: of an earlier import"),
    prefixes=["TEMPORARY"],
)
staged_standing = Table(
    "staged_standing",
    metadata,
    Column("customer_id", String, nullable=False),
    Column("offer_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)
staged_runs = Table(
    "staged_runs",
    metadata,
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", String, nullable=False),
    Column("offer_id", String, nullable=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)
"""Pairs of customer and offer that stand on consecutive dates of the file, from the first to the last one's number."""

_COUNTS = text("""
    SELECT count(*), sum(CASE WHEN following = number + 1 THEN 1 ELSE 0 END)
    FROM (SELECT number, lead(number) OVER (PARTITION BY customer_id, offer_id ORDER BY number) AS following
          FROM staged_standing) AS s GROUP BY number ORDER BY number
""")
_RUNS = text("""
    INSERT INTO staged_runs (line, customer_id, offer_id, first, last)
    SELECT line, customer_id, offer_id, first, last
    FROM (SELECT *, min(number) OVER run AS first, max(number) OVER run AS last
          FROM (SELECT *, number - row_number() OVER (PARTITION BY customer_id, offer_id ORDER BY number) AS island
                FROM staged_standing) AS s
          WINDOW run AS (PARTITION BY customer_id, offer_id, island)) AS r
    WHERE number = first
""")
_KNOWN_DATES = text(f"""
    SELECT DISTINCT occurred_at FROM interactions
    WHERE kind = 'holding' AND channel = '{CHANNEL}' AND weight = 0 AND outcome_id IS NULL
""").columns(occurred_at=UtcDateTime)
_AT = bindparam("at", type_=UtcDateTime)
_IMPORTED = f"kind IN {HELD} AND weight > 0 AND outcome_id IS NULL"
_BEFORE = text(f"""
    SELECT count(*), coalesce(sum(CASE WHEN EXISTS (
        SELECT 1 FROM staged_standing AS s WHERE s.customer_id = h.customer_id AND s.offer_id = h.offer_id)
        THEN 1 ELSE 0 END), 0)
    FROM (SELECT DISTINCT customer_id, offer_id FROM interactions AS i
          WHERE {_IMPORTED} AND (occurred_at < :at OR :itself = 1 AND occurred_at = :at) AND NOT EXISTS (
              SELECT 1 FROM interactions AS c WHERE c.customer_id = i.customer_id AND c.offer_id = i.offer_id
              AND c.kind = 'cancelled' AND c.occurred_at >= i.occurred_at AND c.occurred_at <= :at)) AS h
""").bindparams(_AT)
_AFTER = text(f"""
    SELECT count(*), coalesce(sum(CASE WHEN EXISTS (
        SELECT 1 FROM interactions AS i WHERE i.customer_id = s.customer_id AND i.offer_id = s.offer_id
        AND {_IMPORTED} AND i.occurred_at <= :at AND NOT EXISTS (
            SELECT 1 FROM interactions AS c WHERE c.customer_id = i.customer_id AND c.offer_id = i.offer_id
            AND c.kind = 'cancelled' AND c.occurred_at >= i.occurred_at AND c.occurred_at <= :at))
        THEN 1 ELSE 0 END), 0)
    FROM staged_standing AS s
""").bindparams(_AT)
_SPAN = text(f"SELECT min(occurred_at) AS first, max(occurred_at) AS last FROM interactions WHERE {_IMPORTED}").columns(
    first=UtcDateTime, last=UtcDateTime
)


@dataclass(frozen=True, slots=True)
class Extract:
    """An extract that was found: its rows, dates and holdings, the kinds of its rows, and how it was recognised.

    `single` is the one date of all holdings in the log where that turned out to be an extract too.
    """

    rows: int
    dates: tuple[datetime, ...]
    holdings: int
    kinds: tuple[str, ...]
    how: str
    single: datetime | None = None
    first_unknown: int = 0
    ended: int = 0

    def described(self) -> ExtractReport:
        """Return it as a report has it."""
        first, last = self.dates[0].date().isoformat(), self.dates[-1].date().isoformat()
        counts = self.holdings, self.first_unknown, self.ended
        return ExtractReport(self.how, self.rows, len(self.dates), first, last, *counts)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How many of `held` holdings that the log knows stand in a file of one date."""

    held: int
    standing: int
    single: datetime | None = None

    @property
    def is_extract(self) -> bool:
        """Whether the file says what is held."""
        return self.held >= LEAST_PAIRS and self.standing >= LEAST_REPEATED * self.held

    @property
    def is_like_one(self) -> bool:
        """Whether somebody may have meant an extract, of which too much is missing."""
        return self.held >= LEAST_PAIRS and not self.is_extract and self.standing >= _LEAST_LIKE_ONE * self.held

    def __str__(self) -> str:
        return (
            f"it has one date, and {self.standing:,} of {self.held:,} holdings that are known then stand in it. It is "
            "not taken for complete: nothing that is missing has ended. If it is complete, say so in the mapping "
            "(interactions: extract: true)."
        )


def find_extract(
    connection: Connection, offset_minutes: int, declared: bool | None, is_alone: bool = False
) -> tuple[Extract | None, Likeness | None]:
    """Recognise an extract among the staged interactions, and make every run of its dates one staged holding.

    A day is one of the bank's, whose clocks are `offset_minutes` ahead of UTC. `declared` says what the mapping does.
    Also returns what a file of one date has in common with the log, where that was asked; `is_alone`: nothing of the
    log will count.
    """
    present = connection.execute(
        text(f"SELECT DISTINCT kind FROM staged_interactions WHERE kind IN {HELD} AND weight > 0 ORDER BY kind")
    )
    kinds = tuple(present.scalars())
    analyse_staging(connection, staged_interactions)
    if not kinds or declared is False:
        return None, None
    likeness, how = None, "declared"
    if declared is None:
        how = "recognised"
        stood: tuple[str, ...] = ()
        chosen: list[str] = []
        for kind in kinds:
            stood = (kind,)
            _stand(connection, stood, offset_minutes)
            if is_extract([Date(*row) for row in connection.execute(_COUNTS)]):
                chosen.append(kind)
        if not chosen:
            _stand(connection, kinds, offset_minutes)
            dates = _dates(connection)
            likeness = _likeness(connection, dates[0]) if len(dates) == 1 and not is_alone else None
            if likeness is None or not likeness.is_extract:
                return None, likeness
            how = "like what is known"
        kinds = tuple(chosen) or kinds
        if stood != kinds:
            _stand(connection, kinds, offset_minutes)
    else:
        _stand(connection, kinds, offset_minutes)
    earliest = [] if is_alone else known_dates(connection)[:1]
    return _collapsed(connection, kinds, how, likeness.single if likeness else None, earliest), likeness


def known_dates(connection: Connection) -> list[datetime]:
    """Return the dates of the extracts that were imported."""
    return sorted(connection.execute(_KNOWN_DATES).scalars())


def _stand(connection: Connection, kinds: Sequence[str], offset_minutes: int) -> None:
    """Fill `extract_dates` and `staged_standing` with the rows of these kinds, one a pair and day."""
    day = f"date(occurred_at, '{offset_minutes:+d} minutes')"
    if connection.dialect.name == "postgresql":
        day = f"CAST(CAST((occurred_at AT TIME ZONE 'UTC') + interval '{offset_minutes:d} minutes' AS date) AS varchar)"
    rows = f"staged_interactions WHERE kind IN ({', '.join(map(repr, kinds))}) AND weight > 0"
    connection.execute(text("DELETE FROM extract_dates"))
    connection.execute(text("DELETE FROM staged_standing"))
    connection.execute(
        text(f"""
        INSERT INTO extract_dates (at, number, day)
        SELECT max(occurred_at), row_number() OVER (ORDER BY {day}), {day} FROM {rows} GROUP BY {day}
    """)
    )
    connection.execute(
        text(f"""
        INSERT INTO staged_standing (customer_id, offer_id, number, line)
        SELECT customer_id, offer_id, number, min(line)
        FROM (SELECT customer_id, offer_id, {day} AS day, line FROM {rows}) AS s
        JOIN extract_dates AS d ON d.day = s.day
        GROUP BY customer_id, offer_id, number
    """)
    )


def _dates(connection: Connection) -> list[datetime]:
    return list(connection.execute(select(extract_dates.c.at).order_by(extract_dates.c.number)).scalars())


def _likeness(connection: Connection, at: datetime) -> Likeness:
    """Hold a file of one date against what the log says was held then, else against what it says of the next date."""
    known = known_dates(connection)
    first, last = connection.execute(_SPAN).one()
    single = first if first is not None and first == last and first != at and not known else None
    held, standing = connection.execute(_BEFORE, {"at": at, "itself": int(at in known)}).one()
    if held or first is None:
        return Likeness(held, standing, single)
    following = next((date for date in known if date > at), single)
    if following is None:
        return Likeness(0, 0)
    pairs, again = connection.execute(_AFTER, {"at": following}).one()
    return Likeness(pairs, again, single)


def _collapsed(
    connection: Connection, kinds: Sequence[str], how: str, single: datetime | None, earliest: Sequence[datetime]
) -> Extract:
    """Leave the first row of every run, as a holding; all others say what is known."""
    connection.execute(_RUNS)
    index_staging(connection, staged_runs, "customer_id", "offer_id")
    analyse_staging(connection, staged_runs, extract_dates)
    of_kinds = f"kind IN ({', '.join(map(repr, kinds))}) AND weight > 0"
    rows = connection.execute(text(f"SELECT count(*) FROM staged_interactions WHERE {of_kinds}")).scalar_one()
    is_first = "EXISTS (SELECT 1 FROM staged_runs AS r WHERE r.line = staged_interactions.line)"
    connection.execute(text(f"UPDATE staged_interactions SET is_known = true WHERE {of_kinds} AND NOT {is_first}"))
    connection.execute(text(f"UPDATE staged_interactions SET kind = 'holding' WHERE {of_kinds}"))
    dates = tuple(_dates(connection))
    holdings = connection.execute(text("SELECT count(*) FROM staged_runs")).scalar_one()
    unknown = text("SELECT count(*) FROM staged_runs WHERE first = 1")
    ended = text("SELECT count(*) FROM staged_runs WHERE last < :dates")
    return Extract(
        rows,
        dates,
        holdings,
        tuple(kinds),
        how,
        single,
        0 if any(date < dates[0] for date in earliest) else connection.execute(unknown).scalar_one(),
        connection.execute(ended, {"dates": len(dates)}).scalar_one(),
    )

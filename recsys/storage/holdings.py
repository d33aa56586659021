"""Who holds what since when: a repeated holding is known already, and what an extract lacks has ended."""

from datetime import datetime

from sqlalchemy import Boolean, Column, Connection, Integer, String, Table, bindparam, insert, text

from recsys.storage.extracts import CHANNEL, HELD, Extract, extract_dates, known_dates
from recsys.storage.moments import UtcDateTime
from recsys.storage.protective_cells import INTERACTIONS_HOLD
from recsys.storage.schema import interactions
from recsys.storage.staging import analyse_staging, index_staging, metadata

TRACES = 3
"""Of the rows of every extract, so many are kept without weight: by them the log knows of which dates it knows all."""

_KIND = "kind IN ('holding', 'accepted', 'cancelled')"
_STATES = f"{_KIND} AND (weight > 0 OR kind = 'cancelled')"

held_pairs = Table(
    "held_pairs",
    metadata,
    Column("customer_id", String, primary_key=True),
    Column("offer_id", String, primary_key=True),
    prefixes=["TEMPORARY"],
)
held_spells = Table(
    "held_spells",
    metadata,
    Column("customer_id", String, nullable=False),
    Column("offer_id", String, nullable=False),
    Column("begins", UtcDateTime, nullable=False),
    Column("ends", UtcDateTime),
    Column("is_listed", Boolean, nullable=False, comment="a holding that was imported: of an offer that extracts list"),
    Column("is_live", Boolean, nullable=False),
    prefixes=["TEMPORARY"],
)
"""What the log knew before: one row a holding or acceptance, until the next cancellation."""

held_points = Table(
    "held_points",
    metadata,
    Column("customer_id", String, nullable=False),
    Column("offer_id", String, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("place", Integer, nullable=False, comment="in what order things of one moment count"),
    Column("is_held", Integer, nullable=False),
    Column("source", String, nullable=False),
    Column("reference", interactions.c.interaction_id.type),
    prefixes=["TEMPORARY"],
)
"""All that is known of a pair: each point says whether it is held from then on."""

held_changes = Table(
    "held_changes",
    metadata,
    *(Column(column.name, column.type) for column in held_points.columns),
    Column("was_held", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)

_ANY_HOLDING = text("SELECT EXISTS (SELECT 1 FROM interactions WHERE kind = 'holding' AND outcome_id IS NULL)")
_ANY_STAGED = text("SELECT EXISTS (SELECT 1 FROM staged_interactions WHERE kind IN ('holding', 'cancelled'))")
_PAIRS = f"INSERT INTO held_pairs SELECT DISTINCT customer_id, offer_id FROM ({{}}) AS s WHERE {_KIND}"
_SPELLS = text(f"""
    INSERT INTO held_spells (customer_id, offer_id, begins, ends, is_listed, is_live)
    SELECT customer_id, offer_id, occurred_at, ends, kind = 'holding' AND outcome_id IS NULL, outcome_id IS NOT NULL
    FROM (SELECT i.*, min(CASE WHEN kind = 'cancelled' THEN occurred_at END) OVER (
              PARTITION BY i.customer_id, i.offer_id ORDER BY occurred_at, kind = 'cancelled', interaction_id
              ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS ends
          FROM interactions AS i JOIN held_pairs AS p ON p.customer_id = i.customer_id AND p.offer_id = i.offer_id
          WHERE {_STATES}) AS s
    WHERE kind <> 'cancelled'
""")
_POINT = "INSERT INTO held_points (customer_id, offer_id, at, place, is_held, source, reference) SELECT"
_OF_LOG = text(f"""
    {_POINT} i.customer_id, i.offer_id, occurred_at, CASE WHEN kind = 'cancelled' THEN 3 ELSE 0 END,
        CASE WHEN kind = 'cancelled' THEN 0 ELSE 1 END,
        CASE WHEN outcome_id IS NOT NULL OR kind = 'accepted' THEN 'said' WHEN kind = 'holding' THEN 'log holding'
             WHEN channel = '{CHANNEL}' THEN 'log ending' ELSE 'said' END, interaction_id
    FROM interactions AS i JOIN held_pairs AS p ON p.customer_id = i.customer_id AND p.offer_id = i.offer_id
    WHERE {_STATES}
""")
_OF_FILE = text(f"""
    {_POINT} customer_id, offer_id, occurred_at, CASE WHEN kind = 'cancelled' THEN 4 ELSE 1 END,
        CASE WHEN kind = 'cancelled' THEN 0 ELSE 1 END,
        CASE WHEN kind = 'holding' THEN 'row' ELSE 'said' END, line
    FROM staged_interactions WHERE is_known IS NULL AND {_STATES}
""")
_IN_RUN = """EXISTS (SELECT 1 FROM staged_runs AS r WHERE r.customer_id = {0}.customer_id
    AND r.offer_id = {0}.offer_id AND r.first <= {1}.number AND r.last >= {1}.number)"""
_IN_LOG = """EXISTS (SELECT 1 FROM held_spells AS h WHERE h.customer_id = {0}.customer_id
    AND h.offer_id = {0}.offer_id AND h.begins <= {1}.at AND (h.ends IS NULL OR h.ends > {1}.at))"""
_READABLE = f"""NOT EXISTS (SELECT 1 FROM staged_holds AS b WHERE b.customer_id = {{0}}.customer_id
    AND b.subject LIKE '{INTERACTIONS_HOLD}%')"""
_ABSENT = f"{_POINT} DISTINCT s.customer_id, s.offer_id, d.at, 5, 0, 'absent', CAST(NULL AS bigint)"
_ENDS_OF_RUNS = text(f"""
    {_ABSENT} FROM staged_runs AS s JOIN extract_dates AS d ON d.number = s.last + 1 WHERE {_READABLE.format("s")}
""")
_GONE_FROM_FILE = text(f"""
    {_ABSENT} FROM held_spells AS s
    JOIN extract_dates AS d ON d.number IS NOT NULL AND d.at > s.begins AND (s.ends IS NULL OR s.ends > d.at)
    WHERE NOT {_IN_RUN.format("s", "d")} AND {_READABLE.format("s")}
    AND (s.is_listed OR s.offer_id IN (SELECT offer_id FROM staged_runs))
    AND (NOT s.is_live OR EXISTS (SELECT 1 FROM extract_dates AS g WHERE g.at >= s.begins AND g.at < d.at))
""")
_ABSENT_WITHIN_RUNS = text(f"""
    {_ABSENT} FROM staged_runs AS s JOIN extract_dates AS f ON f.number = s.first
    JOIN extract_dates AS l ON l.number = s.last
    JOIN extract_dates AS d ON d.number IS NULL AND d.at > f.at AND d.at < l.at WHERE NOT {_IN_LOG.format("s", "d")}
""")
_ABSENT_AFTER_RUNS = text(f"""
    {_ABSENT} FROM staged_runs AS s JOIN extract_dates AS l ON l.number = s.last
    JOIN extract_dates AS d ON d.number IS NULL AND d.at = (SELECT min(g.at) FROM extract_dates AS g WHERE g.at > l.at)
    WHERE NOT {_IN_LOG.format("s", "d")}
""")
_ABSENT_AFTER_ROWS = text(f"""
    {_ABSENT} FROM staged_interactions AS s
    JOIN extract_dates AS d ON d.at = (SELECT min(g.at) FROM extract_dates AS g WHERE g.at > s.occurred_at)
    WHERE s.is_known IS NULL AND s.kind IN {HELD} AND s.weight > 0
    AND NOT EXISTS (SELECT 1 FROM staged_runs AS r WHERE r.line = s.line) AND {_READABLE.format("s")}
    AND (d.number IS NOT NULL AND NOT {_IN_RUN.format("s", "d")} OR d.number IS NULL AND NOT {_IN_LOG.format("s", "d")})
    AND (s.kind = 'holding' OR s.offer_id IN (SELECT offer_id FROM staged_runs)
         OR s.offer_id IN (SELECT offer_id FROM interactions WHERE kind = 'holding' AND outcome_id IS NULL))
""")
_STANDS_AGAIN = text(f"""
    {_POINT} DISTINCT s.customer_id, s.offer_id, d.at, 2, 1, 'present', CAST(NULL AS bigint) FROM held_points AS s
    JOIN extract_dates AS d ON d.at = (SELECT min(g.at) FROM extract_dates AS g WHERE g.at > s.at)
    WHERE s.is_held = 0 AND (d.number IS NOT NULL AND {_IN_RUN.format("s", "d")}
                             OR d.number IS NULL AND {_IN_LOG.format("s", "d")})
""")
_CHANGES = text("""
    INSERT INTO held_changes
    SELECT customer_id, offer_id, at, place, is_held, source, reference,
        coalesce(lag(is_held) OVER (PARTITION BY customer_id, offer_id ORDER BY at, place, reference), 0)
    FROM held_points
""")
_KNOWN_ROWS = text("""
    UPDATE staged_interactions SET is_known = true
    WHERE line IN (SELECT reference FROM held_changes WHERE source = 'row' AND was_held = 1)
""")
_NOT_NEEDED = text("""
    DELETE FROM interactions WHERE interaction_id IN (
        SELECT reference FROM held_changes
        WHERE source = 'log holding' AND was_held = 1 OR source = 'log ending' AND was_held = 0)
""")
_INFERRED = "INSERT INTO inferred_interactions (customer_id, offer_id, occurred_at, kind, channel, weight) SELECT"
_INFER = text(f"""
    {_INFERRED} customer_id, offer_id, at, CASE WHEN is_held = 1 THEN 'holding' ELSE 'cancelled' END, '{CHANNEL}', 1
    FROM held_changes WHERE source IN ('absent', 'present') AND was_held <> is_held ORDER BY customer_id, offer_id, at
""")
_TRACE_OF_FILE = text(f"""
    {_INFERRED} customer_id, offer_id, d.at, 'holding', '{CHANNEL}', 0 FROM staged_runs
    JOIN extract_dates AS d ON d.at = :at AND first <= d.number AND last >= d.number
    ORDER BY customer_id, offer_id LIMIT {TRACES}
""").bindparams(bindparam("at", type_=UtcDateTime))
_TRACE_OF_LOG = text(f"""
    {_INFERRED} customer_id, offer_id, occurred_at, 'holding', '{CHANNEL}', 0 FROM interactions
    WHERE occurred_at = :at AND kind = 'holding' AND outcome_id IS NULL AND weight > 0
    ORDER BY customer_id, offer_id LIMIT {TRACES}
""").bindparams(bindparam("at", type_=UtcDateTime))
_ONE_DATE_IS_HELD = text(
    "UPDATE interactions SET kind = 'holding' WHERE kind = 'accepted' AND outcome_id IS NULL AND occurred_at = :at"
).bindparams(bindparam("at", type_=UtcDateTime))

_ENDED = text(f"""
    SELECT count(*) FROM interactions WHERE kind = 'cancelled' AND channel = '{CHANNEL}'
    AND occurred_at IN (SELECT at FROM extract_dates WHERE number IS NOT NULL)
""")


def settle_holdings(connection: Connection, extract: Extract | None) -> None:
    """Bring staged rows and the log to one account of who holds what, whatever order files are imported in.

    Of holdings that say the same the earliest stays, staged or in the log. What stood in one extract and not in the
    next one gets a cancellation of that date, and what stands again later a holding; both are put among
    `inferred_interactions`. What a person answered live is never removed, and nothing ends for whom a row of this
    import could not be read. A live acceptance has until the second extract to stand in one.
    """
    if not extract and not any(connection.execute(ask).scalar() for ask in (_ANY_STAGED, _ANY_HOLDING)):
        return
    before = _know_dates(connection, extract)
    _gather(connection, extract)
    connection.execute(_CHANGES)
    analyse_staging(connection, held_changes)
    connection.execute(_KNOWN_ROWS)
    connection.execute(_NOT_NEEDED)
    connection.execute(_INFER)
    for at in extract.dates if extract else ():
        if at not in before:
            connection.execute(_TRACE_OF_FILE, {"at": at})
    if extract and extract.single:
        connection.execute(_TRACE_OF_LOG, {"at": extract.single})


def count_ended(connection: Connection) -> int:
    """Return how many holdings ended on the dates of the file because an extract lacks them."""
    ended: int = connection.execute(_ENDED).scalar_one()
    return ended


def _know_dates(connection: Connection, extract: Extract | None) -> list[datetime]:
    """Leave in `extract_dates` those of the file, numbered, and those of earlier imports; return the latter."""
    if extract is None:
        connection.execute(text("DELETE FROM extract_dates"))
    known = known_dates(connection)
    if extract and extract.single:
        connection.execute(_ONE_DATE_IS_HELD, {"at": extract.single})
    single = [extract.single] if extract and extract.single else []
    others = [{"at": at} for at in [*known, *single] if not extract or at not in extract.dates]
    if others:
        connection.execute(insert(extract_dates).values(number=None), others)
    return known


def _gather(connection: Connection, extract: Extract | None) -> None:
    """Fill `held_points`: of the pairs that rows name, and with an extract of all that were ever held."""
    staged = "staged_interactions"
    named = f"SELECT customer_id, offer_id, kind FROM {staged}"
    if extract:
        named = " UNION ALL ".join(f"SELECT customer_id, offer_id, kind FROM {one}" for one in (staged, "interactions"))
    connection.execute(text(_PAIRS.format(named)))
    analyse_staging(connection, held_pairs, extract_dates)
    connection.execute(_SPELLS)
    index_staging(connection, held_spells, "customer_id", "offer_id")
    analyse_staging(connection, held_spells)
    for statement in (
        _OF_LOG,
        _OF_FILE,
        _ENDS_OF_RUNS,
        _GONE_FROM_FILE,
        _ABSENT_WITHIN_RUNS,
        _ABSENT_AFTER_RUNS,
        _ABSENT_AFTER_ROWS,
        _STANDS_AGAIN,
    ):
        connection.execute(statement)

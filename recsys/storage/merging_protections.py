"""Merges what an import says of protections into the ledger: statements of good rows, and holds of the others."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Table, bindparam, func, select, text

from recsys.domain.protection import DELIVERED_FLAGS, FLAGS, UNREADABLE, Purpose
from recsys.storage.contact_log import SATISFIED_CSAT
from recsys.storage.merging import CREATED
from recsys.storage.moments import UtcDateTime
from recsys.storage.protection_log import IN_FORCE, say_flags
from recsys.storage.protective_cells import (
    CONTACTS_HOLD,
    CUSTOMERS_HOLD,
    INTERACTIONS_HOLD,
    NAMESAKE_HOLD,
    REASON_HOLD,
    SUBJECT_OF_COLUMN,
    TWIN_HOLD,
)
from recsys.storage.schema import protections
from recsys.storage.staging import (
    index_staging,
    staged_consents,
    staged_contacts,
    staged_customers,
    staged_interactions,
)

_AT = bindparam("at", type_=UtcDateTime)
_LAST_STATEMENT = select(func.coalesce(func.max(protections.c.statement_id), 0))
_ADD = "INSERT INTO protections (customer_id, subject, value, as_of, recorded_at, source, why)"
_LAST_OF_IMPORT = """(
    SELECT p.{column} FROM protections AS p
    WHERE p.customer_id = s.customer_id AND p.subject = {subject} AND p.source = 'import'
    ORDER BY p.statement_id DESC LIMIT 1)"""
_HOLDS = text(f"""
    {_ADD} SELECT s.customer_id, s.subject, s.value, :at, :at, 'import', s.why FROM (
        SELECT customer_id, subject, value, min(why) AS why FROM staged_holds
        WHERE subject LIKE '{UNREADABLE}%' GROUP BY customer_id, subject, value) AS s
    WHERE s.why <> coalesce({_LAST_OF_IMPORT.format(column="why", subject="s.subject")}, '')
""").bindparams(_AT)
_PROTECTIVE = text(f"""
    INSERT INTO protections (customer_id, subject, value, recorded_at, source)
    SELECT DISTINCT s.customer_id, s.subject, s.value, :at, 'import' FROM staged_holds AS s
    WHERE s.subject NOT LIKE '{UNREADABLE}%' AND s.value <> coalesce(
        {_LAST_OF_IMPORT.format(column="value", subject="s.subject")}, NOT s.value)
""").bindparams(_AT)
_OTHERS_ALIKE = text(f"""
    INSERT INTO staged_holds (customer_id, subject, value, why)
    SELECT c.customer_id, '{NAMESAKE_HOLD}', true, 'the id is like that of a customer who is known'
    FROM customers AS c WHERE c.import_key = '{CREATED}' AND c.alike IN (
        SELECT alike FROM customers GROUP BY alike HAVING count(*) > 1)
    AND EXISTS (SELECT 1 FROM customers AS k WHERE k.alike = c.alike AND k.customer_id <> c.customer_id
                AND coalesce(k.import_key, '') <> '{CREATED}')
""")
_ALIKE = text("""
    SELECT alike, count(*), min(customer_id), max(customer_id) FROM customers
    GROUP BY alike HAVING count(*) > 1 ORDER BY count(*) DESC, alike
""")
_FLAGGED = " OR ".join(f"k.flags LIKE '%\"{flag}\"%'" for flag in DELIVERED_FLAGS)
_OPEN = f"is_complaint AND coalesce(csat, 0) < {SATISFIED_CSAT} AND opened_at >= :since"
_SINCE = bindparam("since", type_=UtcDateTime)
_TWINS = text(f"""
    INSERT INTO staged_holds (customer_id, subject, value, why)
    SELECT c.customer_id, '{TWIN_HOLD}', true, 'the id is like that of another customer, who is protected'
    FROM customers AS c WHERE c.alike IN (SELECT alike FROM customers GROUP BY alike HAVING count(*) > 1)
    AND EXISTS (SELECT 1 FROM customers AS k WHERE k.alike = c.alike AND k.customer_id <> c.customer_id
                AND ({_FLAGGED} OR EXISTS (
                    SELECT 1 FROM protections AS p WHERE p.customer_id = k.customer_id
                    AND p.subject = '{Purpose.MARKETING}' AND NOT p.value)
                OR EXISTS (
                    SELECT 1 FROM protections AS p WHERE p.customer_id = k.customer_id AND p.value
                    AND p.subject LIKE '{UNREADABLE}/%' AND p.subject NOT IN ('{NAMESAKE_HOLD}', '{TWIN_HOLD}')
                    AND NOT EXISTS (
                        SELECT 1 FROM protections AS q WHERE q.customer_id = p.customer_id AND q.subject = p.subject
                        AND NOT q.value AND (q.as_of, q.statement_id) > (p.as_of, p.statement_id)))
                OR EXISTS (
                    SELECT 1 FROM contacts WHERE customer_id = k.customer_id AND {_OPEN})))
""").bindparams(_SINCE)
_MOVED_COMPLAINTS = text(f"""
    INSERT INTO staged_holds (customer_id, subject, value, why)
    SELECT k.customer_id, '{REASON_HOLD}' || k.contact_id, true,
           'the complaint of contact ' || k.contact_id || ' is said to be that of ' || s.customer_id || ' now'
    FROM (SELECT * FROM contacts WHERE import_key IS NOT NULL AND {_OPEN}) AS k
    JOIN staged_contacts AS s ON s.contact_id = k.contact_id WHERE k.customer_id <> s.customer_id
""").bindparams(_SINCE)
_HELD = text(f"""
    SELECT count(*) FROM customers WHERE flags LIKE '%"{UNREADABLE}"%'
    AND customer_id IN (SELECT customer_id FROM staged_holds WHERE subject LIKE '{UNREADABLE}%')
""")
_DATED_ROWS = f"(SELECT * FROM {staged_customers.name} UNION ALL SELECT * FROM {staged_consents.name})"
_CONSENTS = f"""
    {_ADD} SELECT s.customer_id, '{{subject}}', s.{{column}}, s.as_of, :at, 'import', s.why FROM (
        SELECT customer_id, line, {{column}},
            CASE WHEN consents_as_of > :at THEN CASE WHEN {{column}} THEN NULL ELSE :at END ELSE consents_as_of END
                AS as_of,
            CASE WHEN consents_as_of > :at AND NOT {{column}}
                THEN 'dated after its import: ' || CAST(consents_as_of AS VARCHAR) END AS why
        FROM {_DATED_ROWS} AS r WHERE {{column}} IS NOT NULL) AS s
    WHERE s.as_of IS NULL AND s.{{column}} <> coalesce({{last}}, NOT s.{{column}})
    OR s.as_of IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM protections AS p WHERE p.customer_id = s.customer_id AND p.subject = '{{subject}}'
        AND p.source = 'import' AND p.value = s.{{column}} AND (p.why = s.why OR s.why IS NULL AND p.as_of = s.as_of))
    ORDER BY s.line
"""
_OUTVOTED = """
    SELECT s.customer_id FROM staged_customers AS s WHERE s.{column} = {value} AND {undated} AND s.{column} <> (
        SELECT p.value FROM protections AS p
        WHERE p.customer_id = s.customer_id AND p.subject = '{subject}' AND p.as_of IS NOT NULL
        ORDER BY p.as_of DESC, p.statement_id DESC LIMIT 1)
    ORDER BY s.line
"""
_TO_COME = text(f"SELECT count(*) FROM {_DATED_ROWS} AS s WHERE s.consents_as_of > :at").bindparams(_AT)


_GOOD_ROWS: Mapping[str, tuple[Table, tuple[str, ...], str]] = {
    CUSTOMERS_HOLD: (staged_customers, ("customer_id",), "g.customer_id = h.customer_id"),
    CONTACTS_HOLD: (
        staged_contacts,
        ("contact_id",),
        f"g.customer_id = h.customer_id AND g.contact_id = substr(h.subject, {len(CONTACTS_HOLD) + 1})",
    ),
    REASON_HOLD: (
        staged_contacts,
        ("contact_id",),
        f"g.customer_id = h.customer_id AND g.contact_id = substr(h.subject, {len(REASON_HOLD) + 1}) "
        "AND g.reason IS NOT NULL",
    ),
    INTERACTIONS_HOLD: (
        staged_interactions,
        ("customer_id", "offer_id"),
        f"g.customer_id = h.customer_id AND g.offer_id = substr(h.subject, {len(INTERACTIONS_HOLD) + 1})",
    ),
}
"""Hold → where a good row of what it is about stands, by which columns it is found, and the condition."""
_ENDING = f"""
    {_ADD} SELECT h.customer_id, h.subject, false, :at, :at, 'import', NULL
    FROM (SELECT :customer_id AS customer_id, :subject AS subject) AS h
    WHERE EXISTS (SELECT 1 FROM {{table}} AS g WHERE {{condition}})
    AND NOT EXISTS (SELECT 1 FROM staged_holds AS s WHERE s.customer_id = h.customer_id AND s.subject = h.subject)
"""


def merge_statements(connection: Connection, at: datetime) -> int:
    """Write to the ledger what the file says of flags and consents, unless an import said the same.

    That a flag does not hold is worth a line only where the last import said that it does. A dated statement is
    new when no import said so as of then, one without a date when the last import said otherwise. Nobody knows what
    will be: of what is dated after `at` a refusal counts from now on, and what is granted has no date. Returns how
    many were about consents.
    """
    before: int = connection.execute(_LAST_STATEMENT).scalar_one()
    for column, subject in SUBJECT_OF_COLUMN.items():
        last = _LAST_OF_IMPORT.format(column="value", subject=f"'{subject}'")
        if subject in FLAGS:
            statement = f"""
                {_ADD} SELECT s.customer_id, '{subject}', s.{column}, NULL, :at, 'import', NULL
                FROM staged_customers AS s
                WHERE s.{column} IS NOT NULL AND s.{column} <> coalesce({last}, false) ORDER BY s.line
            """
        else:
            statement = _CONSENTS.format(column=column, subject=subject, last=last)
        connection.execute(text(statement).bindparams(_AT), {"at": at})
    written = select(func.count()).where(protections.c.statement_id > before, protections.c.subject.not_in(FLAGS))
    _say_flags_since(connection, before)
    return connection.execute(written).scalar_one()


def outvoted_statements(connection: Connection, at: datetime) -> list[tuple[str, bool, Sequence[str]]]:
    """Return what rows say without a date against a statement with one: column, value, and whose, in their order."""
    found = []
    for column, subject in SUBJECT_OF_COLUMN.items():
        is_flag = subject in FLAGS
        undated = "true" if is_flag else f"(s.consents_as_of IS NULL OR s.consents_as_of > :at AND s.{column})"
        for value in (True, False):
            parts = {"column": column, "subject": subject, "value": str(value).lower(), "undated": undated}
            asked = text(_OUTVOTED.format(**parts))
            rows = connection.execute(asked) if is_flag else connection.execute(asked.bindparams(_AT), {"at": at})
            if names := rows.scalars().all():
                found.append((column, value, names))
    return found


def dates_to_come(connection: Connection, at: datetime) -> int:
    """Return how many rows date their consents after `at`."""
    return int(connection.execute(_TO_COME, {"at": at}).scalar_one())


def hold_moved_complaints(connection: Connection, since: datetime) -> None:
    """Stage holds of those whose complaint, begun after `since`, a staged contact says to be somebody else's."""
    connection.execute(_MOVED_COMPLAINTS, {"since": since})


def merge_holds(connection: Connection, at: datetime, complaints_since: datetime, columns: Sequence[str] = ()) -> int:
    """End the holds whose rows can be read now, hold whom rejected rows name, and return how many are held by them.

    Whoever only other files name is held too when the id is like that of somebody known; and whoever has a row of
    their own when that one is protected, held by a row, or complained after `complaints_since`. Everybody in
    `staged_holds` must be a customer by now; `columns` are those of the file of customers.
    """
    before: int = connection.execute(_LAST_STATEMENT).scalar_one()
    connection.execute(_OTHERS_ALIKE)
    _end_holds(connection, at, columns)
    connection.execute(_PROTECTIVE, {"at": at})
    connection.execute(_HOLDS, {"at": at})
    _say_flags_since(connection, before)
    connection.execute(_TWINS, {"since": complaints_since})
    connection.execute(_HOLDS, {"at": at})
    _say_flags_since(connection, before)
    return int(connection.execute(_HELD).scalar_one())


def ids_alike(connection: Connection) -> Sequence[tuple[int, str, str]]:
    """Return (how many, one, another) of the customers' ids that a person may take for the same one."""
    return [(count, one, other) for _, count, one, other in connection.execute(_ALIKE)]


def _end_holds(connection: Connection, at: datetime, columns: Sequence[str]) -> None:
    """Write that a hold is over where this import has a good row for what it was about, and no bad one."""
    standing = select(IN_FORCE.c.customer_id, IN_FORCE.c.subject).where(IN_FORCE.c.value)
    for hold, (staged, keys, good) in _GOOD_ROWS.items():
        rows = connection.execute(standing.where(IN_FORCE.c.subject.startswith(hold, autoescape=True))).all()
        by_condition: dict[str, list[dict[str, object]]] = {}
        for customer_id, subject in rows:
            said = _says(subject, columns) if hold == CUSTOMERS_HOLD and subject != NAMESAKE_HOLD else ""
            if said is not None:
                row = {"customer_id": customer_id, "subject": subject, "at": at}
                by_condition.setdefault(good + said, []).append(row)
        if by_condition:
            index_staging(connection, staged, *keys)
        for condition, values in by_condition.items():
            ending = _ENDING.format(table=staged.name, condition=condition)
            connection.execute(text(ending).bindparams(_AT), values)


def _says(subject: str, columns: Sequence[str]) -> str | None:
    """Return what a good row of customers must fulfil besides to end this hold; None: the file cannot end it."""
    wanted = subject.removeprefix(f"{CUSTOMERS_HOLD}/=")
    if wanted == subject:
        return ""
    return f" AND g.{wanted} IS NOT NULL" if wanted in set(columns) & set(SUBJECT_OF_COLUMN) else None


def _say_flags_since(connection: Connection, statement_id: int) -> None:
    flag = func.substr(protections.c.subject, 1, len(UNREADABLE)) == UNREADABLE
    said = select(protections.c.customer_id).where(
        protections.c.statement_id > statement_id, protections.c.subject.in_(FLAGS) | flag
    )
    say_flags(connection, connection.execute(said.distinct()).scalars().all())

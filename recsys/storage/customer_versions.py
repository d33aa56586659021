"""Keeps what was known of each customer with the moment it was known: who looks back must not know better."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, delete, insert, literal, select, text

from recsys.storage.moments import UtcDateTime
from recsys.storage.protective_cells import SUBJECT_OF_COLUMN
from recsys.storage.schema import customer_versions, customers
from recsys.storage.staging import staged_customers, staged_holds, staged_older

_FACTS = ("kind", "segment", "language", "risk_level")
_OUTDATED = text("""
    SELECT s.line FROM staged_customers AS s WHERE EXISTS (
        SELECT 1 FROM staged_customers AS o WHERE o.customer_id = s.customer_id AND o.known_at > s.known_at)
    OR EXISTS (
        SELECT 1 FROM customer_versions AS v WHERE v.customer_id = s.customer_id AND v.known_at > s.known_at)
""")
_BASE = (
    select(customer_versions)
    .where(
        customer_versions.c.customer_id == bindparam("customer_id"),
        customer_versions.c.known_at <= bindparam("known_at", type_=UtcDateTime),
    )
    .order_by(customer_versions.c.known_at.desc(), customer_versions.c.version_id.desc())
    .limit(1)
)
_CURRENT = text("""
    INSERT INTO customer_versions
        (customer_id, known_at, kind, segment, language, risk_level, attributes, import_digest)
    SELECT c.customer_id, s.known_at, c.kind, c.segment, c.language, c.risk_level, c.attributes, s.digest
    FROM staged_customers AS s JOIN customers AS c ON c.customer_id = s.customer_id
    LEFT JOIN customer_versions AS v ON v.version_id = (
        SELECT w.version_id FROM customer_versions AS w WHERE w.customer_id = s.customer_id
        ORDER BY w.known_at DESC, w.version_id DESC LIMIT 1)
    WHERE v.version_id IS NULL OR v.attributes <> c.attributes OR v.kind <> c.kind
        OR coalesce(v.segment, '') <> coalesce(c.segment, '') OR coalesce(v.language, '') <> coalesce(c.language, '')
        OR coalesce(v.risk_level, 0) <> coalesce(c.risk_level, 0)
    ORDER BY s.line
""")


def set_outdated_aside(connection: Connection) -> int:
    """Move the staged rows that are older than what is known to a table of their own; return how many.

    Whom they protect stays protected all the same.
    """
    lines = _OUTDATED.columns(staged_customers.c.line).subquery("outdated")
    is_outdated = staged_customers.c.line.in_(select(lines.c.line))
    names = [column.name for column in staged_customers.columns]
    copied = insert(staged_older).from_select(names, select(staged_customers).where(is_outdated))
    moved = connection.execute(copied).rowcount
    if moved:
        connection.execute(delete(staged_customers).where(staged_customers.c.line.in_(select(staged_older.c.line))))
        for column, subject in SUBJECT_OF_COLUMN.items():
            says = column == subject  # a flag protects where it holds, a consent where it is refused
            rows = select(staged_older.c.customer_id, literal(subject), literal(says), literal("")).where(
                staged_older.c[column].is_(says)
            )
            connection.execute(insert(staged_holds).from_select(["customer_id", "subject", "value", "why"], rows))
    return moved


def keep_current_versions(connection: Connection) -> None:
    """Add a version of every customer of whom the import has made something else known than the last version says."""
    connection.execute(_CURRENT)


def keep_older_versions(connection: Connection, columns: Sequence[str], attributes: Sequence[str]) -> int:
    """Add a version for every outdated row that says something else than what was known then; return how many."""
    rows = select(staged_older).order_by(staged_older.c.customer_id, staged_older.c.known_at, staged_older.c.line)
    added = 0
    for row in connection.execute(rows).mappings().all():
        base = connection.execute(_BASE, {name: row[name] for name in ("customer_id", "known_at")}).mappings().first()
        version = _version(row, base, columns, attributes)
        if base is None or any(version[name] != base[name] for name in (*_FACTS, "attributes")):
            connection.execute(insert(customer_versions), version)
            added += 1
    return added


def forget_versions(connection: Connection, unused: str) -> None:
    """Forget the versions of customers who are about to be removed; `unused` is the condition on `customers`."""
    gone = select(customers.c.customer_id).where(text(unused))
    connection.execute(delete(customer_versions).where(customer_versions.c.customer_id.in_(gone)))


def _version(row: Any, base: Any, columns: Sequence[str], attributes: Sequence[str]) -> dict[str, Any]:
    kept = {} if base is None else orjson.loads(base["attributes"])
    kept = {name: value for name, value in kept.items() if name not in attributes} | orjson.loads(row["attributes"])
    facts = {name: row[name] if name in columns else None if base is None else base[name] for name in _FACTS}
    return {
        "customer_id": row["customer_id"],
        "known_at": row["known_at"],
        **facts,
        "kind": facts["kind"] or "customer",
        "attributes": orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode(),
        "import_digest": row["digest"],
    }

"""Merges what an import has staged into the event log, inside one transaction, a second time without effect."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import BindParameter, Connection, bindparam, select, text, update

from recsys.domain.identifier import alike
from recsys.domain.protection import Purpose
from recsys.storage.contact_log import SATISFIED_CSAT
from recsys.storage.customer_versions import forget_versions
from recsys.storage.extracts import Extract
from recsys.storage.holdings import settle_holdings
from recsys.storage.moments import UtcDateTime
from recsys.storage.schema import customers
from recsys.storage.staging import BATCH, inferred_interactions, staged_customers, staged_interactions

CREATED = "created"
"""The `import_key` of a customer that only interactions or contacts name."""

_AT = bindparam("at", type_=UtcDateTime)
_NEW_CUSTOMER = (
    "INSERT INTO customers (customer_id, kind, attributes, recorded_at, import_key) "
    "SELECT DISTINCT customer_id, 'customer', '{}', :at, :key FROM"
)
_DELETE_IMPORTED_INTERACTIONS = text("DELETE FROM interactions WHERE outcome_id IS NULL")
_INTERACTIONS = """
    INSERT INTO interactions (customer_id, offer_id, occurred_at, kind, channel, weight)
    SELECT customer_id, offer_id, occurred_at, kind, channel, weight
    FROM (SELECT *, row_number() OVER (
              PARTITION BY customer_id, occurred_at, offer_id, kind, channel, weight) AS ordinal
          FROM {staged} WHERE is_known IS NULL) AS s
    WHERE ordinal > (
        SELECT count(*) FROM interactions AS i
        WHERE i.customer_id = s.customer_id AND i.occurred_at = s.occurred_at AND i.offer_id = s.offer_id
        AND i.kind = s.kind AND coalesce(i.channel, '') = coalesce(s.channel, '') AND i.weight = s.weight
        AND i.outcome_id IS NULL)
"""
_NEW_CONTACTS = text("""
    INSERT INTO contacts (contact_id, customer_id, opened_at, channel, direction, reason, is_complaint, sentiment,
                          agent_id, csat, closed_at, import_key)
    SELECT contact_id, customer_id, opened_at, channel, direction, reason, is_complaint, sentiment, agent_id, csat,
           closed_at, digest
    FROM staged_contacts WHERE true ORDER BY line
    ON CONFLICT (contact_id) DO NOTHING
""")
_CHANGED_CONTACTS = text("""
    UPDATE contacts SET customer_id = s.customer_id, opened_at = s.opened_at, channel = s.channel,
        direction = s.direction, reason = coalesce(s.reason, contacts.reason),
        is_complaint = CASE WHEN s.reason IS NULL THEN contacts.is_complaint ELSE s.is_complaint END,
        sentiment = s.sentiment, agent_id = s.agent_id, csat = s.csat, closed_at = s.closed_at, import_key = s.digest
    FROM staged_contacts AS s WHERE s.contact_id = contacts.contact_id AND contacts.import_key <> s.digest
""")
_DELETE_OTHER_CONTACTS = text(f"""
    DELETE FROM contacts WHERE import_key IS NOT NULL
    AND NOT (is_complaint AND coalesce(csat, 0) < {SATISFIED_CSAT} AND opened_at >= :since)
    AND NOT EXISTS (SELECT 1 FROM staged_contacts AS s WHERE s.contact_id = contacts.contact_id)
    AND NOT EXISTS (SELECT 1 FROM contact_events AS e WHERE e.contact_id = contacts.contact_id)
    AND NOT EXISTS (SELECT 1 FROM decisions AS d WHERE d.contact_id = contacts.contact_id)
""").bindparams(bindparam("since", type_=UtcDateTime))
_GONE = """
    import_key IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM staged_customers AS s WHERE s.customer_id = customers.customer_id)
    AND NOT EXISTS (SELECT 1 FROM staged_holds AS h WHERE h.customer_id = customers.customer_id)
"""
_PURPOSES = ", ".join(f"'{purpose}'" for purpose in Purpose)
_UNUSED = f"""
    {_GONE}
    AND NOT EXISTS (SELECT 1 FROM interactions AS i WHERE i.customer_id = customers.customer_id)
    AND NOT EXISTS (SELECT 1 FROM contacts AS c WHERE c.customer_id = customers.customer_id)
    AND NOT EXISTS (
        SELECT 1 FROM protections AS p WHERE p.customer_id = customers.customer_id
        AND (source <> 'import' OR p.value = (p.subject NOT IN ({_PURPOSES}))))
"""
_WITHOUT_KEY = select(customers.c.customer_id).where(customers.c.alike == "").limit(BATCH)
_SET_ALIKE = update(customers).where(customers.c.customer_id == bindparam("key")).values(alike=bindparam("like"))
_AGENTS = text("SELECT DISTINCT agent_id FROM staged_contacts WHERE agent_id IS NOT NULL")
_NEW_OFFERS = text("SELECT DISTINCT offer_id FROM staged_interactions ORDER BY offer_id")


@dataclass(frozen=True, slots=True)
class Merged:
    """How many rows of a table were added and how many changed."""

    added: int
    changed: int = 0


def create_customers(connection: Connection, staged: str, at: datetime, key: str = CREATED) -> int:
    """Add a bare customer for every id in a staged table that is not there; return how many."""
    statement = text(f"{_NEW_CUSTOMER} {staged} WHERE true ON CONFLICT (customer_id) DO NOTHING").bindparams(_AT)
    created = connection.execute(statement, {"at": at, "key": key}).rowcount
    while ids := connection.execute(_WITHOUT_KEY).scalars().all():
        connection.execute(_SET_ALIKE, [{"key": one, "like": alike(one) or one} for one in ids])
    return created


def merge_customers(connection: Connection, columns: Sequence[str], attributes: Sequence[str], at: datetime) -> Merged:
    """Add customers and change those whose row says something new; `columns` and `attributes` are the file's."""
    added = create_customers(connection, staged_customers.name, at)
    given = [name for name in columns if name in customers.c and name not in ("customer_id", "attributes")]
    changed_rows = (
        select(
            staged_customers.c.line,
            staged_customers.c.customer_id.label("key"),
            *(staged_customers.c[name].label(f"new_{name}") for name in given),
            staged_customers.c.digest.label("new_import_key"),
            staged_customers.c.attributes.label("new_attributes"),
            customers.c.attributes.label("old_attributes"),
        )
        .join(customers, customers.c.customer_id == staged_customers.c.customer_id)
        .where(
            customers.c.import_key.is_distinct_from(staged_customers.c.digest),
            staged_customers.c.line > bindparam("after"),
        )
        .order_by(staged_customers.c.line)
        .limit(BATCH)
    )
    written_columns = (*given, "import_key", "attributes")
    set_values: dict[str, BindParameter[object]] = {name: bindparam(f"new_{name}") for name in written_columns}
    change = update(customers).where(customers.c.customer_id == bindparam("key")).values(set_values)
    after, written = 0, 0
    while rows := [dict(row) for row in connection.execute(changed_rows, {"after": after}).mappings()]:
        after = rows[-1]["line"]
        for row in rows:
            del row["line"]
            row["new_attributes"] = _merged(row.pop("old_attributes"), row["new_attributes"], attributes)
        connection.execute(change, rows)
        written += len(rows)
    return Merged(added, max(written - added, 0))


def merge_interactions(connection: Connection, replace: bool, extract: Extract | None = None) -> Merged:
    """Add the interactions that are not there; of n identical rows in the file n are there in the end.

    A holding is a state: the earliest row that says it stays, in the log and in the file; see `settle_holdings`, also
    for what an `extract` says by what does not stand in it.
    """
    if replace:
        connection.execute(_DELETE_IMPORTED_INTERACTIONS)
    settle_holdings(connection, extract)
    added = connection.execute(text(_INTERACTIONS.format(staged=staged_interactions.name))).rowcount
    connection.execute(text(_INTERACTIONS.format(staged=inferred_interactions.name)))
    return Merged(added)


def merge_contacts(connection: Connection, replace: bool, complaints_since: datetime) -> Merged:
    """Add and change imported contacts; a live contact stays as it is.

    A row without a reason does not say that it was another one, nor does a file without a complaint that
    began after `complaints_since`, which may be open, that there was none.
    """
    if replace:
        connection.execute(_DELETE_OTHER_CONTACTS, {"since": complaints_since})
    changed = connection.execute(_CHANGED_CONTACTS).rowcount
    return Merged(connection.execute(_NEW_CONTACTS).rowcount, changed)


def remove_unnamed_customers(connection: Connection) -> None:
    """Remove imported customers that nothing names any more; those something live names lose their attributes."""
    forget_versions(connection, _UNUSED)
    connection.execute(
        text(f"DELETE FROM protections WHERE customer_id IN (SELECT customer_id FROM customers WHERE {_UNUSED})")
    )
    connection.execute(text(f"DELETE FROM customers WHERE {_UNUSED}"))
    connection.execute(text(f"UPDATE customers SET attributes = '{{}}', import_key = '{CREATED}' WHERE {_GONE}"))


def staged_agents(connection: Connection) -> list[str]:
    """Return the ids of the agents that the staged contacts name."""
    return list(connection.execute(_AGENTS).scalars())


def staged_offers(connection: Connection) -> list[str]:
    """Return the ids of the offers that the staged interactions name."""
    return [offer_id for (offer_id,) in connection.execute(_NEW_OFFERS)]


def _merged(old: str, new: str, given: Sequence[str]) -> str:
    kept = {name: value for name, value in orjson.loads(old).items() if name not in given}
    return orjson.dumps(kept | orjson.loads(new), option=orjson.OPT_SORT_KEYS).decode()

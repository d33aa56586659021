"""The journal of an event log under test: triggers number every row as it is written, in its own transaction."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url

Row = Mapping[str, Any]

_WATCHED = {
    "customers": "INSERT|UPDATE",
    "protections": "INSERT",
    "contacts": "INSERT|UPDATE OF channel, agent_id, closed_at, csat",
    "contact_events": "INSERT",
    "interactions": "INSERT",
    "outcomes": "INSERT",
    "decisions": "INSERT",
    "catalogue_versions": "INSERT",
    "policy_versions": "INSERT",
}
_LEFT_OUT = ("record", "receipt")
COMMIT = "commit"
_POSTGRESQL_JOURNAL = (
    "CREATE TABLE journal (number BIGSERIAL PRIMARY KEY, tx BIGINT DEFAULT txid_current(), kind TEXT, line TEXT)",
    """CREATE FUNCTION keep_in_journal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO journal (kind, line) VALUES (TG_TABLE_NAME, (to_jsonb(NEW) - 'record' - 'receipt')::text);
    RETURN NEW; END $$""",
)
_SQLITE_JOURNAL = (
    "CREATE TABLE journal (number INTEGER PRIMARY KEY AUTOINCREMENT, tx INTEGER DEFAULT 0, kind TEXT, line TEXT)",
)


def keep_journal(url: str) -> None:
    """Make the database number every row of the watched tables in the order in which it is written."""
    engine = _engine(url)
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.begin() as connection:
        for statement in _SQLITE_JOURNAL if is_sqlite else _POSTGRESQL_JOURNAL:
            connection.execute(text(statement))
        for table, moments in _WATCHED.items():
            for statement in _sqlite_triggers(connection, table, moments) if is_sqlite else _triggers(table, moments):
                connection.exec_driver_sql(statement)
    engine.dispose()


def _triggers(table: str, moments: str) -> Iterable[str]:
    when = moments.replace("|", " OR ")
    yield f"CREATE TRIGGER journal AFTER {when} ON {table} FOR EACH ROW EXECUTE FUNCTION keep_in_journal()"


def _sqlite_triggers(connection: Connection, table: str, moments: str) -> Iterable[str]:
    columns = [row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info({table})") if row[1] not in _LEFT_OUT]
    line = ", ".join(f"'{column}', NEW.{column}" for column in columns)
    for number, moment in enumerate(moments.split("|")):
        yield (
            f"CREATE TRIGGER journal_{table}_{number} AFTER {moment} ON {table} BEGIN "
            f"INSERT INTO journal (kind, line) VALUES ('{table}', json_object({line})); END"
        )


def mark_commits(engine: Engine) -> None:
    """Make every write transaction on this engine end with a line of the journal."""

    @event.listens_for(engine, "commit")
    def _mark(connection: Connection) -> None:
        if not {"begin", "isolation_level"} & connection.get_execution_options().keys():  # no reader
            connection.connection.cursor().execute(f"INSERT INTO journal (kind, line) VALUES ('{COMMIT}', '{{}}')")


def journal_of(url: str) -> Iterator[tuple[int, str, Row, Row]]:
    """Yield (transaction, table, row, record of a decision) in the order in which it was written."""
    engine = _engine(url)
    with engine.connect() as connection:
        records = text("SELECT record FROM decisions WHERE decision_id = :it")
        lines = connection.execute(text("SELECT tx, kind, line FROM journal ORDER BY number")).all()
        for tx, kind, line in lines:
            row = json.loads(line)
            of = {"it": row["decision_id"]} if kind == "decisions" else None
            yield tx, kind, row, json.loads(connection.execute(records, of).scalar_one()) if of else {}
    engine.dispose()


def _engine(url: str) -> Engine:
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        return create_engine(address)
    return create_engine(address.set(drivername="postgresql+psycopg"))

"""Reads a table of another database, row by row as it comes: what a bank keeps elsewhere and lets us read."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Engine, MetaData, Table, create_engine, select
from sqlalchemy.exc import ArgumentError, NoSuchTableError, SQLAlchemyError

from recsys.domain.errors import InvalidInput

_BATCH = 50_000


def read_outside_table(address: str, name: str, columns: Sequence[str]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yield the columns of a table (`name` or `schema.name`) in batches, without holding them all.

    Raises InvalidInput with what is missing or what the database says, never with the address.
    """
    try:
        engine = create_engine(address)
        try:
            table = _reflected(engine, name)
            lacking = [one for one in columns if one not in table.c]
            if lacking:
                there = ", ".join(table.c.keys())
                raise InvalidInput(f"{name}, column {lacking[0]}: found no such column among {there}")
            wanted = select(*(table.c[one] for one in columns))
            streamed = engine.connect().execution_options(stream_results=True, yield_per=_BATCH)
            with streamed as connection, connection.execute(wanted) as found:
                for rows in found.partitions():
                    yield [tuple(row) for row in rows]
        finally:
            engine.dispose()
    except ArgumentError:
        raise InvalidInput(f"{name}: its address is none of SQLAlchemy's") from None
    except NoSuchTableError:
        raise InvalidInput(f"{name}: the database has no such table") from None
    except (SQLAlchemyError, ImportError) as error:
        said = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
        raise InvalidInput(f"{name}: {type(error).__name__}: {said}") from None


def _reflected(engine: Engine, name: str) -> Table:
    """Return the table with the types that the database has, by which values come as what they are."""
    schema, _, own = name.rpartition(".")
    return Table(own, MetaData(), schema=schema or None, autoload_with=engine)

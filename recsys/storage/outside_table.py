"""Reads a table of another database, row by row as it comes: what a bank keeps elsewhere and lets us read."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnClause, column, create_engine, select, table
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from recsys.domain.errors import InvalidInput

_BATCH = 50_000


def read_outside_table(address: str, name: str, columns: Sequence[str]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yield the columns of a table (`name` or `schema.name`) in batches, without holding them all.

    Raises InvalidInput with what the database says, never with the address.
    """
    schema, _, own = name.rpartition(".")
    wanted: list[ColumnClause[Any]] = [column(one) for one in columns]
    try:
        engine = create_engine(address)
        try:
            with engine.connect().execution_options(stream_results=True, yield_per=_BATCH) as connection:
                found = connection.execute(select(*wanted).select_from(table(own, *wanted, schema=schema or None)))
                for rows in found.partitions():
                    yield [tuple(row) for row in rows]
        finally:
            engine.dispose()
    except ArgumentError:
        raise InvalidInput(f"{name}: its address is none of SQLAlchemy's") from None
    except (SQLAlchemyError, ImportError) as error:
        said = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
        raise InvalidInput(f"{name}: {type(error).__name__}: {said}") from None

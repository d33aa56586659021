"""Opens DuckDB the way everything here queries files with it: times in UTC, and no progress bar of its own."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def open_duckdb(**configuration: Any) -> "DuckDBPyConnection":
    """Return a connection in memory with DuckDB's own `configuration`; to be closed by the caller."""
    import duckdb

    connection = duckdb.connect(config=configuration)
    connection.execute("SET TimeZone = 'UTC'")
    with suppress(duckdb.InvalidInputException):  # in a notebook without ipywidgets there is no bar to switch off
        connection.execute("SET enable_progress_bar = false")
    return connection

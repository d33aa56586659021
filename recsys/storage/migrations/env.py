"""Runs the revisions on the connection that `Database.upgrade` hands over, inside its transaction."""

from alembic import context

from recsys.storage.schema import metadata

VERSION_TABLE = "nbo_alembic_version"  # MLflow has the default name, and may share the database

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()

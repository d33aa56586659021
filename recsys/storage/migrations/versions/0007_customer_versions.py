"""What was known of customers, with the moment since when it was known."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "customer_versions",
        sa.Column("version_id", _SERIAL, nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("segment", sa.String()),
        sa.Column("language", sa.String()),
        sa.Column("risk_level", sa.Integer()),
        sa.Column("attributes", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("import_digest", sa.String(), nullable=False, comment="of the row that said so"),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name="fk_customer_versions_customer_id_customers"
        ),
        sa.PrimaryKeyConstraint("version_id", name="pk_customer_versions"),
    )
    op.create_index("ix_customer_versions_customer_id_known_at", "customer_versions", ["customer_id", "known_at"])
    # What is known of the customers that were imported before is known at least since they were recorded.
    op.execute(
        "INSERT INTO customer_versions "
        "(customer_id, known_at, kind, segment, language, risk_level, attributes, import_digest) "
        "SELECT customer_id, recorded_at, kind, segment, language, risk_level, attributes, import_key "
        "FROM customers WHERE import_key IS NOT NULL AND import_key <> 'created'"
    )

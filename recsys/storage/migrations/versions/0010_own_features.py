"""The bank's own features: the documents that were applied, and what was pushed."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "own_features",
        sa.Column("number", _SERIAL, nullable=False),
        sa.Column("version", sa.String(), nullable=False, comment="digest of the document"),
        sa.Column(
            "document",
            sa.Text(),
            nullable=False,
            comment="the bank's own views and transformations as they were applied",
        ),
        sa.Column("types", sa.Text(), nullable=False, comment="JSON object, feature to number, text or boolean"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_own_features"),
    )
    op.create_index("ix_own_features_version", "own_features", ["version"])
    op.create_table(
        "pushed_features",
        sa.Column("number", _SERIAL, nullable=False),
        sa.Column("view", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("features", sa.Text(), nullable=False, comment="JSON object, feature to value"),
        sa.PrimaryKeyConstraint("number", name="pk_pushed_features"),
    )
    op.create_index(
        "ix_pushed_features_view_customer_id_known_at", "pushed_features", ["view", "customer_id", "known_at"]
    )

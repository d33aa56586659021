"""Requests under an Idempotency-Key and what each of them made."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotent_requests",
        sa.Column("person", sa.String(), nullable=False, comment="who is signed in"),
        sa.Column("scope", sa.String(), nullable=False, comment="method and route"),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False, comment="of path, query and body"),
        sa.Column("made", sa.Text(), nullable=True, comment="JSON object, what names the result"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person", "scope", "key", name="pk_idempotent_requests"),
    )

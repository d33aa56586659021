"""The evidence that decisions were made with, once a version, and the answers to all offers by time."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "offer_evidence",
        sa.Column("version", sa.String(), nullable=False, comment="digest of the counts"),
        sa.Column("counts", sa.Text(), nullable=False, comment="JSON object, offer to accepted and answered"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, comment="with the first decision"),
        sa.PrimaryKeyConstraint("version", name="pk_offer_evidence"),
    )
    op.create_index("ix_offer_evidence_recorded_at", "offer_evidence", ["recorded_at"])
    op.create_index("ix_outcomes_recorded_at_offer_id_answer", "outcomes", ["recorded_at", "offer_id", "answer"])

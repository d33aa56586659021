"""Which recommended offers the agent really saw, and which were pitched to the customer."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exposures",
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("offer_id", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False, comment="seen or pitched"),
        sa.Column("exposed_at", sa.DateTime(timezone=True), nullable=False, comment="for the first time"),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.decision_id"], name="fk_exposures_decision_id"),
        sa.PrimaryKeyConstraint("decision_id", "offer_id", "stage", name="pk_exposures"),
    )

"""Campaigns with their epochs and audit, their units, and the totals that results are computed from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)
_STAGES = ("recommended_at", "seen_at", "pitched_at", "answered_at")
_COUNTS = (
    "campaign_acceptances", "acceptances", "sales", "value", "declines", "answers",
    "csat_total", "csat_ratings", "complaints", "handling_seconds", "contacts",
)  # fmt: skip


def _text(name: str, nullable: bool = False, comment: str | None = None) -> sa.Column:
    return sa.Column(name, sa.String(), nullable=nullable, comment=comment)


def _json(name: str, comment: str) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)


def _of_campaign(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_campaign_id_campaigns"
    return sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.campaign_id"], name=name)


def upgrade() -> None:
    op.create_table(
        "campaigns",
        _text("campaign_id"),
        _json("plan", "JSON object"),
        _text("plan_version", comment="digest of the plan, fixed at launch"),
        _json("kept", "JSON array, the products whose totals are kept"),
        _text("status"),
        _text("author"),
        sa.Column("created_at", _MOMENT, nullable=False),
        _text("approver", nullable=True),
        *(sa.Column(name, _MOMENT) for name in ("approved_at", "started_at", "ended_at")),
        _text("shipped_arm", nullable=True),
        sa.PrimaryKeyConstraint("campaign_id", name="pk_campaigns"),
    )
    _create_history()
    _create_units()
    _create_totals()


def _create_history() -> None:
    op.create_table(
        "campaign_epochs",
        _text("campaign_id"),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        _json("weights", "JSON object, arm to share"),
        sa.Column("began_at", _MOMENT, nullable=False),
        _text("reason"),
        _text("actor"),
        _of_campaign("campaign_epochs"),
        sa.PrimaryKeyConstraint("campaign_id", "epoch", name="pk_campaign_epochs"),
    )
    op.create_table(
        "campaign_changes",
        sa.Column("change_id", _SERIAL, nullable=False),
        _text("campaign_id"),
        _text("actor"),
        sa.Column("changed_at", _MOMENT, nullable=False),
        _text("what"),
        _json("before", "JSON value"),
        _json("after", "JSON value"),
        _of_campaign("campaign_changes"),
        sa.PrimaryKeyConstraint("change_id", name="pk_campaign_changes"),
    )
    op.create_index("ix_campaign_changes_campaign_id", "campaign_changes", ["campaign_id"])


def _create_units() -> None:
    op.create_table(
        "campaign_units",
        _text("customer_id"),
        _text("campaign_id"),
        sa.Column("epoch", sa.Integer(), nullable=False),
        _text("arm"),
        sa.Column("probability", sa.Float(), nullable=False, comment="of the arm, when it was assigned"),
        sa.Column("day", sa.Date(), nullable=False, comment="of assignment, the bank's"),
        sa.Column("assigned_at", _MOMENT, nullable=False),
        sa.Column("counts_until", sa.Date(), nullable=False, comment="the bank's last day whose outcomes count"),
        _text("agent_id", comment="who held the contact at assignment; empty for nobody"),
        sa.Column("in_fixed_slice", sa.Boolean(), nullable=False),
        _json("covariates", "JSON object, values before assignment"),
        *(sa.Column(name, _MOMENT) for name in _STAGES),
        *(sa.Column(name, sa.Float(), nullable=False) for name in _COUNTS),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name="fk_campaign_units_customer_id_customers"
        ),
        _of_campaign("campaign_units"),
        sa.PrimaryKeyConstraint("customer_id", "campaign_id", name="pk_campaign_units"),
        sqlite_with_rowid=False,
    )


def _create_totals() -> None:
    op.create_table(
        "campaign_totals",
        _text("campaign_id"),
        _text("product", comment="of a unit's variables, as product_name says it"),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        _text("arm"),
        _text("agent_id"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "total", sa.Float(), nullable=False, comment="over the units assigned that day in contacts of that agent"
        ),
        _of_campaign("campaign_totals"),
        sa.PrimaryKeyConstraint("campaign_id", "product", "epoch", "arm", "agent_id", "day", name="pk_campaign_totals"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "campaign_volumes",
        _text("campaign_id"),
        sa.Column("day", sa.Date(), nullable=False, comment="the bank's"),
        sa.Column("units", sa.BigInteger(), nullable=False, comment="assigned that day; kept for campaigns with a cap"),
        _of_campaign("campaign_volumes"),
        sa.PrimaryKeyConstraint("campaign_id", "day", name="pk_campaign_volumes"),
    )

"""The first tables: customers, contacts, decisions and what came of them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_customers()
    _create_contacts()
    _create_decisions()
    _create_outcomes()
    _create_interactions()


def _create_customers() -> None:
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String()),
        sa.Column("language", sa.String()),
        sa.Column("segment", sa.String()),
        sa.Column("risk_level", sa.Integer()),
        sa.Column("vulnerable", sa.Boolean(), nullable=False),
        sa.Column("arrears", sa.Boolean(), nullable=False),
        sa.Column("do_not_contact", sa.Boolean(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("recorded_at", _MOMENT, nullable=False),
        sa.Column("import_key", sa.String(), comment="digest of the imported row; empty for a customer met live"),
        sa.PrimaryKeyConstraint("customer_id", name="pk_customers"),
    )
    op.create_table(
        "attribute_types",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False, comment="number, text or boolean"),
        sa.PrimaryKeyConstraint("name", name="pk_attribute_types"),
    )
    op.create_table(
        "consents",
        sa.Column("consent_id", _SERIAL, nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", _MOMENT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"], name="fk_consents_customer_id"),
        sa.PrimaryKeyConstraint("consent_id", name="pk_consents"),
    )
    op.create_index("ix_consents_customer_id", "consents", ["customer_id"])


def _create_contacts() -> None:
    op.create_table(
        "contacts",
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("opened_at", _MOMENT, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("sentiment", sa.Float()),
        sa.Column("agent_id", sa.String()),
        sa.Column("continues", sa.String()),
        sa.Column("closed_at", _MOMENT),
        sa.Column("csat", sa.Integer()),
        sa.Column("last_sequence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("import_key", sa.String(), comment="digest of the imported row; empty for a live contact"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"], name="fk_contacts_customer_id"),
        sa.PrimaryKeyConstraint("contact_id", name="pk_contacts"),
    )
    op.create_index("ix_contacts_customer_id_opened_at", "contacts", ["customer_id", "opened_at"])
    is_open = sa.text("closed_at IS NULL")
    op.create_index("ix_contacts_open", "contacts", ["opened_at"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "contact_events",
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("occurred_at", _MOMENT, nullable=False),
        sa.Column("intent", sa.String()),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("sentiment", sa.Float()),
        sa.Column("text", sa.Text()),
        sa.Column("agent_id", sa.String()),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.contact_id"], name="fk_contact_events_contact_id"),
        sa.PrimaryKeyConstraint("contact_id", "sequence", name="pk_contact_events"),
    )


def _create_decisions() -> None:
    op.create_table(
        "catalogue_versions",
        sa.Column("catalogue_id", _SERIAL, nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("offers", sa.Text(), nullable=False, comment="JSON array"),
        sa.Column("recorded_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("catalogue_id", name="pk_catalogue_versions"),
    )
    op.create_index("ix_catalogue_versions_version", "catalogue_versions", ["version"])
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("made_at", _MOMENT, nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("catalogue_version", sa.String(), nullable=False),
        sa.Column("policy_version", sa.String(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False, comment="JSON object, everything needed to replay"),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.contact_id"], name="fk_decisions_contact_id"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"], name="fk_decisions_customer_id"),
        sa.PrimaryKeyConstraint("decision_id", name="pk_decisions"),
        sa.UniqueConstraint("contact_id", "sequence", name="uq_decisions_contact_id_sequence"),
    )
    op.create_index("ix_decisions_customer_id_made_at", "decisions", ["customer_id", "made_at"])


def _create_outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("outcome_id", sa.String(), nullable=False),
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("offer_id", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("recorded_at", _MOMENT, nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("disclosure_read", sa.Boolean(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False, comment="of the request's body"),
        sa.Column("receipt", sa.Text(), nullable=False, comment="JSON object, what was answered first"),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.decision_id"], name="fk_outcomes_decision_id"),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.contact_id"], name="fk_outcomes_contact_id"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"], name="fk_outcomes_customer_id"),
        sa.PrimaryKeyConstraint("outcome_id", name="pk_outcomes"),
        sa.UniqueConstraint("idempotency_key", name="uq_outcomes_idempotency_key"),
    )
    op.create_index("ix_outcomes_decision_id", "outcomes", ["decision_id"])
    op.create_index("ix_outcomes_customer_id_recorded_at", "outcomes", ["customer_id", "recorded_at"])


def _create_interactions() -> None:
    op.create_table(
        "interactions",
        sa.Column("interaction_id", _SERIAL, nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("offer_id", sa.String(), nullable=False),
        sa.Column("occurred_at", _MOMENT, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("channel", sa.String()),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("outcome_id", sa.String(), comment="of a live interaction; empty when imported"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"], name="fk_interactions_customer_id"),
        sa.ForeignKeyConstraint(["outcome_id"], ["outcomes.outcome_id"], name="fk_interactions_outcome_id"),
        sa.PrimaryKeyConstraint("interaction_id", name="pk_interactions"),
    )
    op.create_index("ix_interactions_customer_id_occurred_at", "interactions", ["customer_id", "occurred_at"])
    is_live = sa.text("outcome_id IS NOT NULL")
    op.create_index(
        "ix_interactions_outcome_id",
        "interactions",
        ["outcome_id"],
        unique=True,
        sqlite_where=is_live,
        postgresql_where=is_live,
    )

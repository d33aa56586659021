"""The tables of the event log, the same on SQLite and PostgreSQL."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from recsys.domain.campaign_unit import COUNTS, STAGES
from recsys.storage.moments import UtcDateTime

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)

_Serial = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up only an INTEGER key

customers = Table(
    "customers",
    metadata,
    Column("customer_id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("name", String),
    Column("language", String),
    Column("segment", String),
    Column("risk_level", Integer),
    Column("flags", Text, nullable=False, server_default="[]", comment="JSON array; from the ledger of protections"),
    Column("alike", String, nullable=False, server_default="", comment="equal for ids that differ by case or width"),
    Column("attributes", Text, nullable=False, comment="JSON object"),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("import_key", String, comment="digest of the imported row; empty for a customer met live"),
    Index(None, "alike"),
)

customer_versions = Table(
    "customer_versions",
    metadata,
    Column("version_id", _Serial, primary_key=True),
    Column("customer_id", ForeignKey("customers.customer_id"), nullable=False),
    Column("known_at", UtcDateTime, nullable=False),
    Column("kind", String, nullable=False),
    Column("segment", String),
    Column("language", String),
    Column("risk_level", Integer),
    Column("attributes", Text, nullable=False, comment="JSON object"),
    Column("import_digest", String, nullable=False, comment="of the row that said so"),
    Index(None, "customer_id", "known_at"),
)

attribute_types = Table(
    "attribute_types",
    metadata,
    Column("name", String, primary_key=True),
    Column("type", String, nullable=False, comment="number, text or boolean"),
)

protections = Table(
    "protections",
    metadata,
    Column("statement_id", _Serial, primary_key=True),
    Column("customer_id", ForeignKey("customers.customer_id"), nullable=False, index=True),
    Column("subject", String, nullable=False, comment="a purpose of consent, or a flag"),
    Column("value", Boolean, nullable=False),
    Column("as_of", UtcDateTime, comment="since when; empty: a file that did not say"),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("source", String, nullable=False),
    Column("actor", String),
    Column("why", Text),
)

unknown_words = Table(
    "unknown_words",
    metadata,
    Column("part", String, primary_key=True, comment="channel or reason"),
    Column("word", String, primary_key=True),
    Column("times", BigInteger, nullable=False, comment="in the latest import that had it"),
    Column("seen_at", UtcDateTime, nullable=False),
)

contacts = Table(
    "contacts",
    metadata,
    Column("contact_id", String, primary_key=True),
    Column("customer_id", ForeignKey("customers.customer_id"), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("channel", String, nullable=False),
    Column("direction", String, nullable=False),
    Column("reason", String),
    Column("sentiment", Float),
    Column("agent_id", String),
    Column("continues", String),
    Column("closed_at", UtcDateTime),
    Column("csat", Integer),
    Column("is_complaint", Boolean, nullable=False, server_default=false()),
    Column("last_sequence", Integer, nullable=False, server_default=text("0")),
    Column("import_key", String, comment="digest of the imported row; empty for a live contact"),
    Index(None, "customer_id", "opened_at"),
)
_is_open = contacts.c.closed_at.is_(None)
Index("ix_contacts_open", contacts.c.opened_at, sqlite_where=_is_open, postgresql_where=_is_open)

contact_events = Table(
    "contact_events",
    metadata,
    Column("contact_id", ForeignKey("contacts.contact_id"), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("type", String, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("intent", String),
    Column("confidence", Float, nullable=False),
    Column("sentiment", Float),
    Column("text", Text),
    Column("agent_id", String),
)

catalogue_versions = Table(
    "catalogue_versions",
    metadata,
    Column("catalogue_id", _Serial, primary_key=True),
    Column("version", String, nullable=False, index=True),
    Column("offers", Text, nullable=False, comment="JSON array"),
    Column("types", Text, comment="JSON object, the type of each name that its rules use"),
    Column("recorded_at", UtcDateTime, nullable=False),
)

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("policy_id", _Serial, primary_key=True),
    Column("version", String, nullable=False, index=True),
    Column("numbers", Text, nullable=False, comment="JSON object"),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("actor", String, comment="who changed it; empty for the first one and before this was kept"),
)

acceptances = Table(
    "acceptances",
    metadata,
    Column("offer_id", String, primary_key=True),
    Column("day", Date, primary_key=True, comment="the bank's"),
    Column("accepted", BigInteger, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", String, primary_key=True),
    Column("contact_id", ForeignKey("contacts.contact_id"), nullable=False),
    Column("customer_id", ForeignKey("customers.customer_id"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("model_version", String, nullable=False),
    Column("catalogue_version", String, nullable=False),
    Column("policy_version", String, nullable=False),
    Column("record", Text, nullable=False, comment="JSON object, everything needed to replay"),
    UniqueConstraint("contact_id", "sequence"),
    Index(None, "customer_id", "made_at"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("outcome_id", String, primary_key=True),
    Column("decision_id", ForeignKey("decisions.decision_id"), nullable=False, index=True),
    Column("contact_id", ForeignKey("contacts.contact_id"), nullable=False),
    Column("customer_id", ForeignKey("customers.customer_id"), nullable=False),
    Column("offer_id", String, nullable=False),
    Column("answer", String, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("channel", String, comment="of the contact when it was answered"),
    Column("reason", Text),
    Column("disclosure_read", Boolean, nullable=False),
    Column("idempotency_key", String, nullable=False, unique=True),
    Column("digest", String, nullable=False, comment="of the request's body"),
    Column("receipt", Text, nullable=False, comment="JSON object, what was answered first"),
    Index(None, "customer_id", "recorded_at"),
    Index(None, "recorded_at", "offer_id", "answer"),
)

offer_evidence = Table(
    "offer_evidence",
    metadata,
    Column("version", String, primary_key=True, comment="digest of the counts"),
    Column("counts", Text, nullable=False, comment="JSON object, offer to accepted and answered"),
    Column("recorded_at", UtcDateTime, nullable=False, comment="with the first decision"),
    Index(None, "recorded_at"),
)

own_features = Table(
    "own_features",
    metadata,
    Column("number", _Serial, primary_key=True),
    Column("version", String, nullable=False, comment="digest of the document"),
    Column("document", Text, nullable=False, comment="the bank's own views and transformations as they were applied"),
    Column("types", Text, nullable=False, comment="JSON object, feature to number, text or boolean"),
    Column("recorded_at", UtcDateTime, nullable=False),
    Index(None, "version"),
)

pushed_features = Table(
    "pushed_features",
    metadata,
    Column("number", _Serial, primary_key=True),
    Column("view", String, nullable=False),
    Column("customer_id", String, nullable=False),
    Column("known_at", UtcDateTime, nullable=False),
    Column("features", Text, nullable=False, comment="JSON object, feature to value"),
    Index(None, "view", "customer_id", "known_at"),
)

interactions = Table(
    "interactions",
    metadata,
    Column("interaction_id", _Serial, primary_key=True),
    Column("customer_id", ForeignKey("customers.customer_id"), nullable=False),
    Column("offer_id", String, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("kind", String, nullable=False),
    Column("channel", String),
    Column("weight", Float, nullable=False),
    Column("outcome_id", ForeignKey("outcomes.outcome_id"), comment="of a live interaction; empty when imported"),
    Index(None, "customer_id", "occurred_at"),
)
_is_live = interactions.c.outcome_id.is_not(None)
Index(
    "ix_interactions_outcome_id",
    interactions.c.outcome_id,
    unique=True,
    sqlite_where=_is_live,
    postgresql_where=_is_live,
)

exposures = Table(
    "exposures",
    metadata,
    Column("decision_id", ForeignKey("decisions.decision_id"), primary_key=True),
    Column("offer_id", String, primary_key=True),
    Column("stage", String, primary_key=True, comment="seen or pitched"),
    Column("exposed_at", UtcDateTime, nullable=False, comment="for the first time"),
)

idempotent_requests = Table(
    "idempotent_requests",
    metadata,
    Column("person", String, primary_key=True, comment="who is signed in"),
    Column("scope", String, primary_key=True, comment="method and route"),
    Column("key", String, primary_key=True),
    Column("digest", String, nullable=False, comment="of path, query and body"),
    Column("made", Text, comment="JSON object, what names the result"),
    Column("created_at", UtcDateTime, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", String, primary_key=True),
    Column("password_hash", String, nullable=False, comment="argon2id"),
    Column("roles", Text, nullable=False, comment="JSON array"),
    Column("created_at", UtcDateTime, nullable=False),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign_id", String, primary_key=True),
    Column("plan", Text, nullable=False, comment="JSON object"),
    Column("plan_version", String, nullable=False, comment="digest of the plan, fixed at launch"),
    Column("kept", Text, nullable=False, comment="JSON array, the products whose totals are kept"),
    Column("status", String, nullable=False),
    Column("author", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("approver", String),
    Column("approved_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("shipped_arm", String),
)

campaign_epochs = Table(
    "campaign_epochs",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.campaign_id"), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("weights", Text, nullable=False, comment="JSON object, arm to share"),
    Column("began_at", UtcDateTime, nullable=False),
    Column("reason", String, nullable=False),
    Column("actor", String, nullable=False),
)

campaign_changes = Table(
    "campaign_changes",
    metadata,
    Column("change_id", _Serial, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.campaign_id"), nullable=False, index=True),
    Column("actor", String, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("what", String, nullable=False),
    Column("before", Text, nullable=False, comment="JSON value"),
    Column("after", Text, nullable=False, comment="JSON value"),
)

campaign_units = Table(
    "campaign_units",
    metadata,
    Column("customer_id", ForeignKey("customers.customer_id"), primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.campaign_id"), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("arm", String, nullable=False),
    Column("probability", Float, nullable=False, comment="of the arm, when it was assigned"),
    Column("day", Date, nullable=False, comment="of assignment, the bank's"),
    Column("assigned_at", UtcDateTime, nullable=False),
    Column("counts_until", Date, nullable=False, comment="the bank's last day whose outcomes count"),
    Column("agent_id", String, nullable=False, comment="who held the contact at assignment; empty for nobody"),
    Column("in_fixed_slice", Boolean, nullable=False),
    Column("covariates", Text, nullable=False, comment="JSON object, values before assignment"),
    *(Column(f"{stage}_at", UtcDateTime) for stage in STAGES),
    *(Column(name, Float, nullable=False) for name in COUNTS),
    sqlite_with_rowid=False,
)

campaign_totals = Table(
    "campaign_totals",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.campaign_id"), primary_key=True),
    Column("product", String, primary_key=True, comment="of a unit's variables, as product_name says it"),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("arm", String, primary_key=True),
    Column("agent_id", String, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("total", Float, nullable=False, comment="over the units assigned that day in contacts of that agent"),
    sqlite_with_rowid=False,
)

campaign_volumes = Table(
    "campaign_volumes",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.campaign_id"), primary_key=True),
    Column("day", Date, primary_key=True, comment="the bank's"),
    Column("units", BigInteger, nullable=False, comment="assigned that day; kept for campaigns with a cap"),
)

"""Policies by version, types that rules were read with, channels of answers, and how often offers were accepted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    types = sa.Column("types", sa.Text(), comment="JSON object, the type of each name that its rules use")
    op.add_column("catalogue_versions", types)
    op.add_column("outcomes", sa.Column("channel", sa.String(), comment="of the contact when it was answered"))
    op.create_table(
        "policy_versions",
        sa.Column("policy_id", _SERIAL, nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("recorded_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("policy_id", name="pk_policy_versions"),
    )
    op.create_index("ix_policy_versions_version", "policy_versions", ["version"])
    op.create_table(
        "acceptances",
        sa.Column("offer_id", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="the bank's"),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("offer_id", "day", name="pk_acceptances"),
    )
    op.execute(
        "INSERT INTO acceptances (offer_id, day, accepted) "
        "SELECT offer_id, CAST(substr(CAST(recorded_at AS VARCHAR), 1, 10) AS DATE), count(*) "
        "FROM outcomes WHERE answer = 'accepted' GROUP BY 1, 2"
        if op.get_bind().dialect.name != "sqlite"
        else "INSERT INTO acceptances (offer_id, day, accepted) "
        "SELECT offer_id, date(recorded_at), count(*) FROM outcomes WHERE answer = 'accepted' GROUP BY 1, 2"
    )

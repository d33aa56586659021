"""Protections as one dated ledger, flags as data, complaints by the vocabulary, and words nobody knows."""

import json

import sqlalchemy as sa
from alembic import op

from recsys.domain.identifier import alike
from recsys.domain.vocabulary import SHIPPED

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)
_FLAGS = ("do_not_contact", "vulnerable", "arrears")
_BATCH = 10_000


def upgrade() -> None:
    _make_the_ledger()
    _move_the_flags()
    _keep_what_ids_look_like()
    _mark_the_complaints()
    comment = "who changed it; empty for the first one and before this was kept"
    op.add_column("policy_versions", sa.Column("actor", sa.String(), comment=comment))
    op.create_table(
        "unknown_words",
        sa.Column("part", sa.String(), nullable=False, comment="channel or reason"),
        sa.Column("word", sa.String(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False, comment="in the latest import that had it"),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("part", "word", name="pk_unknown_words"),
    )


def _make_the_ledger() -> None:
    op.create_table(
        "protections",
        sa.Column("statement_id", _SERIAL, nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False, comment="a purpose of consent, or a flag"),
        sa.Column("value", sa.Boolean(), nullable=False),
        sa.Column("as_of", _MOMENT, comment="since when; empty: a file that did not say"),
        sa.Column("recorded_at", _MOMENT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor", sa.String()),
        sa.Column("why", sa.Text()),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name="fk_protections_customer_id_customers"
        ),
        sa.PrimaryKeyConstraint("statement_id", name="pk_protections"),
    )
    op.execute(
        "INSERT INTO protections (customer_id, subject, value, as_of, recorded_at, source) "
        "SELECT customer_id, purpose, granted, CASE WHEN source = 'import' THEN NULL ELSE recorded_at END, "
        "recorded_at, source FROM consents ORDER BY consent_id"
    )
    for flag in _FLAGS:
        op.execute(
            "INSERT INTO protections (customer_id, subject, value, recorded_at, source) "
            f"SELECT customer_id, '{flag}', true, recorded_at, 'import' FROM customers WHERE {flag}"
        )
    op.create_index("ix_protections_customer_id", "protections", ["customer_id"])
    op.drop_table("consents")


def _move_the_flags() -> None:
    op.add_column(
        "customers",
        sa.Column(
            "flags",
            sa.Text(),
            nullable=False,
            server_default="[]",
            comment="JSON array; from the ledger of protections",
        ),
    )
    customers = sa.table("customers", sa.column("flags"), *map(sa.column, _FLAGS))
    for held in ((a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)):
        names = sorted(name for name, holds in zip(_FLAGS, held, strict=True) if holds)
        if names:
            is_these = [
                sa.cast(customers.c[name], sa.Boolean) == holds for name, holds in zip(_FLAGS, held, strict=True)
            ]
            op.execute(customers.update().where(*is_these).values(flags=json.dumps(names)))
    for name in _FLAGS:  # in place: SQLite would else make the table anew, which other tables refer to
        op.execute(f"ALTER TABLE customers DROP COLUMN {name}")


def _keep_what_ids_look_like() -> None:
    """Add the key by which ids that differ by case or width alone are found."""
    op.add_column(
        "customers",
        sa.Column(
            "alike",
            sa.String(),
            nullable=False,
            server_default="",
            comment="equal for ids that differ by case or width",
        ),
    )
    customers = sa.table("customers", sa.column("customer_id"), sa.column("alike"))
    connection, after = op.get_bind(), ""
    some = sa.select(customers.c.customer_id).where(customers.c.customer_id > sa.bindparam("after"))
    change = (
        customers.update().where(customers.c.customer_id == sa.bindparam("key")).values(alike=sa.bindparam("alike_"))
    )
    while ids := list(
        connection.execute(some.order_by(customers.c.customer_id).limit(_BATCH), {"after": after}).scalars()
    ):
        connection.execute(change, [{"key": one, "alike_": alike(one)} for one in ids])
        after = ids[-1]
    op.create_index("ix_customers_alike", "customers", ["alike"])


def _mark_the_complaints() -> None:
    op.add_column("contacts", sa.Column("is_complaint", sa.Boolean(), nullable=False, server_default=sa.false()))
    contacts = sa.table("contacts", sa.column("reason"), sa.column("is_complaint"))
    reasons = op.get_bind().execute(sa.select(contacts.c.reason).distinct()).scalars()
    for reason in [one for one in reasons if SHIPPED.is_complaint(one)]:
        op.execute(contacts.update().where(contacts.c.reason == reason).values(is_complaint=sa.true()))

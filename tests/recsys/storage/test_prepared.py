"""Prepared statements give what the toolkit gives, types and errors included, on both databases."""

import pytest
from sqlalchemy import bindparam, insert, literal, select, text
from sqlalchemy.exc import IntegrityError

from recsys.domain.errors import StoreUnavailable
from recsys.storage.database import Database
from recsys.storage.prepared import Prepared
from recsys.storage.schema import contacts, interactions
from tests.builders import NOW

COLUMNS = ("customer_id", "offer_id", "occurred_at", "kind", "weight")
EVENT = {"customer_id": "c1", "offer_id": "卡", "occurred_at": NOW, "kind": "view", "weight": 0.5}
QUERY = (
    select(interactions, contacts.c.is_complaint, literal("said").label("said"))
    .join(contacts, contacts.c.customer_id == interactions.c.customer_id)
    .where(interactions.c.customer_id == bindparam("customer_id"), interactions.c.occurred_at >= bindparam("since"))
    .limit(bindparam("limit"))
)
ASKED = {"customer_id": "c1", "since": NOW, "limit": 5}


def test_rows_and_types_are_those_of_the_toolkit(known_contact: Database) -> None:
    with known_contact.transaction() as log:
        Prepared(insert(interactions), COLUMNS).insert(log._connection, EVENT)
        prepared = Prepared(QUERY)
        found = [prepared.rows(log._connection, ASKED) for _ in range(2)]
        expected = [tuple(row) for row in log._connection.execute(QUERY, ASKED)]
    assert found == [expected, expected]
    assert [type(value) for value in found[0][0]] == [type(value) for value in expected[0]]


def test_a_missing_value_and_no_row_at_all_are_told_apart(known_contact: Database) -> None:
    reason = Prepared(select(contacts.c.reason, contacts.c.closed_at).where(contacts.c.contact_id == bindparam("key")))
    with known_contact.read() as log:
        assert reason.rows(log._connection, {"key": "k1"}) == [(None, None)]
        assert reason.rows(log._connection, {"key": "nobody"}) == []


def test_a_broken_constraint_is_the_toolkits_error(known_contact: Database) -> None:
    add = Prepared(insert(interactions), COLUMNS)
    with known_contact.transaction() as log, pytest.raises(IntegrityError):
        add.insert(log._connection, EVENT | {"customer_id": None})


def test_a_database_without_tables_is_unavailable(known_contact: Database) -> None:
    with known_contact.transaction() as log:
        log._connection.execute(text("DROP TABLE acceptances"))
    with pytest.raises(StoreUnavailable, match="nbo init"), known_contact.read() as log:
        Prepared(select(text("day")).select_from(text("acceptances"))).rows(log._connection, {})

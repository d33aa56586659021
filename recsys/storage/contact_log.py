"""Contacts and what happened during them, in the event log."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, func, insert, not_, select, update

from recsys.domain.contact import Contact, ContactEvent, ContactEventType, Direction
from recsys.domain.errors import ContactNotFound
from recsys.storage.bound_log import BoundLog
from recsys.storage.prepared import Prepared
from recsys.storage.schema import contact_events, contacts

SATISFIED_CSAT = 4
"""A complaint counts as settled when its contact was closed with at least this satisfaction."""

_CONTACT_FIELDS = tuple(field.name for field in fields(Contact))
_EVENT_FIELDS = tuple(field.name for field in fields(ContactEvent))
_contact = select(*(contacts.c[name] for name in _CONTACT_FIELDS))
_limit: BindParameter[int] = bindparam("limit")

_CONTACT = _contact.where(contacts.c.contact_id == bindparam("contact_id"))
_OF_CUSTOMER = Prepared(
    _contact.where(contacts.c.customer_id == bindparam("customer_id"))
    .order_by(contacts.c.opened_at.desc(), contacts.c.contact_id)
    .limit(_limit)
)
_WAITING = (
    _contact.where(contacts.c.closed_at.is_(None), contacts.c.agent_id.is_(None))
    .order_by(contacts.c.opened_at, contacts.c.contact_id)
    .limit(_limit)
)
_LIVE = _contact.where(contacts.c.closed_at.is_(None), contacts.c.agent_id == bindparam("agent_id")).order_by(
    contacts.c.opened_at, contacts.c.contact_id
)
is_settled = and_(contacts.c.closed_at.is_not(None), func.coalesce(contacts.c.csat, 0) >= SATISFIED_CSAT)
OPEN_COMPLAINT = (
    select(contacts.c.opened_at)
    .where(contacts.c.is_complaint, not_(is_settled))
    .order_by(contacts.c.opened_at.desc())
    .limit(1)
)
"""When the latest complaint began that is not settled; of whom, the statement around it says."""
_OPEN_COMPLAINTS = select(contacts.c.opened_at, contacts.c.reason).where(
    contacts.c.customer_id == bindparam("customer_id"), contacts.c.is_complaint, not_(is_settled)
)
_EVENTS = (
    select(*(contact_events.c[name] for name in _EVENT_FIELDS))
    .where(contact_events.c.contact_id == bindparam("contact_id"))
    .order_by(contact_events.c.sequence)
)
_NEXT_SEQUENCE = (
    update(contacts)
    .where(contacts.c.contact_id == bindparam("key"))
    .values(last_sequence=contacts.c.last_sequence + 1)
    .returning(contacts.c.last_sequence)
)
_LATEST_SEQUENCE = select(contacts.c.last_sequence).where(contacts.c.contact_id == bindparam("key"))
_SET_CONTACT = (
    update(contacts)
    .where(contacts.c.contact_id == bindparam("key"))
    .values({name: bindparam(name) for name in _CONTACT_FIELDS if name != "contact_id"})
)
_ADD_CONTACT = Prepared(insert(contacts), (*_CONTACT_FIELDS, "last_sequence"))
_ADD_EVENT = insert(contact_events)


class ContactLog(BoundLog):
    """The contacts' part of the log."""

    def contact(self, contact_id: str) -> Contact:
        """Return the contact as it stands; raises `ContactNotFound`."""
        row = self._connection.execute(_CONTACT, {"contact_id": contact_id}).first()
        if row is None:
            raise ContactNotFound(contact_id)
        return _to_contact(row)

    def contacts_of(self, customer_id: str, limit: int) -> tuple[Contact, ...]:
        """Return the customer's contacts, newest first."""
        rows = _OF_CUSTOMER.rows(self._connection, {"customer_id": customer_id, "limit": limit})
        return tuple(map(_to_contact, rows))

    def open_complaints_of(self, customer_id: str) -> list[tuple[datetime, str | None]]:
        """Return when each complaint of the customer began that is not settled, and its reason."""
        rows = self._connection.execute(_OPEN_COMPLAINTS, {"customer_id": customer_id})
        return [(opened_at, reason) for opened_at, reason in rows]

    def waiting_contacts(self, limit: int) -> tuple[Contact, ...]:
        """Return the open contacts that no agent has picked up, oldest first."""
        return self._contacts(_WAITING, limit=limit)

    def live_contacts(self, agent_id: str) -> tuple[Contact, ...]:
        """Return the open contacts of an agent, oldest first."""
        return self._contacts(_LIVE, agent_id=agent_id)

    def contact_events(self, contact_id: str) -> tuple[ContactEvent, ...]:
        """Return what was learned during the contact, in order."""
        rows = self._connection.execute(_EVENTS, {"contact_id": contact_id})
        return tuple(ContactEvent(row[0], row[1], ContactEventType(row[2]), *row[3:]) for row in rows)

    def add_contact(self, contact: Contact, last_sequence: int = 0) -> None:
        """Add a contact that is not there yet, its numbers up to `last_sequence` taken; its customer must be there."""
        _ADD_CONTACT.insert(self._connection, _row(_CONTACT_FIELDS, contact) | {"last_sequence": last_sequence})

    def set_contact(self, contact: Contact) -> None:
        """Save the contact's present state; raises `ContactNotFound`."""
        row = _row(_CONTACT_FIELDS, contact)
        row["key"] = row.pop("contact_id")
        if not self._connection.execute(_SET_CONTACT, row).rowcount:
            raise ContactNotFound(contact.contact_id)

    def add_contact_event(self, event: ContactEvent) -> None:
        """Add an event under its `sequence`, taken from `next_sequence`."""
        self._connection.execute(_ADD_EVENT, _row(_EVENT_FIELDS, event))

    def next_sequence(self, contact_id: str) -> int:
        """Take the contact's next number, from 1, shared by its events and decisions; raises `ContactNotFound`."""
        number: int | None = self._connection.execute(_NEXT_SEQUENCE, {"key": contact_id}).scalar()
        if number is None:
            raise ContactNotFound(contact_id)
        return number

    def latest_sequence(self, contact_id: str) -> int:
        """Return the contact's last number taken so far, 0 at first; raises `ContactNotFound`."""
        number: int | None = self._connection.execute(_LATEST_SEQUENCE, {"key": contact_id}).scalar()
        if number is None:
            raise ContactNotFound(contact_id)
        return number

    def _contacts(self, statement: Select[Any], **parameters: object) -> tuple[Contact, ...]:
        return tuple(_to_contact(row) for row in self._connection.execute(statement, parameters))


def _to_contact(row: Any) -> Contact:
    contact_id, customer_id, opened_at, channel, direction, *rest = row
    return Contact(contact_id, customer_id, opened_at, channel, Direction(direction), *rest)


def _row(names: tuple[str, ...], value: Contact | ContactEvent) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}

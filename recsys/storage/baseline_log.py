"""What customers did after getting in touch lately: what a campaign over them would have measured."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Subquery, func, select

from recsys.domain.interaction import InteractionKind
from recsys.storage.bound_log import BoundLog
from recsys.storage.schema import contacts, customers, interactions

_ANSWERS = (InteractionKind.ACCEPTED.value, InteractionKind.DECLINED.value)


@dataclass(frozen=True, slots=True)
class Window:
    """Contacts opened from `since` until before `until`; no channels means all."""

    since: datetime
    until: datetime
    channels: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class LaterContact:
    """A contact of a customer, their first in a window or a later one."""

    customer_id: str
    first_at: datetime
    opened_at: datetime
    closed_at: datetime | None
    csat: int | None
    is_complaint: bool


@dataclass(frozen=True, slots=True)
class LaterAnswer:
    """Something a customer accepted or declined after their first contact in a window."""

    customer_id: str
    offer_id: str
    answered_at: datetime
    accepted: bool


class BaselineLog(BoundLog):
    """The part of the log from which campaigns are planned."""

    def customers_count(self) -> int:
        """Return how many customers there are."""
        return self._connection.execute(select(func.count()).select_from(customers)).scalar_one()

    def contacted_customers(self, window: Window) -> int:
        """Return how many customers got in touch in a window."""
        return self._connection.execute(select(func.count()).select_from(_first_contacts(window))).scalar_one()

    def contacts_after(self, window: Window, most: int) -> list[LaterContact]:
        """Return the contacts of the `most` customers who were last to get in touch, from their first one on."""
        first = _sample(window, most)
        columns = first.c.customer_id, first.c.first_at, contacts.c.opened_at, contacts.c.closed_at, contacts.c.csat
        rows = select(*columns, contacts.c.is_complaint).join_from(
            first,
            contacts,
            (contacts.c.customer_id == first.c.customer_id) & (contacts.c.opened_at >= first.c.first_at),
        )
        return [LaterContact(*row[:5], row.is_complaint) for row in self._connection.execute(rows)]

    def answers_after(self, window: Window, most: int) -> list[LaterAnswer]:
        """Return what the same customers accepted and declined from their first contact on."""
        first = _sample(window, most)
        columns = first.c.customer_id, interactions.c.offer_id, interactions.c.occurred_at, interactions.c.kind
        rows = (
            select(*columns)
            .join_from(first, interactions, interactions.c.customer_id == first.c.customer_id)
            .where(interactions.c.occurred_at >= first.c.first_at, interactions.c.kind.in_(_ANSWERS))
        )
        accepted = InteractionKind.ACCEPTED.value
        return [
            LaterAnswer(row.customer_id, row.offer_id, row.occurred_at, row.kind == accepted)
            for row in self._connection.execute(rows)
        ]


def _first_contacts(window: Window) -> Subquery:
    first = select(contacts.c.customer_id, func.min(contacts.c.opened_at).label("first_at")).where(
        contacts.c.opened_at >= window.since, contacts.c.opened_at < window.until
    )
    if window.channels:
        first = first.where(contacts.c.channel.in_(sorted(window.channels)))
    return first.group_by(contacts.c.customer_id).subquery("first_contacts")


def _sample(window: Window, most: int) -> Subquery:
    first = _first_contacts(window)
    return select(first).order_by(first.c.first_at.desc(), first.c.customer_id).limit(most).subquery("sample")

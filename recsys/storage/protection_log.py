"""The ledger of protections: who said when that a consent is given or a flag holds, and what is in force."""

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update

from recsys.domain.errors import CustomerNotFound
from recsys.domain.identifier import alike
from recsys.domain.protection import UNREADABLE, Purpose, Statement, flag_of
from recsys.storage.batching import in_batches
from recsys.storage.bound_log import BoundLog
from recsys.storage.schema import customers, protections

_BATCH = 500
_MOST_ALIKE = 3

_latest_first = (protections.c.as_of.desc().nulls_last(), protections.c.statement_id.desc())
_ranked = select(
    protections,
    func.row_number().over(partition_by=(protections.c.customer_id, protections.c.subject), order_by=_latest_first)
    .label("place"),
).subquery("ranked")  # fmt: skip
IN_FORCE = (
    select(*(_ranked.c[column.name] for column in protections.c)).where(_ranked.c.place == 1).subquery("in_force")
)
"""The statement in force of each customer and subject: the newest that says since when, else the last one of a file."""

PROFILING_IN_FORCE = select(IN_FORCE.c.customer_id, IN_FORCE.c.value.label("granted")).where(
    IN_FORCE.c.subject == Purpose.PROFILING.value
)
"""The consent to profiling in force, of each customer who was ever asked."""

STATEMENT_ORDER = (protections.c.as_of.asc().nulls_first(), protections.c.statement_id)
"""The last of a subject in this order is in force."""
_OF_CUSTOMER = (
    select(protections).where(protections.c.customer_id == bindparam("customer_id")).order_by(*STATEMENT_ORDER)
)
_SET_FLAGS = update(customers).where(customers.c.customer_id == bindparam("key")).values(flags=bindparam("names"))
_ADD = insert(protections)


class ProtectionLog(BoundLog):
    """The protections' part of the log; `customers.flags` always says what the ledger does."""

    def add_statement(self, customer_id: str, statement: Statement) -> None:
        """Add a line to the ledger, and say the customer's flags anew."""
        row = {name: getattr(statement, name) for name in Statement.__slots__}
        self._connection.execute(_ADD, {"customer_id": customer_id, **row})
        if flag_of(statement.subject):
            say_flags(self._connection, [customer_id])

    def statements(self, customer_id: str) -> tuple[Statement, ...]:
        """Return the customer's ledger; of several about one subject the last is in force."""
        rows = self._connection.execute(_OF_CUSTOMER, {"customer_id": customer_id})
        return tuple(Statement(*(getattr(row, name) for name in Statement.__slots__)) for row in rows)

    def flagged_count(self, flag: str) -> int:
        """Return for how many customers the flag holds."""
        counted = select(func.count()).select_from(customers).where(flag_holds(flag))
        return self._connection.execute(counted).scalar_one()

    def held_customers(self, most: int) -> list[str]:
        """Return the first customers of whom something that protects could not be read."""
        found = select(customers.c.customer_id).where(flag_holds(UNREADABLE)).order_by(customers.c.customer_id)
        return list(self._connection.execute(found.limit(most)).scalars())

    def set_protection(self, customer_id: str, subject: str, statement: Statement) -> None:
        """Add a live statement about a consent or a flag; ending `UNREADABLE` ends it whatever was not readable.

        Raises `CustomerNotFound`, which names those of a similar id.
        """
        if self._connection.execute(
            select(customers.c.customer_id).where(customers.c.customer_id == customer_id)
        ).first() is None:  # fmt: skip
            known = select(customers.c.customer_id).where(customers.c.alike == alike(customer_id))
            found = self._connection.execute(known.order_by(customers.c.customer_id).limit(_MOST_ALIKE))
            raise CustomerNotFound(customer_id, found.scalars().all())
        subjects = {subject}
        if subject == UNREADABLE and not statement.value:
            subjects |= {one.subject for one in self.statements(customer_id) if flag_of(one.subject) == UNREADABLE}
        for one in sorted(subjects):
            self.add_statement(customer_id, _about(one, statement))


def _about(subject: str, statement: Statement) -> Statement:
    values = {name: getattr(statement, name) for name in Statement.__slots__}
    return Statement(**{**values, "subject": subject})


def say_flags(connection: Connection, customer_ids: Iterable[str]) -> None:
    """Write into `customers.flags` of these customers what the ledger says of them."""
    for batch in in_batches(customer_ids, _BATCH):
        held: dict[str, set[str]] = {customer_id: set() for customer_id in batch}
        rows = connection.execute(
            select(IN_FORCE.c.customer_id, IN_FORCE.c.subject)
            .where(IN_FORCE.c.customer_id.in_(batch), IN_FORCE.c.value)
        )  # fmt: skip
        for customer_id, subject in rows:
            if (flag := flag_of(subject)) is not None:
                held[customer_id].add(flag)
        connection.execute(
            _SET_FLAGS,
            [{"key": one, "names": orjson.dumps(sorted(flags)).decode()} for one, flags in held.items()],
        )


def flag_holds(name: str, flags: ColumnElement[Any] = customers.c.flags) -> ColumnElement[bool]:
    """Return the condition that a flag is among a customer's `flags`, on either database."""
    return flags.contains(f'"{name}"', autoescape=True)

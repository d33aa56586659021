"""Accounts: who may sign in, with which roles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.exc import IntegrityError

from recsys.domain.errors import AccountExists, AccountNotFound
from recsys.storage.bound_log import BoundLog
from recsys.storage.schema import accounts


@dataclass(frozen=True, slots=True)
class SavedAccount:
    """Somebody who may sign in; the password is kept as its hash alone."""

    name: str
    password_hash: str
    roles: tuple[str, ...]
    created_at: datetime


class AccountLog(BoundLog):
    """Reads and writes of accounts."""

    def add_account(self, account: SavedAccount) -> None:
        """Save a new account; raises `AccountExists` where the name is taken."""
        values = {
            "name": account.name,
            "password_hash": account.password_hash,
            "roles": orjson.dumps(account.roles).decode(),
            "created_at": account.created_at,
        }
        try:
            self._connection.execute(insert(accounts).values(values))
        except IntegrityError as error:
            raise AccountExists(account.name) from error

    def account(self, name: str) -> SavedAccount | None:
        """Return an account, or None where there is none of that name."""
        return next(iter(self._accounts(accounts.c.name == name)), None)

    def accounts(self) -> Sequence[SavedAccount]:
        """Return every account, by name."""
        return self._accounts(accounts.c.name.is_not(None))

    def remove_account(self, name: str) -> None:
        """Remove an account, which ends its sessions; raises `AccountNotFound`."""
        if not self._connection.execute(delete(accounts).where(accounts.c.name == name)).rowcount:
            raise AccountNotFound(name)

    def _accounts(self, condition: ColumnElement[bool]) -> list[SavedAccount]:
        rows = self._connection.execute(select(accounts).where(condition).order_by(accounts.c.name))
        return [
            SavedAccount(row.name, row.password_hash, tuple(orjson.loads(row.roles)), row.created_at) for row in rows
        ]

"""Who asks, and what they may do: people with roles, their passwords, and the signed session that names them."""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING

import jwt

from recsys.domain.clock import Clock, system_clock
from recsys.domain.errors import NotSignedIn
from recsys.domain.role import Role
from recsys.storage.account_log import SavedAccount
from recsys.storage.database import Database
from serving.secret_key import secret_key
from serving.settings import Settings

if TYPE_CHECKING:
    from pwdlib import PasswordHash

SESSION_COOKIE = "nbo-session"
SESSION_SECONDS = 12 * 3600
ALGORITHM = "HS256"
REMEMBERED_SECONDS = 10.0
"""For so long a worker goes on with what it knows of an account; its removal works everywhere after that."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks, or a program that does."""

    name: str
    roles: frozenset[Role]


EVERYONE = Person("demo", frozenset(Role))
"""Who asks without signing in where NBO_AUTH=demo."""
DEMO_PEOPLE = {
    "anna": Role.AGENT,
    "bo": Role.AGENT,
    "mei": Role.MARKETER,
    "sam": Role.SCIENTIST,
    "ines": Role.APPROVER,
    "otto": Role.AUDITOR,
}
"""Who can be chosen on the demo's sign-in page, without a password."""


class Access:
    """Knows the people of this service and signs their sessions."""

    def __init__(self, settings: Settings, database: Database, clock: Clock = system_clock) -> None:
        self.is_demo = settings.auth == "demo"
        self._settings = settings
        self._database = database
        self._clock = clock
        self._known: dict[str, tuple[float, Person | None]] = {}

    def session_of(self, person: Person) -> str:
        """Return the session that a cookie carries: the name in a JSON Web Token (RFC 7519)."""
        ends = self._clock() + timedelta(seconds=SESSION_SECONDS)
        return jwt.encode({"sub": person.name, "exp": ends}, self._key, ALGORITHM)

    def person(self, session: str | None, basic: tuple[str, str] | None) -> Person | None:
        """Return who asks, by session or else by name and password; None for nobody who is known.

        In the demo whoever has neither is everyone.
        """
        if session is not None:
            try:
                claims = jwt.decode(session, self._key, [ALGORITHM], {"require": ["sub", "exp"]})
            except jwt.InvalidTokenError:
                return None
            name: str = claims["sub"]
            return self._remembered(name, lambda: self._named(name))
        if basic is not None and not self.is_demo:
            # Hashing a password takes long on purpose; a program that sends it each time would feel that.
            digest = hmac.digest(self._key, "\0".join(basic).encode(), "sha256").hex()
            return self._remembered(digest, lambda: self._checked(*basic))
        return EVERYONE if self.is_demo else None

    def sign_in(self, name: str, password: str) -> Person:
        """Return the person of this name and password; raises `NotSignedIn`. The demo's people need no password."""
        found = self._named(name) if self.is_demo else self._checked(name, password)
        if found is None:
            raise NotSignedIn
        return found

    @cached_property
    def _key(self) -> bytes:
        return secret_key(self._settings, "session")

    def _named(self, name: str) -> Person | None:
        if self.is_demo:
            return Person(name, frozenset({DEMO_PEOPLE[name]})) if name in DEMO_PEOPLE else None
        with self._database.read() as log:
            account = log.account(name)
        return _person(account) if account else None

    def _checked(self, name: str, password: str) -> Person | None:
        with self._database.read() as log:
            account = log.account(name)
        # Somebody unknown takes as long as a wrong password, so that nobody learns which names exist.
        is_right = _passwords().verify(password, account.password_hash if account else _a_hash())
        return _person(account) if account and is_right else None

    def _remembered(self, key: str, find: Callable[[], Person | None]) -> Person | None:
        now = time.monotonic()
        at, person = self._known.get(key, (-REMEMBERED_SECONDS, None))
        if now - at >= REMEMBERED_SECONDS:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[key] = now, (person := find())
        return person


def new_account(name: str, password: str, roles: list[Role], clock: Clock) -> SavedAccount:
    """Return an account to save, its password hashed by argon2id."""
    return SavedAccount(name, _passwords().hash(password), tuple(role.value for role in roles), clock())


def _person(account: SavedAccount) -> Person:
    return Person(account.name, frozenset(Role(role) for role in account.roles))


@cache
def _passwords() -> "PasswordHash":
    from pwdlib import PasswordHash

    return PasswordHash.recommended()


@cache
def _a_hash() -> str:
    return _passwords().hash(secrets.token_hex())

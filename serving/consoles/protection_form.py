"""What protects the customer of a live contact: what the page shows of it, and the forms that change it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from recsys.domain.protection import DELIVERED_FLAGS, FLAGS, UNREADABLE, Purpose, Statement, flag_of
from recsys.domain.words import is_blank

LONGEST_WHY = 500
SOURCE = "agent"
CHOICES = (*((name, True) for name in DELIVERED_FLAGS), *((one.value, False) for one in Purpose))
"""What somebody who has checked a customer may have found: a flag that holds, a consent that was refused."""


@dataclass(frozen=True, slots=True)
class Protection:
    """A flag that holds, with the statements in force that say so; several where several things were not read."""

    flag: str
    statements: tuple[Statement, ...]


def protections(ledger: Iterable[Statement], flags: Iterable[str]) -> list[Protection]:
    """Return every flag that holds with who said so; a flag that nobody knows any more comes last."""
    in_force = {one.subject: one for one in ledger}
    held: dict[str, tuple[Statement, ...]] = {name: () for name in FLAGS if name in set(flags)}
    for one in in_force.values():
        flag = flag_of(one.subject)
        if flag is not None and one.value:
            held[flag] = (*held.get(flag, ()), one)
    return [Protection(name, held[name]) for name in FLAGS if name in held]


def consents(ledger: Iterable[Statement]) -> Mapping[str, Statement]:
    """Return the statement in force of each consent that was ever asked for."""
    purposes = set(Purpose)
    return {one.subject: one for one in ledger if one.subject in purposes}


def said(statement: str, why: str, actor: str, now: datetime) -> tuple[Statement, ...]:
    """Return what "subject true" or "subject false" says, for a reason; raises `ValueError` with the
    wording's key of what is missing."""
    subject, _, value = statement.partition(" ")
    if subject not in (*DELIVERED_FLAGS, *Purpose) or value not in ("true", "false"):
        raise ValueError("protect_choose")
    return (_statement(subject, value == "true", _reason(why), actor, now),)


def checked(found: str, holds: Sequence[str], why: str, actor: str, now: datetime) -> tuple[Statement, ...]:
    """Return what somebody found who read what the service could not: what protects, and that it is known now.

    Raises `ValueError` as `said`, also where "nothing" comes with something, or "something" without.
    """
    values = dict(CHOICES)
    if found not in ("nothing", "something") or (found == "something") != bool(holds) or set(holds) - values.keys():
        raise ValueError("checked_choose")
    reason = _reason(why)
    told = (_statement(subject, values[subject], reason, actor, now) for subject in dict.fromkeys(holds))
    return (*told, _statement(UNREADABLE, False, reason, actor, now))


def _reason(why: str) -> str:
    reason = " ".join(why.replace("\0", "").split())
    if is_blank(reason) or len(reason) > LONGEST_WHY:
        raise ValueError("protect_why_missing")
    return reason


def _statement(subject: str, value: bool, why: str, actor: str, now: datetime) -> Statement:
    return Statement(subject, value, now, now, SOURCE, actor, why)

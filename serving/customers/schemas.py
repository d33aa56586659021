"""The request and answer bodies of customers: consents and flags as they are said, and the ledger of both."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool, model_validator

from recsys.domain.protection import FLAGS, Purpose, Statement, in_force
from recsys.domain.words import is_blank
from serving.contacts.schemas import Request
from serving.decisions.schemas import Body


def _known(flag: str) -> str:
    if flag not in FLAGS:
        raise ValueError(f"must be one of {', '.join(FLAGS)}")
    return flag


def _said(why: str | None) -> str | None:
    return None if why is None or is_blank(why) else why.strip()


FlagName = Annotated[str, AfterValidator(_known), Field(max_length=100, json_schema_extra={"enum": list(FLAGS)})]
Why = Annotated[Annotated[str, Field(max_length=1000)] | None, AfterValidator(_said)]
"""A reason in words; a blank one is none."""


class NewConsent(Request):
    """A consent given or withdrawn for one purpose; `why` is kept with it."""

    purpose: Purpose
    granted: StrictBool
    why: Why = None


class NewFlag(Request):
    """A flag set (`value` true, `why` may say the reason) or ended (`value` false, `why` must say it).

    The flag for a protection that could not be read is set by imports alone, and ended here.
    """

    flag: FlagName
    value: StrictBool
    why: Why = None

    @model_validator(mode="after")
    def _may_be_said(self) -> "NewFlag":
        if self.value and not FLAGS[self.flag].is_delivered:
            raise ValueError(f"{self.flag} can only be ended (value false)")
        if not self.value and self.why is None:
            raise ValueError("ending a flag needs the field why")
        return self


class StatementBody(Body):
    """One line of the ledger: somebody said at a moment that a flag holds or a consent is given.

    `subject` is a flag or a purpose of consent; `as_of` is since when it is so (null: a file that did not say),
    `actor` is who said it, `in_force` whether nothing later was said about the same.
    """

    subject: str
    value: bool
    as_of: datetime | None
    recorded_at: datetime
    source: str
    actor: str | None
    why: str | None
    in_force: bool


class LedgerBody(Body):
    """What was ever said of a customer's flags and consents, newest first."""

    customer_id: str
    statements: list[StatementBody]


def ledger_body(customer_id: str, statements: Sequence[Statement]) -> LedgerBody:
    """Return the customer's ledger; `statements` are in the order in which the last of a subject is in force."""
    last = set(map(id, in_force(statements).values()))
    found: list[dict[str, Any]] = [
        {**{name: getattr(one, name) for name in Statement.__slots__}, "in_force": id(one) in last}
        for one in reversed(statements)
    ]
    return LedgerBody(customer_id=customer_id, statements=[StatementBody(**one) for one in found])

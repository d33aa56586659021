"""Turns the text of one imported row into values, or says which column is wrong and why."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson

from recsys.domain.channel import PHONE
from recsys.domain.contact import Direction
from recsys.domain.customer import AttributeValue, CustomerKind
from recsys.domain.identifier import parse_identifier
from recsys.domain.interaction import InteractionKind
from recsys.domain.protection import CONSENT_COLUMNS, DELIVERED_FLAGS
from recsys.domain.vocabulary import SHIPPED
from recsys.storage.table_files import Row

CUSTOMER_TEXTS = ("name", "language", "segment")
SUBJECT_OF_COLUMN = {**{flag: flag for flag in DELIVERED_FLAGS}, **CONSENT_COLUMNS}
"""The columns that protect a customer, and what each is about in the ledger of protections."""
CUSTOMER_COLUMNS = frozenset(("customer_id", "kind", "risk_level", *CUSTOMER_TEXTS, *SUBJECT_OF_COLUMN))
MAX_TEXT_LENGTH = 10_000
_YEARS = range(1900, 2200)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_KINDS = {kind.value for kind in InteractionKind}
_DIRECTIONS = {direction.value for direction in Direction}
_CUSTOMER_KINDS = {kind.value for kind in CustomerKind}


class BadRow(Exception):
    """A row that cannot be used, because of one of its columns; never leaves the import: see rejected.csv."""

    def __init__(self, column: str, reason: str) -> None:
        self.column, self.reason = column, reason
        super().__init__(f"{column}: {reason}")


def parse_interaction(row: Row) -> dict[str, Any]:
    """Return the columns of one interaction."""
    kind = row.get("event", "").strip() or InteractionKind.ACCEPTED.value
    if kind not in _KINDS:
        raise BadRow("event", f"must be one of {', '.join(sorted(_KINDS))}")
    weight = parse_number(row, "weight", 0.0)
    return {
        "customer_id": parse_id(row, "customer_id"),
        "offer_id": parse_id(row, "offer_id"),
        "occurred_at": parse_moment(row, "occurred_at"),
        "kind": kind,
        "channel": _channel(row),
        "weight": 1.0 if weight is None else weight,
    }


def parse_contact(row: Row) -> dict[str, Any]:
    """Return the columns of one contact of the past, closed when it was opened, with its `digest`."""
    direction = row.get("direction", "").strip() or Direction.INBOUND.value
    if direction not in _DIRECTIONS:
        raise BadRow("direction", f"must be one of {', '.join(sorted(_DIRECTIONS))}")
    reason = parse_text(row, "reason")
    values = {
        "contact_id": parse_id(row, "contact_id"),
        "customer_id": parse_id(row, "customer_id"),
        "opened_at": parse_moment(row, "opened_at"),
        "channel": _channel(row) or PHONE,
        "direction": direction,
        "reason": None if reason is None else SHIPPED.need(reason),
        "is_complaint": SHIPPED.is_complaint(reason),
        "sentiment": parse_number(row, "sentiment", -1.0, 1.0),
        "agent_id": parse_text(row, "agent_id"),
        "csat": parse_level(row, "csat"),
    }
    return values | {"closed_at": values["opened_at"], "digest": digest(values)}


def parse_customer(row: Row, types: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns of one customer, attributes by `types`, with the `digest` of what it says.

    A column the file has not is not in the result, so that it stays what it was.
    """
    values: dict[str, Any] = {"customer_id": parse_id(row, "customer_id")}
    if "kind" in row:
        values["kind"] = row["kind"].strip() or CustomerKind.CUSTOMER.value
        if values["kind"] not in _CUSTOMER_KINDS:
            raise BadRow("kind", f"must be one of {', '.join(sorted(_CUSTOMER_KINDS))}")
    values |= {name: parse_text(row, name) for name in CUSTOMER_TEXTS if name in row}
    if "risk_level" in row:
        values["risk_level"] = parse_level(row, "risk_level")
    values |= {name: _protective(row, name, SHIPPED.truth) or False for name in DELIVERED_FLAGS if name in row}
    values |= {name: _protective(row, name, SHIPPED.consent) for name in CONSENT_COLUMNS if name in row}
    values["attributes"] = {name: parse_attribute(row, name, type_) for name, type_ in types.items() if name in row}
    return values | {"digest": digest(values)}


def _channel(row: Row) -> str | None:
    """Return the channel by its name, or the word itself where nobody knows it."""
    word = parse_text(row, "channel")
    return None if word is None else SHIPPED.channel(word) or word


def parse_id(row: Row, column: str) -> str:
    """Return an id in its normal form."""
    try:
        return parse_identifier(row[column])
    except ValueError as error:
        raise BadRow(column, str(error)) from None


def parse_text(row: Row, column: str) -> str | None:
    """Return a text, or `None` for an empty cell."""
    text = row.get(column, "").strip()
    if len(text) > MAX_TEXT_LENGTH or "\0" in text:
        raise BadRow(column, f"is longer than {MAX_TEXT_LENGTH} characters or contains NUL")
    return text or None


def parse_moment(row: Row, column: str) -> str:
    """Return an ISO 8601 moment, without a zone taken as UTC, as both databases store it: UTC, microseconds."""
    try:
        moment = datetime.fromisoformat(row[column].strip())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise BadRow(column, "is not an ISO 8601 time such as 2026-01-31T09:30:00") from None
    if moment.year not in _YEARS:
        raise BadRow(column, f"lies outside the years {_YEARS.start} to {_YEARS.stop - 1}")
    return moment.isoformat(" ", "microseconds")


def parse_number(row: Row, column: str, low: float = -math.inf, high: float = math.inf) -> float | None:
    """Return a finite number from `low` to `high`, or `None` for an empty cell."""
    text = row.get(column, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        raise BadRow(column, "is not a number") from None
    if not math.isfinite(number):
        raise BadRow(column, "is not a finite number")
    if not low <= number <= high:
        raise BadRow(column, f"must be at least {low:g}" if high == math.inf else f"must be {low:g} to {high:g}")
    return number


def parse_level(row: Row, column: str) -> int | None:
    """Return a whole number from 1 to 5, or `None` for an empty cell."""
    number = parse_number(row, column, 1, 5)
    if number is not None and number != int(number):
        raise BadRow(column, "must be a whole number")
    return None if number is None else int(number)


def parse_boolean(row: Row, column: str) -> bool | None:
    """Return true or false, or `None` for an empty cell."""
    text = row.get(column, "").strip().lower()
    if text and text not in _BOOLEANS:
        raise BadRow(column, "must be true or false")
    return _BOOLEANS[text] if text else None


def _protective(row: Row, column: str, read: Callable[[str], bool | None]) -> bool | None:
    try:
        return read(row.get(column, ""))
    except ValueError as error:
        raise BadRow(column, str(error)) from None


def parse_attribute(row: Row, column: str, type_: str) -> AttributeValue:
    """Return a customer's attribute of the given type (`number`, `boolean`, `text`)."""
    if type_ == "number":
        return parse_number(row, column)
    return parse_boolean(row, column) if type_ == "boolean" else parse_text(row, column)


def digest(values: Mapping[str, Any]) -> str:
    """Return what identifies a row by its content, however its file spelled it."""
    return blake2b(orjson.dumps(values, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()

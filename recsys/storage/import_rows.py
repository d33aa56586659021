"""Turns the text of one imported row into values, or says which column is wrong and why."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from hashlib import blake2b
from typing import Any

import orjson

from recsys.domain.contact import Channel, Direction
from recsys.domain.customer import AttributeValue, CustomerKind
from recsys.domain.interaction import InteractionKind
from recsys.storage.cell_formats import DEFAULT_NULLS, YEAR_FIRST, Moment, moment_reader, null_words, number_reader
from recsys.storage.column_survey import ColumnReading, Role, is_code
from recsys.storage.protective_cells import CONSENT_COLUMNS, CUSTOMER_FLAGS, PROTECTIVE_COLUMNS, truth
from recsys.storage.table_files import Row

CUSTOMER_TEXTS = ("name", "language", "segment")
CUSTOMER_COLUMNS = frozenset(
    ("customer_id", "kind", "risk_level", *CUSTOMER_TEXTS, *PROTECTIVE_COLUMNS, "consents_as_of", "known_at")
)
KNOWN_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customers": tuple(sorted(CUSTOMER_COLUMNS)),
    "interactions": ("customer_id", "offer_id", "occurred_at", "event", "channel", "weight"),
    "contacts": (
        "contact_id", "customer_id", "opened_at", "channel", "direction", "reason", "sentiment", "agent_id", "csat",
    ),
}  # fmt: skip
ROLES: Mapping[str, Role] = {
    "customer_id": Role.IDENTIFIER, "offer_id": Role.IDENTIFIER, "contact_id": Role.IDENTIFIER,
    "agent_id": Role.IDENTIFIER,
    "occurred_at": Role.MOMENT, "opened_at": Role.MOMENT, "consents_as_of": Role.MOMENT, "known_at": Role.MOMENT,
    "valid_from": Role.MOMENT, "valid_to": Role.MOMENT,
    "weight": Role.NUMBER, "sentiment": Role.NUMBER, "csat": Role.NUMBER, "risk_level": Role.NUMBER,
    "margin": Role.NUMBER, "handling_seconds": Role.NUMBER, "starting_propensity": Role.NUMBER, "lever": Role.NUMBER,
    "total_cap": Role.NUMBER, "daily_cap": Role.NUMBER,
}  # fmt: skip
"""The built-in columns that a file may write in several ways."""

MAX_ID_LENGTH = 200
MAX_TEXT_LENGTH = 10_000
_YEARS = range(1900, 2200)
_KINDS = {kind.value for kind in InteractionKind}
_DIRECTIONS = {direction.value for direction in Direction}
_CUSTOMER_KINDS = {kind.value for kind in CustomerKind}
_NUMBER_COLUMN = ColumnReading("number")


class BadRow(Exception):
    """A row that cannot be used, because of one of its columns; never leaves the import: see rejected.csv."""

    def __init__(self, column: str, reason: str) -> None:
        self.column, self.reason = column, reason
        super().__init__(f"{column}: {reason}")


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the rows of one table: how its columns are written, which words mean nothing, the zone of local times."""

    columns: Mapping[str, ColumnReading] = field(default_factory=dict)
    nulls: frozenset[str] = null_words(DEFAULT_NULLS)
    zone: tzinfo = UTC

    def interaction(self, row: Row) -> dict[str, Any]:
        """Return the columns of one interaction."""
        kind = self.cell(row, "event") or InteractionKind.ACCEPTED.value
        if kind not in _KINDS:
            raise BadRow("event", f"must be one of {', '.join(sorted(_KINDS))}")
        weight = self.number(row, "weight", 0.0)
        return {
            "customer_id": self.identifier(row, "customer_id"),
            "offer_id": self.identifier(row, "offer_id"),
            "occurred_at": self.moment(row, "occurred_at"),
            "kind": kind,
            "channel": self.text(row, "channel"),
            "weight": 1.0 if weight is None else weight,
        }

    def contact(self, row: Row) -> dict[str, Any]:
        """Return the columns of one contact of the past, closed when it was opened, with its `digest`."""
        direction = self.cell(row, "direction") or Direction.INBOUND.value
        if direction not in _DIRECTIONS:
            raise BadRow("direction", f"must be one of {', '.join(sorted(_DIRECTIONS))}")
        values = {
            "contact_id": self.identifier(row, "contact_id"),
            "customer_id": self.identifier(row, "customer_id"),
            "opened_at": self.moment(row, "opened_at"),
            "channel": self.text(row, "channel") or Channel.PHONE.value,
            "direction": direction,
            "reason": self.text(row, "reason"),
            "sentiment": self.number(row, "sentiment", -1.0, 1.0),
            "agent_id": self.identifier(row, "agent_id") if self.cell(row, "agent_id") else None,
            "csat": self.level(row, "csat"),
        }
        return values | {"closed_at": values["opened_at"], "digest": digest(values)}

    def customer(self, row: Row) -> dict[str, Any]:
        """Return the columns of one customer, attributes among them, with the `digest` of what it says.

        A column the file has not is not in the result, so that it stays what it was.
        """
        values: dict[str, Any] = {"customer_id": self.identifier(row, "customer_id")}
        if "kind" in row:
            values["kind"] = self.cell(row, "kind") or CustomerKind.CUSTOMER.value
            if values["kind"] not in _CUSTOMER_KINDS:
                raise BadRow("kind", f"must be one of {', '.join(sorted(_CUSTOMER_KINDS))}")
        values |= {name: self.text(row, name) for name in CUSTOMER_TEXTS if name in row}
        if "risk_level" in row:
            values["risk_level"] = self.level(row, "risk_level")
        values |= {name: self.truth(row, name) or False for name in CUSTOMER_FLAGS if name in row}
        values |= {name: self.truth(row, name) for name in CONSENT_COLUMNS if name in row}
        values["attributes"] = {
            name: self.attribute(row, name, reading)
            for name, reading in self.columns.items()
            if name in row and name not in CUSTOMER_COLUMNS
        }
        return values | {"digest": digest(values)}

    def cell(self, row: Row, column: str) -> str:
        """Return a cell without the blanks around it, empty when it says "nothing" in some word."""
        text = row[column].strip() if column in row else ""
        return "" if text in self.nulls else text

    def identifier(self, row: Row, column: str) -> str:
        """Return an id: not empty, no NUL, at most `MAX_ID_LENGTH` characters; 1.0 is 1 where ids are so written."""
        text = self.cell(row, column)
        if not text:
            raise BadRow(column, "is empty")
        if len(text) > MAX_ID_LENGTH or "\0" in text:
            raise BadRow(column, f"is longer than {MAX_ID_LENGTH} characters or contains NUL")
        if text.endswith(".0") and column in self.columns and self.columns[column].is_decimal_id:
            return text[:-2]
        return text

    def text(self, row: Row, column: str) -> str | None:
        """Return a text, or `None` for an empty cell."""
        text = self.cell(row, column)
        if len(text) > MAX_TEXT_LENGTH or "\0" in text:
            raise BadRow(column, f"is longer than {MAX_TEXT_LENGTH} characters or contains NUL")
        return text or None

    def moment(self, row: Row, column: str) -> str:
        """Return a moment as both databases store it: UTC, microseconds; without a zone it is one of the bank's."""
        try:
            at = self._at_once(row, column) or self.moment_of(row, column).begins(self.zone)
        except OverflowError:
            raise BadRow(column, "is not a time that can be kept") from None
        if at.year not in _YEARS:
            raise BadRow(column, f"lies outside the years {_YEARS.start} to {_YEARS.stop - 1}")
        return at.isoformat(" ", "microseconds")[:26]

    def _at_once(self, row: Row, column: str) -> datetime | None:
        """Return the moment of a cell as most files write it; the rest is not in a hurry."""
        reading = self.columns.get(column)
        if reading is None or reading.dates != YEAR_FIRST:
            return None
        try:
            at = datetime.fromisoformat(row[column].strip())
        except ValueError:
            return None
        if at.tzinfo is None:
            return at if self.zone is UTC else at.replace(tzinfo=self.zone).astimezone(UTC)
        return at.astimezone(UTC)

    def moment_of(self, row: Row, column: str) -> Moment:
        """Return what a cell of a moment says."""
        reading = self.columns.get(column)
        format_ = reading.dates if reading and reading.dates else YEAR_FIRST
        text = self.cell(row, column)
        try:
            return moment_reader(format_)(text)
        except (ValueError, OverflowError):
            what = "is empty" if not text else f"is not a time in the column's format, {format_}"
            raise BadRow(column, what) from None

    def number(self, row: Row, column: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """Return a finite number from `low` to `high`, or `None` for an empty cell."""
        text = self.cell(row, column)
        if not text:
            return None
        format_ = self.columns.get(column, _NUMBER_COLUMN).number
        try:
            number = math.nan if "_" in text else number_reader(format_)(text)
        except ValueError:
            raise BadRow(column, f"is not a number ({format_})") from None
        if not math.isfinite(number):
            raise BadRow(column, "is not a finite number")
        if not low <= number <= high:
            raise BadRow(column, f"must be at least {low:g}" if high == math.inf else f"must be {low:g} to {high:g}")
        return number

    def level(self, row: Row, column: str) -> int | None:
        """Return a whole number from 1 to 5, or `None` for an empty cell."""
        number = self.number(row, column, 1, 5)
        if number is not None and number != int(number):
            raise BadRow(column, "must be a whole number")
        return None if number is None else int(number)

    def truth(self, row: Row, column: str) -> bool | None:
        """Return true or false, or `None` for an empty cell."""
        try:
            return truth(self.cell(row, column))
        except ValueError as error:
            raise BadRow(column, str(error)) from None

    def attribute(self, row: Row, column: str, reading: ColumnReading) -> AttributeValue:
        """Return a customer's attribute as its column is read; a date is the text of its moment in UTC."""
        if reading.type == "number":
            if is_code(self.cell(row, column)):
                raise BadRow(column, "is a code of digits where the column holds numbers")
            return self.number(row, column)
        if reading.type == "boolean":
            return self.truth(row, column)
        if reading.type == "date":
            return self._day_or_moment(row, column) if self.cell(row, column) else None
        return self.text(row, column)

    def _day_or_moment(self, row: Row, column: str) -> str:
        moment = self.moment_of(row, column)
        return moment.at.date().isoformat() if moment.is_day else self.moment(row, column)


def digest(values: Mapping[str, Any]) -> str:
    """Return what identifies a row by its content, however its file spelled it."""
    return blake2b(orjson.dumps(values, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()


def as_stored(at: datetime) -> str:
    """Return a moment as rows hold it, so that both can be compared as texts."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")

"""Turns the text of one imported row into values, or says which column is wrong and why."""

import math
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from hashlib import blake2b
from typing import Any

import orjson

from recsys.domain.channel import PHONE
from recsys.domain.contact import Direction
from recsys.domain.customer import MAX_TEXT_LENGTH, AttributeValue, CustomerKind
from recsys.domain.identifier import MAX_ID_LENGTH, parse_identifier
from recsys.domain.interaction import InteractionKind
from recsys.domain.protection import CONSENT_COLUMNS, DELIVERED_FLAGS
from recsys.domain.vocabulary import SHIPPED, Vocabulary
from recsys.domain.words import fold
from recsys.storage.cell_formats import DEFAULT_NULLS, YEAR_FIRST, Moment, moment_reader, null_words, number_reader
from recsys.storage.column_survey import ColumnReading, Role, is_code
from recsys.storage.protective_cells import SUBJECT_OF_COLUMN
from recsys.storage.table_files import Row

CUSTOMER_TEXTS = ("name", "language", "segment")
CUSTOMER_COLUMNS = frozenset(
    ("customer_id", "kind", "risk_level", *CUSTOMER_TEXTS, *SUBJECT_OF_COLUMN, "consents_as_of", "known_at")
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

_MAY_SAY_NO = frozenset({"none", "nil", "nothing"})
"""Words for an empty cell that may as well refuse a consent or deny a flag: nobody can know."""
_DATED = frozenset((*CONSENT_COLUMNS, "consents_as_of"))
_YEARS = range(1900, 2200)
_NUMBER_COLUMN = ColumnReading("number")
_KINDS = {kind.value: kind.value for kind in InteractionKind}
_MOST_REASONS = 10_000
"""Of free texts as reasons, so many are remembered."""


class BadRow(Exception):
    """A row that cannot be used, because of one of its columns; never leaves the import: see rejected.csv."""

    def __init__(self, column: str, reason: str) -> None:
        self.column, self.reason = column, reason
        super().__init__(f"{column}: {reason}")


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the rows of one table: how its columns are written, which words mean nothing, the zone of local times.

    `unknown` counts the channels and reasons that the vocabulary does not know; `consents_as_of` and `known_at` hold
    for rows that do not say (as stored; None: not known).
    """

    columns: Mapping[str, ColumnReading] = field(default_factory=dict)
    nulls: frozenset[str] = null_words(DEFAULT_NULLS)
    zone: tzinfo = UTC
    words: Vocabulary = SHIPPED
    consents_as_of: str | None = None
    known_at: str | None = None
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    _channels: dict[str, str | None] = field(default_factory=dict)
    _reasons: dict[str, tuple[str, bool, bool]] = field(default_factory=dict)

    def interaction(self, row: Row) -> dict[str, Any]:
        """Return the columns of one interaction."""
        kind = _KINDS.get(word := self.cell(row, "event")) or self._word(word, "event")
        weight = self.number(row, "weight", 0.0)
        return {
            "customer_id": self.identifier(row, "customer_id"),
            "offer_id": self.identifier(row, "offer_id"),
            "occurred_at": self.moment(row, "occurred_at"),
            "kind": kind,
            "channel": self._channel(row),
            "weight": 1.0 if weight is None else weight,
        }

    def contact(self, row: Row) -> dict[str, Any]:
        """Return the columns of one contact of the past, closed when it was opened, with its `digest`."""
        reason, is_complaint = self._reason(row)
        values = {
            "contact_id": self.identifier(row, "contact_id"),
            "customer_id": self.identifier(row, "customer_id"),
            "opened_at": self.moment(row, "opened_at"),
            "channel": self._channel(row) or PHONE,
            "direction": self._word(self.cell(row, "direction"), "direction"),
            "reason": reason,
            "is_complaint": is_complaint,
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
            values["kind"] = self._word(self.cell(row, "kind"), "kind")
        values |= {name: self.text(row, name) for name in CUSTOMER_TEXTS if name in row}
        if "risk_level" in row:
            values["risk_level"] = self.level(row, "risk_level")
        values |= {name: self._protective(row, name) for name in DELIVERED_FLAGS if name in row}
        values |= {name: self._protective(row, name) for name in CONSENT_COLUMNS if name in row}
        if any(name in row for name in CONSENT_COLUMNS):
            is_said = bool(self.cell(row, "consents_as_of"))
            values["consents_as_of"] = self.moment(row, "consents_as_of") if is_said else self.consents_as_of
        values["attributes"] = {
            name: self.attribute(row, name, reading)
            for name, reading in self.columns.items()
            if name in row and name not in CUSTOMER_COLUMNS
        }
        known_at = self.moment(row, "known_at") if self.cell(row, "known_at") else self.known_at
        facts = digest({k: v for k, v in values.items() if k not in _DATED}) if values.get("consents_as_of") else ""
        return values | {"digest": digest(values), "known_at": known_at, "facts": facts}

    def cell(self, row: Row, column: str) -> str:
        """Return a cell without the blanks around it, empty when it says "nothing" in some word."""
        text = row[column].strip() if column in row else ""
        return "" if text in self.nulls else text

    def identifier(self, row: Row, column: str) -> str:
        """Return an id in its normal form; 1.0 is 1 in a column where all ids are so written."""
        text = self.cell(row, column)
        if text.isalnum() and text.isascii() and len(text) <= MAX_ID_LENGTH:
            return text
        if text.endswith(".0") and column in self.columns and self.columns[column].is_decimal_id:
            text = text[:-2]
        try:
            return parse_identifier(text)
        except ValueError as error:
            raise BadRow(column, str(error)) from None

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
            return self.words.truth(self.cell(row, column))
        except ValueError as error:
            raise BadRow(column, str(error)) from None

    def readable(self, row: Row, column: str) -> str | None:
        """Return what a cell says, empty when it is missing, or `None` when it is not a text one can keep."""
        text = row.get(column, "")
        return None if "\0" in text or len(text) > MAX_TEXT_LENGTH else self.cell(row, column)

    def protections(self, row: Row) -> dict[str, bool | None]:
        """Return what the protective cells of a row say that was rejected; those that cannot be read are left out."""
        found: dict[str, bool | None] = {}
        for column in SUBJECT_OF_COLUMN:
            if column in row:
                with suppress(BadRow):
                    found[column] = self._protective(row, column)
        return found

    def _protective(self, row: Row, column: str) -> bool | None:
        """Return what a flag or a consent says; a word for "nothing" that also says no says no."""
        text = row[column].strip()
        try:
            return (self.words.consent if column in CONSENT_COLUMNS else self.words.truth)(text)
        except ValueError as error:
            if text in self.nulls and fold(text) not in _MAY_SAY_NO:
                return None
            raise BadRow(column, str(error)) from None

    def _word(self, text: str, column: str) -> str:
        """Return the name that a word of a closed list stands for."""
        find, names, default = {
            "event": (self.words.event, InteractionKind, InteractionKind.ACCEPTED),
            "direction": (self.words.direction, Direction, Direction.INBOUND),
            "kind": (self.words.customer_kind, CustomerKind, CustomerKind.CUSTOMER),
        }[column]
        if not text:
            return default.value
        if (name := find(text)) is None:
            raise BadRow(column, f"must be one of {', '.join(sorted(one.value for one in names))}")
        return str(name)

    def _channel(self, row: Row) -> str | None:
        """Return the channel by its name, or the word itself where nobody knows it."""
        if (word := self.text(row, "channel")) is None:
            return None
        if word not in self._channels:
            self._channels[word] = self.words.channel(word)
        if (name := self._channels[word]) is None:
            self.unknown["channel", word] += 1
        return name or word

    def _reason(self, row: Row) -> tuple[str | None, bool]:
        """Return the reason by its name and whether it is a complaint, or the words themselves."""
        if (word := self.text(row, "reason")) is None:
            return None, False
        if word not in self._reasons:
            known = self.words.need(word), self.words.is_complaint(word), self.words.is_known_need(word)
            if len(self._reasons) >= _MOST_REASONS:
                self._reasons.clear()
            self._reasons[word] = known
        need, is_complaint, is_known = self._reasons[word]
        if not is_known and (("reason", word) in self.unknown or len(self.unknown) < _MOST_REASONS):
            self.unknown["reason", word] += 1
        return need, is_complaint

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

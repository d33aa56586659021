"""Collects whom the rejected rows of an import hold, and tells what somebody should look at."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from recsys.domain.protection import CONSENT_COLUMNS
from recsys.domain.vocabulary import Vocabulary
from recsys.storage.import_report import ImportReport, UnknownWord
from recsys.storage.import_tables import ReadTable
from recsys.storage.protective_cells import (
    REASON_HOLD,
    SUBJECT_OF_COLUMN,
    customers_holds,
    held_by,
    protects,
)
from recsys.storage.table_files import Row

_MOST_WORDS = 50
_MOST_NAMES = 5
_PROTECTIVE: Mapping[str, tuple[str, ...]] = {"customers": tuple(SUBJECT_OF_COLUMN), "contacts": ("reason",)}


class Protecting:
    """The holds of one import; nobody is freed by a row that cannot be used."""

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._holds: list[dict[str, Any]] = []
        self._unreadable: Counter[str] = Counter()
        self._nameless: Counter[str] = Counter()

    def hold(self, name: str, table: ReadTable, row: Row, column: str = "", is_whole: bool = True) -> None:
        """Hold whom a rejected row names; `column` is the one that is wrong, a torn row is not `is_whole`.

        What its protective cells say that protects is applied. Each that says so, or that is not read (in a torn row
        that is none of them: who knows where its cells belong), must be said by a later row before the hold is over.
        """
        reader = table.reader

        def cell(one: str) -> str | None:
            return None if not is_whole and one in ("reason", "event") else reader.readable(row, one)

        protective = [one for one in _PROTECTIVE.get(name, ()) if one in (row if is_whole else table.source.names)]
        said = reader.protections(row)
        is_read = {one: one in said or (name == "contacts" and cell(one) is not None) for one in protective}
        unread = [one for one in protective if not (is_whole and is_read[one])]
        self._unreadable.update([name] * bool(unread))
        wanted = [one for one in protective if one in unread or (one in said and protects(one, said[one]))]
        held = held_by(name, cell, self._words, wanted)
        if held is None:
            self._nameless[name] += not cell("customer_id")
            return
        why = f"{column or 'the shape'} of a row of {name} could not be used (see rejected.csv; row {_mark_of(row)})"
        for subject in held.subjects:
            self._add(held.customer_id, subject, True, why)
        if name == "customers":
            self._apply(held.customer_id, said)

    def hold_conflicting(self, name: str, row: Mapping[str, Any]) -> None:
        """Hold whom a row names that says something else than an earlier row with the same key."""
        why = f"row {row['digest']} of {name} contradicts another one"
        if name == "customers":
            said = {one: row[one] for one in SUBJECT_OF_COLUMN if row[one] is not None}
            for subject in customers_holds(tuple(said)):
                self._add(row["customer_id"], subject, True, why)
            self._apply(row["customer_id"], said)
        elif row["is_complaint"]:
            self._add(row["customer_id"], REASON_HOLD + row["contact_id"], True, why)

    def _apply(self, customer_id: str, said: Mapping[str, bool | None]) -> None:
        for column, value in said.items():
            if value is not None and protects(column, value):
                self._add(customer_id, SUBJECT_OF_COLUMN[column], value, "")

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of `staged_holds`."""
        yield from self._holds

    def tell(self, report: ImportReport) -> None:
        """Add to the report who is held and which rows hold nobody because they name nobody."""
        if report.held:
            report.notices.append(
                f"{report.held:,} customers are not sold to (protection_unreadable): a row that names them could not "
                "be used, or their id is like another one. Mend the rows and import again."
            )
        for file, source in report.sources.items():
            if source.rejected:
                report.problems.append(
                    f"{file}: {source.rejected:,} rows could not be read for queries; nobody is held."
                )
        for table, rows in self._unreadable.items():
            report.problems.append(f"{table}: {rows:,} rows whose protective cells could not be read.")
        for table, rows in self._nameless.items():
            if rows:
                report.notices.append(f"{table}: {rows:,} rejected rows name no customer that can be read.")

    def unknown_words(self, counts: Mapping[tuple[str, str], int]) -> list[UnknownWord]:
        """Return the most frequent words that the vocabulary does not know, with the names they are nearest."""
        nearest = {"channel": self._words.nearest_channel, "reason": self._words.nearest_need}
        return [
            UnknownWord(part, word, times, nearest[part](word))
            for (part, word), times in Counter(counts).most_common(_MOST_WORDS)
        ]

    def _add(self, customer_id: str, subject: str, value: bool, why: str) -> None:
        self._holds.append({"customer_id": customer_id, "subject": subject, "value": value, "why": why})


def tell_of_outvoted(outvoted: Sequence[tuple[str, bool, Sequence[str]]], report: ImportReport) -> None:
    """Report statements of rows without a date that another statement with one outranks: (column, value, customers).

    It is a problem where they would protect.
    """
    for column, value, customers in outvoted:
        names = ", ".join(customers[:_MOST_NAMES]) + (" …" if len(customers) > _MOST_NAMES else "")
        says, other = ("yes", "no") if value else ("no", "yes")
        text = (
            f"{column}: {len(customers):,} rows say {says} without a date, and do not count: a statement with a date, "
            f"or one given live, says {other} ({names})."
        )
        if not protects(column, value):
            report.notices.append(text)
        elif column in CONSENT_COLUMNS:
            report.problems.append(f"{text} If the file is right, say since when: consents_as_of, --consents-as-of.")
        else:
            report.problems.append(f"{text} If the file is right, set it in the console or by POST …/flags.")


def _mark_of(row: Row) -> str:
    """Return what is the same for the same cells, whatever bytes they hold."""
    return blake2b(repr(sorted(row.items())).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()

"""Collects whom the rejected rows of an import hold, and tells what somebody should look at."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

from recsys.domain.vocabulary import Vocabulary
from recsys.storage.import_report import ImportReport, UnknownWord
from recsys.storage.import_rows import RowReader
from recsys.storage.protective_cells import (
    CONTACTS_HOLD,
    CUSTOMERS_HOLD,
    SUBJECT_OF_COLUMN,
    held_by,
    protective_statements,
)
from recsys.storage.table_files import Row

_MOST_WORDS = 50
_PROTECTIVE = {"customers": set(SUBJECT_OF_COLUMN), "contacts": {"reason"}}


class Protecting:
    """The holds of one import; nobody is freed by a row that cannot be used."""

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._holds: list[dict[str, Any]] = []
        self._unreadable: Counter[str] = Counter()
        self._nameless: Counter[str] = Counter()

    def hold(self, table: str, reader: RowReader, row: Row, column: str = "", is_whole: bool = True) -> None:
        """Hold whom a rejected row names; `column` is the one that is wrong, a torn row is not `is_whole`."""

        def cell(name: str) -> str | None:
            return None if not is_whole and name in ("reason", "event") else reader.readable(row, name)

        if (not is_whole and table in _PROTECTIVE) or column in _PROTECTIVE.get(table, ()):
            self._unreadable[table] += 1
        held = held_by(table, cell, self._words)
        if held is None:
            self._nameless[table] += not cell("customer_id")
            return
        why = f"{column or 'the shape'} of a row of {table} could not be used (see rejected.csv; row {_mark_of(row)})"
        subject = held.subject
        if subject == CUSTOMERS_HOLD and column in SUBJECT_OF_COLUMN:
            subject += f"/={column}"
        elif subject == CUSTOMERS_HOLD and not is_whole:
            subject += _must_have(name for name in SUBJECT_OF_COLUMN if name in reader.columns)
        self._add(held.customer_id, subject, True, why)
        for subject, value in held.statements.items():
            self._add(held.customer_id, subject, value, "")

    def hold_conflicting(self, table: str, row: Mapping[str, Any]) -> None:
        """Hold whom a row names that says something else than an earlier row with the same key."""
        why = f"row {row['digest']} of {table} contradicts another one"
        if table == "customers":
            said_columns = (name for name in SUBJECT_OF_COLUMN if row[name] is not None)
            self._add(row["customer_id"], CUSTOMERS_HOLD + _must_have(said_columns), True, why)
            said = {column: {None: "", True: "true", False: "false"}[row[column]] for column in SUBJECT_OF_COLUMN}
            for subject, value in protective_statements(said.get, self._words).items():
                self._add(row["customer_id"], subject, value, "")
        elif row["is_complaint"]:
            self._add(row["customer_id"], CONTACTS_HOLD + row["contact_id"], True, why)

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


def _must_have(columns: Iterable[str]) -> str:
    """Return what ends a hold's subject when a file must have these columns to end it."""
    names = "+".join(columns)
    return f"/{names}" if names else ""


def _mark_of(row: Row) -> str:
    """Return what is the same for the same cells, whatever bytes they hold."""
    return blake2b(repr(sorted(row.items())).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()

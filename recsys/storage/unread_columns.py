"""Columns that nothing reads and that seem to protect somebody, by their names or by what stands in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from recsys.domain.errors import ImportInvalid
from recsys.domain.stems import looks_protective, names_complaint
from recsys.domain.vocabulary import SHIPPED, Vocabulary
from recsys.storage.import_rows import KNOWN_COLUMNS
from recsys.storage.mapping_query import QueryTable
from recsys.storage.protective_cells import SUBJECT_OF_COLUMN
from recsys.storage.table_files import TableFile

_MOST_WORDS = 10_000
"""Of one column, so many different words are remembered."""


@dataclass(slots=True)
class UnreadColumn:
    """A column of contacts or interactions that nothing reads; finds whether a complaint stands in it."""

    table: str
    source: TableFile | QueryTable
    name: str
    words: Vocabulary
    found: tuple[int, str] | None = None
    _harmless: set[str] = field(default_factory=set)

    def add(self, line: int, cell: str) -> None:
        """Look at a cell that is not empty."""
        if self.found is not None or cell in self._harmless:
            return
        if self.words.is_complaint(cell):
            self.found = line, cell
            return
        if len(self._harmless) >= _MOST_WORDS:
            self._harmless.clear()
        self._harmless.add(cell)

    def check(self) -> None:
        """Raise `ImportInvalid` where a complaint was found, with what to write in the mapping."""
        if self.found is not None:
            line, cell = self.found
            theirs = self.source.theirs(self.name)
            raise ImportInvalid(
                f"{self.source.name}, line {line}: column {theirs} says {cell[:80]!r}, which is a complaint, and "
                f"nothing reads that column. {_ways_out(self.table, self.source, self.name)}"
            )


def check_headers(table: str, source: TableFile | QueryTable) -> None:
    """Refuse a column that seems to protect somebody and would not: nobody would notice that it is not used."""
    for name in _unread(table, source):
        theirs = source.theirs(name)
        if looks_protective(theirs) or SHIPPED.column(theirs) in SUBJECT_OF_COLUMN:
            raise ImportInvalid(
                f"{source.name}: column {theirs} seems to protect customers, and is not known. "
                f"{_ways_out(table, source, name)}"
            )


def unread_columns(table: str, source: TableFile | QueryTable, words: Vocabulary) -> Mapping[str, UnreadColumn]:
    """Return the columns of contacts or interactions in which a complaint would be lost, by name."""
    if table not in ("contacts", "interactions"):
        return {}
    return {name: UnreadColumn(table, source, name, words) for name in _unread(table, source) if name}


def _unread(table: str, source: TableFile | QueryTable) -> list[str]:
    known, mapping = KNOWN_COLUMNS[table], source.mapping
    return [one for one in source.columns if not (one in known or one in mapping.types or one in mapping.constants)]


def _ways_out(table: str, source: TableFile | QueryTable, name: str) -> str:
    """Return what to write in the mapping for a column that seems to protect."""
    theirs = source.theirs(name)
    harmless = f"or that it protects nobody: {table}: {{types: {{{name}: text}}}}."
    if table == "customers":
        return (
            f"Say in the mapping what it is, as in customers: {{columns: {{do_not_contact: {theirs}}}}} (customers "
            f"have {', '.join(SUBJECT_OF_COLUMN)}), {harmless}"
        )
    if SHIPPED.column(theirs) in SUBJECT_OF_COLUMN or (looks_protective(theirs) and not names_complaint(theirs)):
        return f"Flags and consents are read from customers alone: deliver it as a column of theirs; {harmless}"
    if table == "interactions":
        return f"Complaints are read from contacts alone: deliver them there, with their reason; {harmless}"
    if "reason" in source.columns or names_complaint(theirs):
        query = f"SELECT *, if(\"{theirs}\" = 'yes', 'complaint', reason) AS reason …"
        return f"Make the reason of it by a query in the mapping, as in contacts: {{query: {query!r}}}, {harmless}"
    return f"Say in the mapping that it is the reason: contacts: {{columns: {{reason: {theirs}}}}}, {harmless}"

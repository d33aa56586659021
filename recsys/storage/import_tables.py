"""The tables of an import directory, opened and surveyed: where each comes from and how each column is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from difflib import get_close_matches
from pathlib import Path

from recsys.domain.errors import ImportInvalid
from recsys.domain.vocabulary import Vocabulary
from recsys.storage.cell_formats import DEFAULT_NULLS, PLAIN, YEAR_FIRST, moment_reader, null_words
from recsys.storage.column_survey import ColumnReading, ColumnSurvey, Role, decide, ignore, survey
from recsys.storage.import_mapping import EVERY_COLUMN, TableMapping, known_zone
from recsys.storage.import_report import ColumnReport, ImportReport
from recsys.storage.import_rows import KNOWN_COLUMNS, ROLES, RowReader, as_stored
from recsys.storage.mapping_query import QueryTable, load_queried_files, open_query
from recsys.storage.table_files import SUFFIXES, TableFile, find_table, open_table
from recsys.storage.unread_columns import check_headers, unread_columns

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "customers": ("customer_id",),
    "interactions": ("customer_id", "offer_id", "occurred_at"),
    "contacts": ("contact_id", "customer_id", "opened_at"),
}
NOT_USED = "nothing: it is not used"
OFFER_SUFFIXES = (*SUFFIXES, ".yaml", ".yml", ".yaml.gz")


@dataclass(frozen=True, slots=True)
class BankWays:
    """What holds for every table that does not say otherwise: the zone of local times, the words in force, since when
    facts and consents are so."""

    zone: tzinfo
    words: Vocabulary
    known_at: datetime
    consents_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadTable:
    """A table that was opened, and what reads its rows; `nulls` of offers do not hold for their texts and rules."""

    source: TableFile | QueryTable
    reader: RowReader

    @property
    def name(self) -> str:
        """The name the report has for it."""
        return self.source.name

    @property
    def attributes(self) -> dict[str, str]:
        """The types of the customer attributes it has a value of."""
        known = KNOWN_COLUMNS["customers"]
        return {
            name: "text" if reading.type == "date" else reading.type
            for name, reading in self.reader.columns.items()
            if name not in known
        }

    def columns(self, table: str) -> list[ColumnReport]:
        """Return what becomes of each column of the file."""
        known = KNOWN_COLUMNS.get(table)
        reports = []
        for name in self.source.columns:
            reading = self.reader.columns.get(name)
            if known is None or name in known:
                becomes = name
            elif table == "customers":
                becomes = f"attribute {name}" if reading else "nothing: it has no value"
            else:
                becomes = NOT_USED
            reports.append(_column_report(self.source, name, becomes, reading))
        return reports


@dataclass(frozen=True, slots=True)
class ImportTables:
    """Every table of the directory by name, offers as a path when they are not rows of text."""

    tables: Mapping[str, ReadTable]
    offers: Path | None


@contextmanager
def open_tables(
    directory: Path,
    mappings: Mapping[str, TableMapping],
    ways: BankWays,
    report: ImportReport,
    reject: Callable[..., None],
) -> Iterator[ImportTables]:
    """Yield the tables of a directory, surveyed; files that queries read are loaded meanwhile.

    Raises `ImportInvalid` when a file cannot be used as a whole or the mapping does not fit it.
    """
    if not directory.is_dir():
        raise ImportInvalid(f"There is no directory {directory}; give one with an interactions file.")
    queried = None
    if any(mapping.query is not None for mapping in mappings.values()):
        queried = load_queried_files(directory, mappings, reject)
        report.sources = queried.reports
    try:
        tables: dict[str, ReadTable] = {}
        for name, required in REQUIRED.items():
            mapping = mappings.get(name, TableMapping())
            _check_our_names(name, mapping)
            if queried is not None and mapping.query is not None:
                tables[name] = _surveyed(name, open_query(queried, name, mapping, required, KNOWN_COLUMNS[name]), ways)
            elif (path := _find(directory, name, mapping)) is not None:
                tables[name] = _surveyed(name, open_table(path, mapping, required, KNOWN_COLUMNS[name]), ways)
        if "interactions" not in tables:
            raise ImportInvalid(
                "The import directory has no interactions.csv or interactions.parquet; only that is needed."
            )
        mapping = mappings.get("offers", TableMapping())
        offers = None
        if queried is not None and mapping.query is not None:
            tables["offers"] = _surveyed("offers", open_query(queried, "offers", mapping, ("offer_id",)), ways)
        elif (offers := _find(directory, "offers", mapping, OFFER_SUFFIXES)) and not _is_typed(offers):
            tables["offers"] = _surveyed("offers", open_table(offers, mapping, ("offer_id",)), ways)
        yield ImportTables(tables, offers)
    finally:
        if queried is not None:
            queried.close()


def zone_of(mapping: TableMapping, zone: tzinfo) -> tzinfo:
    """Return the zone of a table's local times."""
    return known_zone(mapping.time_zone) if mapping.time_zone else zone


def _is_typed(path: Path) -> bool:
    return bool({".yaml", ".yml", ".parquet"} & set(map(str.lower, path.suffixes)))


def _find(directory: Path, name: str, mapping: TableMapping, suffixes: Sequence[str] = SUFFIXES) -> Path | None:
    if mapping.file is None:
        return find_table(directory, name, suffixes)
    path = directory / mapping.file
    if not path.is_file():
        names = sorted(other.name for other in directory.iterdir() if other.is_file())
        near = get_close_matches(mapping.file, names, n=3, cutoff=0.5) or names[:20]
        raise ImportInvalid(
            f"The import directory has no {mapping.file}, which the mapping names; it has {', '.join(near)}."
        )
    return path


def _surveyed(table: str, source: TableFile | QueryTable, ways: BankWays) -> ReadTable:
    mapping = source.mapping
    _check_names(table, source)
    if table != "offers":
        check_headers(table, source)
    _check_constants(table, source)
    nulls = null_words(DEFAULT_NULLS if mapping.nulls is None else mapping.nulls)
    roles = {
        name: role
        for name in source.columns
        if (role := _role(table, name)) is not None and (name not in mapping.constants or role is Role.ATTRIBUTE)
    }
    readings: dict[str, ColumnReading] = {}
    if roles:
        watched = unread_columns(table, source, ways.words)
        surveys = survey(source.shaped_rows(ignore), source.names, roles, nulls, watched)
        for one in watched.values():
            one.check()
        for name, value in mapping.constants.items():
            if name in surveys:
                surveys[name] = ColumnSurvey(roles[name])
                surveys[name].add(0, value)
        readings = decide(source.name, surveys, mapping)
    zone = zone_of(mapping, ways.zone)
    return ReadTable(
        source,
        RowReader(
            readings,
            nulls,
            zone,
            ways.words,
            _declared_moment(table, "consents_as_of", mapping.consents_as_of, zone, ways.consents_as_of),
            _declared_moment(table, "known_at", mapping.known_at, zone, ways.known_at),
        ),
    )


def _declared_moment(table: str, part: str, text: str | None, zone: tzinfo, default: datetime | None) -> str | None:
    if text is None:
        return as_stored(default) if default else None
    try:
        return as_stored(moment_reader(YEAR_FIRST)(text).begins(zone))
    except (ValueError, OverflowError):
        raise ImportInvalid(f"The mapping's {part} of {table} must be a moment such as 2026-01-31.") from None


def _check_constants(table: str, source: TableFile | QueryTable) -> None:
    """Refuse a constant for a column that the file has: what stands there would be dropped, whatever it says."""
    for name in source.mapping.constants:
        if name in source.names:
            raise ImportInvalid(
                f"The mapping's constants of {table} name {name}, which {source.name} has as column "
                f"{source.theirs(name)}; a constant is for a column that the file has not. Take one of them away."
            )


def _role(table: str, name: str) -> Role | None:
    known = KNOWN_COLUMNS.get(table)
    if known is None or name in known:
        return ROLES.get(name)
    return Role.ATTRIBUTE if table == "customers" and name else None


def _check_names(table: str, source: TableFile | QueryTable) -> None:
    """Refuse a mapping that says something of a column there is not: it would have no effect, silently."""
    for part in ("dates", "decimal", "thousands", "types"):
        for column in getattr(source.mapping, part):
            if column != EVERY_COLUMN and column not in source.columns:
                raise ImportInvalid(f"The mapping's {part} of {table} name {column}; {_near(column, source.columns)}.")


def _check_our_names(table: str, mapping: TableMapping) -> None:
    known = KNOWN_COLUMNS[table]
    for part in ("columns", "constants"):
        for column in getattr(mapping, part):
            if table != "customers" and column not in known:  # customers may have any attribute
                raise ImportInvalid(f"The mapping's {part} of {table} name {column}; {_near(column, known)}.")
    for column in mapping.types:
        if column in known:
            raise ImportInvalid(f"The mapping's types of {table} name {column}, which is no attribute.")


def _near(word: str, names: Sequence[str]) -> str:
    near = get_close_matches(word, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"


def _column_report(
    source: TableFile | QueryTable, name: str, becomes: str, reading: ColumnReading | None
) -> ColumnReport:
    theirs = f"(constant) {name}" if name in source.mapping.constants else source.theirs(name)
    if reading is None:
        return ColumnReport(theirs, name, becomes)
    is_number = reading.type == "number" and reading.number != PLAIN
    return ColumnReport(
        theirs,
        name,
        becomes,
        reading.type,
        reading.dates or "",
        reading.number.decimal if is_number else "",
        reading.number.thousands if is_number else "",
        f"line {reading.decided_by[0]}: {reading.decided_by[1]}" if reading.decided_by else "",
    )

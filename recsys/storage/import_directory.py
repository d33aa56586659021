"""Imports a directory of customers, offers, interactions and contacts; when a file is unusable, nothing of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Table

from recsys.domain.clock import Clock
from recsys.domain.errors import ImportInvalid
from recsys.storage import merging, staging
from recsys.storage.attribute_inference import infer_attribute_types
from recsys.storage.database import Database
from recsys.storage.event_log import EventLog
from recsys.storage.import_mapping import TableMapping
from recsys.storage.import_rows import CUSTOMER_COLUMNS, BadRow, parse_contact, parse_customer, parse_interaction
from recsys.storage.rejected_rows import RejectedRows
from recsys.storage.table_files import SUFFIXES, Row, TableFile, find_table, open_table

_REQUIRED = {
    "customers": ("customer_id",),
    "interactions": ("customer_id", "offer_id", "occurred_at"),
    "contacts": ("contact_id", "customer_id", "opened_at"),
}
_STAGED = {
    "customers": staging.staged_customers,
    "interactions": staging.staged_interactions,
    "contacts": staging.staged_contacts,
}
_KEYS = {"customers": "customer_id", "contacts": "contact_id"}


class NextCatalogue(NamedTuple):
    """A checked catalogue: version, offers and rule types as saved, how many the file held and how many it lacked."""

    version: str
    offers: list[dict[str, Any]]
    types: Mapping[str, str]
    read: int
    created: int


CatalogueBuilder = Callable[[Path | None, Sequence[dict[str, Any]], Sequence[str], Mapping[str, str]], NextCatalogue]
"""Makes the next catalogue of: offers file, offers in force, ids that interactions name, attribute types."""
Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class FileReport:
    """What became of the rows of one file; `already_there` are those that changed nothing."""

    read: int = 0
    added: int = 0
    changed: int = 0
    already_there: int = 0
    rejected: int = 0


@dataclass(slots=True)
class ImportReport:
    """What an import did, by file; customers and offers created are those that only other files name."""

    files: dict[str, FileReport] = field(default_factory=dict)
    customers_created: int = 0
    offers_created: int = 0
    consents_written: int = 0
    catalogue_version: str | None = None
    seconds: float = 0.0
    rejected_path: Path | None = None


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a directory is imported; `fallback` takes rejected.csv when the directory cannot be written."""

    build_catalogue: CatalogueBuilder
    clock: Clock
    replace: bool = False
    mapping: Mapping[str, TableMapping] = field(default_factory=dict)
    fallback: Path | None = None
    progress: Progress | None = None


def import_directory(database: Database, directory: Path, options: ImportOptions) -> ImportReport:
    """Import `directory` as docs/import.md describes and return what was done.

    Raises `ImportInvalid` or `CatalogueInvalid` when a file cannot be used as a whole; then nothing
    was saved. Single bad rows are written to rejected.csv and counted.
    """
    return _Import(database, directory, options).run()


class _Import:
    def __init__(self, database: Database, directory: Path, options: ImportOptions) -> None:
        self._database, self._directory, self._options = database, directory, options
        self._report = ImportReport()
        self._rejected = RejectedRows(directory, options.fallback)
        self._types: dict[str, str] = {}

    def run(self) -> ImportReport:
        started = self._options.clock()
        tables, offers = self._open_tables()
        try:
            with self._database.private_connection() as connection:
                with self._database.staging_on(connection) as log:
                    self._types = self._attribute_types(log, tables.get("customers"))
                    staging.create_staging(connection)
                    for name, table in tables.items():
                        self._stage(connection, name, table)
                with self._database.writing_on(connection) as log:
                    self._merge(connection, log, tables, offers, started)
        except BaseException:
            self._rejected.discard()
            raise
        self._report.rejected_path = self._rejected.finish()
        self._report.seconds = (self._options.clock() - started).total_seconds()
        return self._report

    def _open_tables(self) -> tuple[dict[str, TableFile], Path | None]:
        if not self._directory.is_dir():
            raise ImportInvalid(f"There is no directory {self._directory}; give one with an interactions file.")
        tables = {}
        for name, required in _REQUIRED.items():
            if (path := self._find(name)) is not None:
                tables[name] = open_table(path, self._options.mapping.get(name, TableMapping()), required)
        if "interactions" not in tables:
            raise ImportInvalid(
                "The import directory has no interactions.csv or interactions.parquet; only that is needed."
            )
        return tables, self._find("offers", (*SUFFIXES, ".yaml"))

    def _find(self, name: str, suffixes: Sequence[str] = SUFFIXES) -> Path | None:
        mapping = self._options.mapping.get(name)
        if mapping is None or mapping.file is None:
            return find_table(self._directory, name, suffixes)
        path = self._directory / mapping.file
        if not path.is_file():
            raise ImportInvalid(f"The import directory has no {mapping.file}, which the mapping names.")
        return path

    def _attribute_types(self, log: EventLog, table: TableFile | None) -> dict[str, str]:
        known = log.attribute_types()
        if table is None:
            return known
        found = infer_attribute_types(table, [name for name in table.columns if name not in CUSTOMER_COLUMNS])
        return known | found if self._options.replace else found | known

    def _stage(self, connection: Connection, name: str, table: TableFile) -> None:
        report = self._report.files[table.path.name] = FileReport()

        def reject(line: int, column: str, reason: str) -> None:
            report.read += 1
            self._rejected.add(table.path.name, line, column, reason)

        def rows() -> Iterator[dict[str, Any]]:
            for line, row in table.rows(reject):
                try:
                    values = self._parse(name, row)
                except BadRow as bad:
                    reject(line, bad.column, bad.reason)
                    continue
                report.read += 1
                values["line"] = line
                yield values

        staged: Table = _STAGED[name]
        staging.stage(connection, staged, rows(), lambda done: self._tell(f"reading {table.path.name}", done))
        if name in _KEYS:
            staging.drop_repeats(
                connection, staged, _KEYS[name], lambda *bad: self._rejected.add(table.path.name, *bad)
            )

    def _parse(self, name: str, row: Row) -> dict[str, Any]:
        if name == "interactions":
            return parse_interaction(row)
        if name == "contacts":
            return parse_contact(row)
        values = parse_customer(row, self._types)
        given = {attribute: value for attribute, value in values["attributes"].items() if value is not None}
        return values | {"attributes": orjson.dumps(given).decode()}

    def _merge(
        self, connection: Connection, log: EventLog, tables: Mapping[str, TableFile], offers: Path | None, at: datetime
    ) -> None:
        replace, report, merged = self._options.replace, self._report, {}
        steps = len(tables) + 1
        self._tell("saving", 0, steps)
        self._save_catalogue(connection, log, offers, at)
        if (customers := tables.get("customers")) is not None:
            columns = [name for name in customers.columns if name in CUSTOMER_COLUMNS]
            attributes = [name for name in customers.columns if name not in CUSTOMER_COLUMNS]
            merged["customers"] = merging.merge_customers(connection, columns, attributes, at)
            report.consents_written = merging.merge_protections(connection, at)
            log.set_attribute_types(self._types)
        for name in ("interactions", "contacts"):
            if name in tables:
                self._tell("saving", len(merged) + 1, steps)
                report.customers_created += merging.create_customers(connection, _STAGED[name].name, at)
                merge = merging.merge_interactions if name == "interactions" else merging.merge_contacts
                merged[name] = merge(connection, replace)
        if replace and customers is not None:
            merging.remove_unnamed_customers(connection)
        for name, result in merged.items():
            self._count(tables[name].path.name, result)
        self._tell("saving", steps, steps)

    def _save_catalogue(self, connection: Connection, log: EventLog, offers: Path | None, at: datetime) -> None:
        current = log.latest_catalogue()
        in_force = [] if current is None or (self._options.replace and offers is not None) else current.offers
        named = merging.staged_offers(connection)
        catalogue = self._options.build_catalogue(offers, in_force, named, self._types)
        log.save_catalogue(catalogue.version, catalogue.offers, catalogue.types, at)
        self._report.catalogue_version, self._report.offers_created = catalogue.version, catalogue.created
        if offers is not None:
            before = {} if current is None else {offer["offer_id"]: offer for offer in current.offers}
            added = sum(offer["offer_id"] not in before for offer in catalogue.offers) - catalogue.created
            kept = sum(before.get(offer["offer_id"]) == offer for offer in catalogue.offers)
            changed = len(catalogue.offers) - kept - added - catalogue.created
            self._report.files[offers.name] = FileReport(
                catalogue.read, added, changed, catalogue.read - added - changed
            )

    def _count(self, file: str, result: merging.Merged) -> None:
        report = self._report.files[file]
        report.added, report.changed, report.rejected = result.added, result.changed, self._rejected.counts[file]
        report.already_there = report.read - report.rejected - report.added - report.changed

    def _tell(self, what: str, done: int, total: int | None = None) -> None:
        if self._options.progress is not None:
            self._options.progress(what, done, total)

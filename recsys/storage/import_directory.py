"""Imports a directory of customers, offers, interactions and contacts; when a file is unusable, nothing of it."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Table

from recsys.domain.clock import Clock
from recsys.domain.errors import CatalogueInvalid, OfferInvalid
from recsys.domain.identifier import alike
from recsys.domain.policy import Policy
from recsys.domain.vocabulary import SHIPPED
from recsys.storage import customer_versions, merging, merging_protections, staging
from recsys.storage.attribute_types import retype
from recsys.storage.catalogue_log import SavedCatalogue
from recsys.storage.database import Database
from recsys.storage.event_log import EventLog
from recsys.storage.extracts import Extract, find_extract
from recsys.storage.holdings import count_ended
from recsys.storage.import_mapping import TableMapping
from recsys.storage.import_protections import Protecting, tell_of_outvoted
from recsys.storage.import_report import FileReport
from recsys.storage.import_report import ImportReport as ImportReport
from recsys.storage.import_rows import CUSTOMER_COLUMNS, BadRow, RowReader, as_stored
from recsys.storage.import_tables import NOT_USED, BankWays, ImportTables, ReadTable, open_tables, zone_of
from recsys.storage.own_feature_log import check_attributes
from recsys.storage.rejected_rows import RejectedRows
from recsys.storage.table_files import Row, TableFile
from recsys.storage.unread_files import find_unread_files

MOST_REJECTED = 0.01
"""The share of a file's rows that may be rejected without somebody having to look."""
_STAGED = {
    "customers": staging.staged_customers,
    "interactions": staging.staged_interactions,
    "contacts": staging.staged_contacts,
}
_KEYS = {"customers": "customer_id, known_at", "contacts": "contact_id"}
_MOMENTS = {"interactions": "occurred_at", "contacts": "opened_at"}
_PARSERS: Mapping[str, Callable[[RowReader, Row], dict[str, Any]]] = {
    "customers": RowReader.customer,
    "interactions": RowReader.interaction,
    "contacts": RowReader.contact,
}


class NextCatalogue(NamedTuple):
    """A checked catalogue: version, offers and rule types as saved, how many the file held and how many it lacked.

    `rejected` are the rows of the file that cannot be used, each problem as (line, column, reason).
    """

    version: str
    offers: list[dict[str, Any]]
    types: Mapping[str, str]
    read: int
    created: int
    rejected: Sequence[tuple[int, str, str]] = ()


@dataclass(frozen=True, slots=True)
class OffersAsked:
    """What the next catalogue is made of.

    Offers come as `rows` of text with their lines, or in a typed file at `path` (YAML, Parquet), or not at all.
    `in_force` are the offers now, `named` the ids that interactions name, `types` those of the customer attributes and
    of the bank's own features. `once` are the types of features that were dropped, which rules in force may name.
    """

    rows: Sequence[tuple[int, Row]] | None
    path: Path | None
    reader: RowReader
    mapping: TableMapping
    in_force: Sequence[dict[str, Any]]
    named: Sequence[str]
    types: Mapping[str, str]
    once: Mapping[str, str]


CatalogueBuilder = Callable[[OffersAsked], NextCatalogue]
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a directory is imported; `fallback` takes rejected.csv when the directory cannot be written.

    `zone` is the one of local times. `known_at` and `consents_as_of` are since when facts (else now) and consents (else
    unknown) are so, where neither file nor mapping says it. `ignored` files are not meant to be read. With `plan`
    everything is read and checked, nothing saved.
    """

    build_catalogue: CatalogueBuilder
    clock: Clock
    replace: bool = False
    mapping: Mapping[str, TableMapping] = field(default_factory=dict)
    fallback: Path | None = None
    progress: Progress | None = None
    zone: tzinfo = UTC
    known_at: datetime | None = None
    consents_as_of: datetime | None = None
    most_rejected: float = MOST_REJECTED
    plan: bool = False
    ignored: Sequence[str] = ()


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
        self._started = options.clock()
        self._types: dict[str, str] = {}
        self._known_types: dict[str, str] = {}
        self._offer_rows: list[tuple[int, Row]] | None = None
        self._protecting = Protecting(SHIPPED)
        self._complaint_days = 0
        self._extract: Extract | None = None

    def run(self) -> ImportReport:
        options = self._options
        try:
            with ExitStack() as stack:
                ways = self._ways()
                self._protecting = Protecting(ways.words)
                opened = stack.enter_context(
                    open_tables(self._directory, options.mapping, ways, self._report, self._rejected.add)
                )
                connection = stack.enter_context(self._database.private_connection())
                with self._database.staging_on(connection) as log:
                    self._stage_all(connection, log, opened)
                    if options.plan:
                        self._catalogue(connection, log, opened)
                if not options.plan:
                    with self._database.writing_on(connection) as log:
                        self._merge(connection, log, opened)
            self._finish(opened)
        except BaseException:
            self._rejected.discard()
            raise
        return self._report

    def _ways(self) -> BankWays:
        with self._database.read() as log:
            version = log.versions_in_force()[1]
            policy = (log.policy_of(version) if version else None) or Policy()
        self._complaint_days = max(
            policy.complaint_open_days, *(need.complaint_days or 0 for need in policy.words.needs.values())
        )
        return BankWays(
            self._options.zone,
            policy.words,
            self._options.known_at or self._started,
            self._options.consents_as_of,
        )

    def _finish(self, opened: ImportTables) -> None:
        report = self._report
        for name, table in opened.tables.items():
            file, dialect = report.files[table.name], table.source.dialect
            file.columns, file.rejected = table.columns(name), self._rejected.counts[table.name]
            if dialect is not None:
                file.encoding, file.delimiter = dialect.encoding, dialect.delimiter
            report.tables[name] = table.name
        if opened.offers is not None:
            report.tables["offers"] = opened.offers.name
        report.rejected_kinds = self._rejected.kinds()
        report.unknown_words = self._protecting.unknown_words(self._unknown(opened))
        self._protecting.tell(report)
        report.find_losses(self._options.most_rejected)
        read = {table.source.path.name for table in opened.tables.values() if isinstance(table.source, TableFile)}
        read |= {*report.sources, *([opened.offers.name] if opened.offers else [])}
        find_unread_files(self._directory, read, self._options.ignored, report)
        self._tell_of_columns()
        if self._options.plan:
            self._rejected.discard()
        else:
            report.rejected_path = self._rejected.finish()
        report.seconds = (self._options.clock() - self._started).total_seconds()

    def _stage_all(self, connection: Connection, log: EventLog, opened: ImportTables) -> None:
        self._known_types = log.attribute_types()
        found = opened.tables["customers"].attributes if "customers" in opened.tables else {}
        self._types = self._known_types | found
        self._check_names(log, opened)
        staging.create_staging(connection)
        for name, table in opened.tables.items():
            if name == "offers":
                self._offer_rows = list(self._rows(name, table))
            else:
                self._stage(connection, name, table)
        staging.stage(connection, staging.staged_holds, self._protecting.rows(), lambda _: None)
        staging.index_staging(connection, staging.staged_customers, "customer_id")
        staging.index_staging(connection, staging.staged_contacts, "contact_id")
        staging.index_staging(connection, staging.staged_holds, "customer_id")
        customer_versions.set_outdated_aside(connection)
        self._find_extract(connection, opened.tables["interactions"])

    def _find_extract(self, connection: Connection, table: ReadTable) -> None:
        offset = table.reader.zone.utcoffset(self._started.replace(tzinfo=None)) or timedelta()
        declared, replace = table.source.mapping.extract, self._options.replace
        self._extract, likeness = find_extract(connection, int(offset.total_seconds()) // 60, declared, replace)
        if self._extract:
            self._report.extracts[table.name] = self._extract.described()
        elif likeness and likeness.is_like_one:
            self._report.notices.append(f"{table.name}: {likeness}")

    def _check_names(self, log: EventLog, opened: ImportTables) -> None:
        """Refuse attributes that are called like a feature of the bank's own: a name means one thing."""
        own, customers = log.own_features(), opened.tables.get("customers")
        if own is None or customers is None:
            return
        check_attributes(customers.name, customers.attributes, own.types)

    def _stage(self, connection: Connection, name: str, table: ReadTable) -> None:
        staged: Table = _STAGED[name]
        staging.stage(
            connection, staged, self._rows(name, table), lambda done: self._tell(f"reading {table.name}", done)
        )
        if name == "customers":
            staging.set_dated_consents_aside(connection)
        if name in _KEYS:
            staging.drop_repeats(
                connection,
                staged,
                _KEYS[name],
                lambda *bad: self._rejected.add(table.name, *bad),
                lambda row: self._protecting.hold_conflicting(name, row),
            )

    def _rows(self, name: str, table: ReadTable) -> Iterator[Any]:
        report = self._report.files[table.name] = FileReport()
        parse, reader = _PARSERS.get(name), table.reader
        moment, now = _MOMENTS.get(name, ""), as_stored(self._started)

        def reject(line: int, column: str, reason: str) -> None:
            report.read += 1
            self._rejected.add(table.name, line, column, reason)

        protecting = self._protecting
        for line, row in table.source.rows(reject, lambda torn: protecting.hold(name, table, torn, is_whole=False)):
            if parse is None:
                report.read += 1
                yield line, row
                continue
            try:
                values = parse(reader, row)
            except BadRow as bad:
                protecting.hold(name, table, row, bad.column)
                reject(line, bad.column, bad.reason)
                continue
            report.read += 1
            if moment and values[moment] > now:
                report.in_future += 1
            if name == "customers":
                values["attributes"] = _given(values["attributes"])
            values["line"] = line
            yield values

    def _merge(self, connection: Connection, log: EventLog, opened: ImportTables) -> None:
        replace, report, merged, at = self._options.replace, self._report, {}, self._started
        steps = len(opened.tables) + 1
        self._tell("saving", 0, steps)
        catalogue = self._catalogue(connection, log, opened)
        log.save_catalogue(catalogue.version, catalogue.offers, catalogue.types, at)
        report.catalogue_version = catalogue.version
        customers = opened.tables.get("customers")
        if customers is not None:
            columns = [name for name in customers.source.columns if name in CUSTOMER_COLUMNS]
            attributes = [name for name in customers.source.columns if name and name not in CUSTOMER_COLUMNS]
            merged["customers"] = merging.merge_customers(connection, columns, attributes, at)
            report.consents_written = merging_protections.merge_statements(connection, at)
            self._tell_of_statements(connection, at)
            self._set_types(connection, log)
            report.customers_created += merging.create_customers(connection, staging.staged_older.name, at)
            customer_versions.keep_current_versions(connection)
            older = customer_versions.keep_older_versions(connection, columns, attributes)
            merged["customers"] = merging.Merged(merged["customers"].added, merged["customers"].changed + older)
        complaints_since = at - timedelta(days=self._complaint_days)
        for name in ("interactions", "contacts"):
            if name in opened.tables:
                self._tell("saving", len(merged) + 1, steps)
                report.customers_created += merging.create_customers(connection, _STAGED[name].name, at)
                if name == "interactions":
                    merged[name] = self._merge_interactions(connection, opened.tables[name].name)
                else:
                    merging_protections.hold_moved_complaints(connection, complaints_since)
                    merged[name] = merging.merge_contacts(connection, replace, complaints_since)
        report.customers_created += merging.create_customers(connection, staging.staged_holds.name, at)
        report.held = merging_protections.merge_holds(
            connection, at, complaints_since, () if customers is None else customers.source.columns
        )
        self._tell_of_ids(connection, catalogue)
        log.note_unknown_words(self._unknown(opened), at)
        if replace and customers is not None:
            merging.remove_unnamed_customers(connection)
        for name, result in merged.items():
            self._count(opened.tables[name].name, result)
        self._tell("saving", steps, steps)

    def _set_types(self, connection: Connection, log: EventLog) -> None:
        """Save the types of the attributes; what is stored of one whose type is another now becomes of that type."""
        for name, type_ in self._types.items():
            if self._known_types.get(name, type_) != type_ and (lost := retype(connection, name, type_)):
                self._report.notices.append(
                    f"Attribute {name} is {type_} now; {lost:,} customers that are not in this file lost a value that "
                    f"is none."
                )
        log.set_attribute_types(self._types)

    def _catalogue(self, connection: Connection, log: EventLog, opened: ImportTables) -> NextCatalogue:
        """Return the next catalogue and report what became of the rows of the offers' file."""
        self._check_names(log, opened)  # once more: features may have been applied meanwhile
        given = self._offer_rows is not None or opened.offers is not None
        current = log.latest_catalogue()
        in_force = [] if current is None or (self._options.replace and given) else current.offers
        mapping = self._options.mapping.get("offers", TableMapping())
        table = opened.tables.get("offers")
        reader = table.reader if table else RowReader(zone=zone_of(mapping, self._options.zone))
        path = None if table else opened.offers
        named = merging.staged_offers(connection)
        own = log.own_features()
        types = {**self._types, **(own.types if own else {})}
        asked = OffersAsked(
            self._offer_rows, path, reader, mapping, in_force, named, types, {**log.all_own_types(), **types}
        )
        try:
            catalogue = self._options.build_catalogue(asked)
        except CatalogueInvalid as error:
            raise CatalogueInvalid([self._explained(one, in_force, opened) for one in error.problems]) from error
        self._report.offers_created = catalogue.created
        if given:
            self._count_offers(table.name if table else path.name if path else "", catalogue, current)
        return catalogue

    def _explained(
        self, problem: OfferInvalid, offers: Sequence[Mapping[str, Any]], opened: ImportTables
    ) -> OfferInvalid:
        """Return the problem of a rule with what made its attributes other than it takes them for."""
        offer = next((offer for offer in offers if offer["offer_id"] == problem.offer_id), {})
        rules = f"{offer.get('eligibility') or ''} {offer.get('terms') or ''}"
        hints = [self._changed(name, opened) for name in self._types if re.search(rf"\b{re.escape(name)}\b", rules)]
        hint = "; ".join(filter(None, hints))
        rule = offer.get("eligibility") if problem.field == "eligibility" else ""
        reason = f"{problem.reason}{f'; the rule is {rule}' if rule else ''}{f'; {hint}' if hint else ''}"
        return OfferInvalid(problem.offer_id, problem.field, reason, problem.line, problem.column)

    def _changed(self, name: str, opened: ImportTables) -> str:
        customers = opened.tables.get("customers")
        reading = customers.reader.columns.get(name) if customers else None
        if customers is None or reading is None:
            return ""
        decided = f" since line {reading.decided_by[0]} holds {reading.decided_by[1]}" if reading.decided_by else ""
        return f"in {customers.name} column {customers.source.theirs(name)} is {reading.type}{decided}"

    def _count_offers(self, file: str, catalogue: NextCatalogue, current: SavedCatalogue | None) -> None:
        before = {} if current is None else {offer["offer_id"]: offer for offer in current.offers}
        added = sum(offer["offer_id"] not in before for offer in catalogue.offers) - catalogue.created
        kept = sum(before.get(offer["offer_id"]) == offer for offer in catalogue.offers)
        changed = len(catalogue.offers) - kept - added - catalogue.created
        report = self._report.files.setdefault(file, FileReport())
        for line, column, reason in catalogue.rejected:
            self._rejected.add(file, line, column, reason)
        refused = len({line for line, _, _ in catalogue.rejected})
        report.read = max(report.read, catalogue.read + refused)
        report.added, report.changed, report.rejected = added, changed, self._rejected.counts[file]
        report.already_there = catalogue.read - added - changed

    def _count(self, file: str, result: merging.Merged) -> None:
        report = self._report.files[file]
        report.added, report.changed, report.rejected = result.added, result.changed, self._rejected.counts[file]
        report.already_there = report.read - report.rejected - report.added - report.changed

    def _merge_interactions(self, connection: Connection, file: str) -> merging.Merged:
        merged = merging.merge_interactions(connection, self._options.replace, self._extract)
        if self._extract:
            ended = count_ended(connection)
            self._report.extracts[file] = replace_fields(self._report.extracts[file], ended=ended)
        return merged

    def _unknown(self, opened: ImportTables) -> Mapping[tuple[str, str], int]:
        return sum((table.reader.unknown for table in opened.tables.values()), Counter())

    def _tell_of_ids(self, connection: Connection, catalogue: NextCatalogue) -> None:
        """Report ids that a person may take for the same one, in this import and in the log."""
        offers = [str(offer["offer_id"]) for offer in catalogue.offers]
        for what, groups in (
            ("customers", merging_protections.ids_alike(connection)),
            ("offers", _groups_alike(offers)),
            ("agents", _groups_alike(merging.staged_agents(connection))),
        ):
            if groups:
                examples = "; ".join(f"{one!r} and {other!r}" for _, one, other in groups[:3])
                count = sum(count for count, _, _ in groups)
                self._report.notices.append(f"{count:,} ids of {what} are like another one: {examples}.")

    def _tell_of_statements(self, connection: Connection, at: datetime) -> None:
        """Report statements of the file that do not count, or not as of their date."""
        tell_of_outvoted(merging_protections.outvoted_statements(connection, at), self._report)
        if rows := merging_protections.dates_to_come(connection, at):
            self._report.notices.append(
                f"{rows:,} rows of customers date consents after now: what they refuse counts from now on, what they "
                f"grant as if it had no date. If their times are local ones, say so: --time-zone."
            )

    def _tell_of_columns(self) -> None:
        """Report the attributes that are new, and the columns that nothing reads."""
        report = self._report
        if new := [name for name in self._types if name not in self._known_types]:
            report.notices.append(f"New attributes of customers: {', '.join(new)}.")
        for name, file in report.files.items():
            if unused := [one.column for one in file.columns if one.becomes == NOT_USED]:
                report.notices.append(f"{name}: nothing reads {', '.join(unused)}.")

    def _tell(self, what: str, done: int, total: int | None = None) -> None:
        if self._options.progress is not None:
            self._options.progress(what, done, total)


def _given(attributes: Mapping[str, Any]) -> str:
    return orjson.dumps({name: value for name, value in attributes.items() if value is not None}).decode()


def _groups_alike(ids: Sequence[str]) -> Sequence[tuple[int, str, str]]:
    groups: dict[str, list[str]] = {}
    for one in ids:
        groups.setdefault(alike(one), []).append(one)
    return [(len(group), min(group), max(group)) for group in groups.values() if len(group) > 1]

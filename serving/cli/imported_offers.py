"""The catalogue an import makes: offers in force, those of the file that can be used, and bare ones for other ids."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from recsys.domain.conventions import AS_STORED, Conventions
from recsys.storage.cell_formats import YEAR_FIRST, Moment, moment_reader
from recsys.storage.column_survey import Role
from recsys.storage.import_rows import ROLES, BadRow, RowReader

if TYPE_CHECKING:
    from recsys.catalogue.offer_rows import Row as OfferRow
    from recsys.storage.import_directory import NextCatalogue, OffersAsked
    from recsys.storage.import_mapping import TableMapping
    from recsys.storage.table_files import Row

_ENDS = "valid_to"


def next_catalogue(asked: "OffersAsked") -> "NextCatalogue":
    """Return the offers in force, those of the file in their place, and one for every other id that is named.

    A row of the file that cannot be used is rejected with all its problems, and no bare offer stands in for it: that
    would be offered to everybody. Raises `CatalogueInvalid` when a rule in force names what customers have not.
    """
    from recsys.catalogue import build_catalogue, check_placed_offers, offer_to_dict, parse_offers
    from recsys.domain.offer import Offer
    from recsys.rules import BUILT_IN, ValueType
    from recsys.storage.import_directory import NextCatalogue

    vocabulary = {**{name: ValueType(type_) for name, type_ in asked.types.items()}, **BUILT_IN}
    in_force = {**{name: ValueType(type_) for name, type_ in asked.once.items()}, **BUILT_IN}
    rows = _rows(asked)
    read, problems = check_placed_offers(rows, vocabulary, Conventions(asked.reader.words))
    offers = {offer.offer_id: offer for offer in (*parse_offers(asked.in_force, in_force, AS_STORED), *read)}
    refused = {str(row.get("offer_id")).strip() for _, row in rows}
    created = [
        Offer(name, title_en=name, title_zh=name) for name in asked.named if name not in offers and name not in refused
    ]
    catalogue = build_catalogue([*offers.values(), *created], in_force)
    return NextCatalogue(
        catalogue.version,
        [offer_to_dict(offer) for offer in catalogue.offers],
        catalogue.rule_types,
        len(read),
        len(created),
        [(line, problem.field, _reason(problem)) for line, problem in problems],
    )


def _reason(problem: Any) -> str:
    place = f" (in the rule, line {problem.line}, column {problem.column})" if problem.line is not None else ""
    return f"{problem.reason}{place}"


def _rows(asked: "OffersAsked") -> "list[tuple[int, OfferRow]]":
    if asked.rows is not None:
        return [(line, _from_text(row, asked.reader)) for line, row in asked.rows]
    if asked.path is None:
        return []
    from recsys.catalogue import read_placed_offers

    placed = read_placed_offers(asked.path)
    return [(line, _from_values(row, asked.mapping, asked.reader.zone)) for line, row in placed]


def _from_text(row: "Row", reader: RowReader) -> "OfferRow":
    """Return a row of text with its moments and numbers read as its columns are written; texts and rules stay."""
    values: dict[str, object] = dict(row)
    for name in row:
        role = ROLES.get(name)
        if role is None:
            continue
        text = reader.cell(row, name)
        values[name] = text
        try:
            if text and role is Role.MOMENT:
                values[name] = _in_zone(name, reader.moment_of(row, name), reader.zone)
            elif text and role is Role.NUMBER:
                values[name] = reader.number(row, name)
            elif text and role is Role.IDENTIFIER:
                values[name] = reader.identifier(row, name)
        except (BadRow, OverflowError):
            continue  # the reader of offers says what is wrong with it
    return values


def _from_values(row: "OfferRow", mapping: "TableMapping", zone: tzinfo) -> "OfferRow":
    """Return a typed row under our names, its days and local times in the bank's zone."""
    ours: Mapping[str, str] = {source: name for name, source in mapping.columns.items()}
    values: dict[str, object] = {ours.get(str(name), str(name)): value for name, value in row.items()}
    values.update(mapping.constants)
    for name, value in values.items():
        if ROLES.get(name) is Role.MOMENT and (moment := _moment(value)) is not None:
            values[name] = _in_zone(name, moment, zone)
    offer_id = values.get("offer_id")
    if isinstance(offer_id, float) and offer_id.is_integer():
        values["offer_id"] = int(offer_id)
    return values


def _moment(value: object) -> Moment | None:
    if isinstance(value, datetime):
        return Moment(value)
    if isinstance(value, date):
        return Moment(datetime(value.year, value.month, value.day, tzinfo=UTC).replace(tzinfo=None), is_day=True)
    if isinstance(value, str):
        try:
            return moment_reader(YEAR_FIRST)(value.strip())
        except (ValueError, OverflowError):
            return None
    return None


def _in_zone(column: str, moment: Moment, zone: tzinfo) -> datetime:
    return moment.ends(zone) if column == _ENDS else moment.begins(zone)

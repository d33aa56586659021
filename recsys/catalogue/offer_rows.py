"""Rows from files, requests and the event log become offers, and offers become rows again."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from difflib import get_close_matches
from functools import cache, partial
from typing import Any

from recsys.catalogue import cells
from recsys.domain.conventions import AS_SHIPPED, Conventions
from recsys.domain.errors import CatalogueInvalid, OfferInvalid, RuleError
from recsys.domain.offer import Offer, OfferKind
from recsys.rules import Rule, ValueType, parse_rule
from recsys.rules.vocabulary import Vocabulary

Row = Mapping[str, object]
RuleParser = Callable[[str, ValueType | None], Rule]

READERS: Mapping[str, Callable[[object], object]] = {
    "offer_id": cells.name,
    "title": cells.text,
    "title_en": cells.text,
    "title_zh": cells.text,
    "kind": partial(cells.choice, kinds=OfferKind),
    "family": cells.name,
    "repeatable": cells.flag,
    "margin": cells.number,
    "handling_seconds": partial(cells.number, low=0.0),
    "risk_level": cells.level,
    "channels": cells.channels,
    "valid_from": cells.opening,
    "valid_to": cells.closing,
    "eligibility": cells.rule_text,
    "terms": cells.terms,
    "starting_propensity": cells.propensity,
    "talk_track_en": cells.text,
    "talk_track_zh": cells.text,
    "disclosure": cells.text,
    "disclosure_en": cells.text,
    "disclosure_zh": cells.text,
    "intents": cells.names,
    "lever": partial(cells.number, low=0.0, high=100.0),
    "term_bounds": cells.bounds,
    "total_cap": cells.count,
    "daily_cap": cells.count,
}


def parse_offers(rows: Sequence[Row], vocabulary: Vocabulary, reading: Conventions = AS_SHIPPED) -> tuple[Offer, ...]:
    """Return the offers of all rows, in their order; raises `CatalogueInvalid` with every problem there is."""
    offers, problems = check_offers(rows, vocabulary, reading)
    if problems:
        raise CatalogueInvalid(problems)
    return offers


def check_offers(
    rows: Sequence[Row], vocabulary: Vocabulary, reading: Conventions = AS_SHIPPED
) -> tuple[tuple[Offer, ...], tuple[OfferInvalid, ...]]:
    """Return the offers of the rows without a problem, and every problem of the others.

    `vocabulary` is what the rules may name, `reading` the words for channels and the days of dates. Of rows with the
    same id none is taken.
    """
    offers, problems = check_placed_offers(list(enumerate(rows, start=1)), vocabulary, reading)
    return offers, tuple(problem for _, problem in problems)


def check_placed_offers(
    rows: Sequence[tuple[int, Row]], vocabulary: Vocabulary, reading: Conventions = AS_SHIPPED
) -> tuple[tuple[Offer, ...], tuple[tuple[int, OfferInvalid], ...]]:
    """Do what `check_offers` does with rows that have a place (such as a line), and say the place of each problem."""
    readers = _readers(reading)
    parse: RuleParser = cache(lambda text, expected: parse_rule(text, vocabulary, expected))
    seen = Counter(_offer_id(row, position) for position, row in rows)
    offers: list[Offer] = []
    problems: list[tuple[int, OfferInvalid]] = []
    for position, row in rows:
        offer_id = _offer_id(row, position)
        values, found = _read_cells(row, offer_id, readers)
        found += _contradictions(values, offer_id)
        found += _rule_problems(values, offer_id, parse)
        if seen[offer_id] > 1:
            found.append(OfferInvalid(offer_id, "offer_id", "is used by another offer too"))
        problems += ((position, problem) for problem in found)
        if not found:
            offers.append(_offer(values))
    return tuple(offers), tuple(problems)


def offer_to_dict(offer: Offer) -> dict[str, object]:
    """Return the offer as JSON-able values, the same for equal offers; `parse_offers` reads it back."""
    return {name: _plain(value) for name, value in asdict(offer).items()}


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, datetime):
        return cells.moment(value).isoformat()
    if isinstance(value, Mapping):
        return {name: list(one) if isinstance(one, tuple) else one for name, one in sorted(value.items())}
    return value.value if isinstance(value, OfferKind) else value


def _offer_id(row: Row, position: int) -> str:
    try:
        return cells.name(row.get("offer_id"))
    except ValueError:
        return f"in row {position}"


def _readers(reading: Conventions) -> Mapping[str, Callable[[Any], object]]:
    days = reading.calendar
    return {
        **READERS,
        "channels": partial(cells.channels, reading=reading),
        "valid_from": partial(cells.opening, calendar=days),
        "valid_to": partial(cells.closing, calendar=days),
    }


def _read_cells(
    row: Row, offer_id: str, readers: Mapping[str, Callable[[Any], object]]
) -> tuple[dict[str, object], list[OfferInvalid]]:
    values: dict[str, object] = {}
    problems: list[OfferInvalid] = []
    for column, value in row.items():
        name = str(column or "(no column name)").strip()[: cells.LONGEST_NAME]
        if cells.is_blank(value):
            continue
        if name not in READERS:
            near = get_close_matches(name, READERS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(READERS)}"
            problems.append(OfferInvalid(offer_id, name, f"is not a column of offers; {hint}"))
            continue
        try:
            values[name] = readers[name](value)
        except ValueError as error:
            problems.append(OfferInvalid(offer_id, name, str(error)))
    return values, problems


def _contradictions(values: Mapping[str, object], offer_id: str) -> list[OfferInvalid]:
    problems = []
    if "offer_id" not in values:
        problems.append(OfferInvalid(offer_id, "offer_id", "is required"))
    if not values.keys() & {"title", "title_en", "title_zh"}:
        problems.append(OfferInvalid(offer_id, "title", "is required; or title_en, or title_zh"))
    opens, closes = values.get("valid_from"), values.get("valid_to")
    if isinstance(opens, datetime) and isinstance(closes, datetime) and closes <= opens:
        problems.append(OfferInvalid(offer_id, "valid_to", "must be later than valid_from"))
    terms, bounds = values.get("terms", {}), values.get("term_bounds", {})
    if isinstance(terms, Mapping) and isinstance(bounds, Mapping):
        problems += [
            OfferInvalid(offer_id, f"term_bounds.{name}", "bounds a term that the offer does not have")
            for name in bounds.keys() - terms.keys()
        ]
    return problems


def _rule_problems(values: Mapping[str, object], offer_id: str, parse: RuleParser) -> list[OfferInvalid]:
    problems = []
    for field, text, expected in _rules(values):
        try:
            parse(text, expected)
        except RuleError as error:
            problems.append(OfferInvalid(offer_id, field, error.reason, error.line, error.column))
    return problems


def _rules(values: Mapping[str, object]) -> Iterator[tuple[str, str, ValueType | None]]:
    eligibility, terms = values.get("eligibility"), values.get("terms")
    if isinstance(eligibility, str):
        yield "eligibility", eligibility, ValueType.BOOLEAN
    if isinstance(terms, Mapping):
        bounds = values.get("term_bounds", {})
        for name, text in terms.items():
            yield f"terms.{name}", text, ValueType.NUMBER if isinstance(bounds, Mapping) and name in bounds else None


def _offer(values: dict[str, object]) -> Offer:
    title, disclosure = values.pop("title", ""), values.pop("disclosure", "")
    texts = {"title_en": title, "title_zh": "", "disclosure_en": disclosure}
    return Offer(**{**texts, **values})  # type: ignore[arg-type]  # READERS give the types

"""The offer editor's form: what was typed, as an offer's columns, and which field each problem belongs to."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData

from recsys.catalogue import offer_to_dict
from recsys.catalogue.cells import number
from recsys.domain.offer import Offer, OfferKind

TEXTS = (
    "offer_id", "title_en", "title_zh", "kind", "family", "intents", "eligibility", "risk_level", "valid_from",
    "valid_to", "margin", "handling_seconds", "starting_propensity", "lever", "total_cap", "daily_cap",
    "talk_track_en", "talk_track_zh", "disclosure_en", "disclosure_zh",
)  # fmt: skip
KINDS = tuple(kind.value for kind in OfferKind)
RISK_LEVELS = ("1", "2", "3", "4", "5")
_PERCENT = "starting_propensity"
_TIMES = ("valid_from", "valid_to")
_OUT_OF_RANGE = "must lie between 0 and 100, both excluded"

Problem = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TermRow:
    """One row of the terms: its name, its rule and its bounds, all as typed."""

    name: str = ""
    rule: str = ""
    low: str = ""
    high: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether nothing was typed in it."""
        return not (self.name or self.rule or self.low or self.high)


@dataclass(frozen=True, slots=True)
class OfferForm:
    """What the form shows; `based_on` is the version of the catalogue it was loaded with."""

    texts: Mapping[str, str]
    channels: tuple[str, ...]
    is_repeatable: bool
    terms: tuple[TermRow, ...]
    based_on: str
    is_new: bool

    @classmethod
    def of_offer(cls, offer: Offer, based_on: str, *, is_new: bool = False) -> "OfferForm":
        """Return the form of an offer in the catalogue, or of a new one that begins as this."""
        values = offer_to_dict(offer)
        texts = {name: _text(name, values[name]) for name in TEXTS}
        terms = (
            TermRow(name, rule, *(_number(one) for one in offer.term_bounds.get(name, ())))
            for name, rule in offer.terms.items()
        )
        return cls(texts, tuple(sorted(offer.channels)), offer.repeatable, tuple(terms), based_on, is_new)

    @classmethod
    def submitted(cls, form: FormData) -> "OfferForm":
        """Return what was sent."""
        texts = {name: _typed(form.get(name)) for name in TEXTS}
        columns = [map(_typed, form.getlist(f"term_{part}")) for part in ("name", "rule", "low", "high")]
        terms = (TermRow(*parts) for parts in zip(*columns, strict=False))
        return cls(
            texts,
            tuple(_typed(one) for one in form.getlist("channels")),
            bool(form.get("repeatable")),
            tuple(row for row in terms if not row.is_blank),
            _typed(form.get("based_on")),
            bool(form.get("is_new")),
        )

    @property
    def offer_id(self) -> str:
        """Return the id as typed."""
        return self.texts["offer_id"]

    def row(self) -> dict[str, Any]:
        """Return every column of the offer, an empty one as "", as `POST /v1/offers` takes it."""
        named = [
            row for row in reversed(self.terms) if row.name
        ]  # the first of a name is the term, the others are told
        return {
            **self.texts,
            _PERCENT: _share(self.texts[_PERCENT]),
            "channels": list(self.channels),
            "repeatable": self.is_repeatable,
            "terms": {row.name: row.rule for row in named},
            "term_bounds": {row.name: [row.low, row.high] for row in named if row.low or row.high},
        }

    def problems(self, found: Sequence[Problem]) -> list[dict[str, Any]]:
        """Return the form's own problems with the `found` ones of its columns, each with the field it belongs to.

        A field is a column, or `term-N` for the row N of the terms, which counts from 0.
        """
        own = list(self._own_problems())
        known = {problem["field"] for problem in own}
        placed = ({**problem, "field": self._field(problem["field"])} for problem in found)
        return own + [_told(one) for one in placed if one["field"] not in known and one["field"] != "term_bounds"]

    def _own_problems(self) -> Iterator[dict[str, Any]]:
        names = [row.name for row in self.terms]
        for place, row in enumerate(self.terms):
            if reason := _term_reason(row, names[:place]):
                yield {"field": f"term-{place}", "reason": reason, "line": None, "column": None}

    def _field(self, column: str) -> str:
        part, _, name = column.partition(".")
        if name and part in ("terms", "term_bounds"):
            return next((f"term-{place}" for place, row in enumerate(self.terms) if row.name == name), "terms")
        return "title_en" if column == "title" else column


def _term_reason(row: TermRow, above: Sequence[str]) -> str | None:
    if not row.name:
        return "needs a name"
    if row.name in above:
        return "has the name of another term"
    if not row.rule:
        return "needs a rule"
    if bool(row.low) != bool(row.high):
        return "needs both a lowest and a highest value, or neither"
    try:
        is_upside_down = bool(row.low) and number(row.low) > number(row.high)
    except ValueError:
        return "has a lowest or highest value that is not a number"
    return "has a lowest value above the highest" if is_upside_down else None


def _typed(value: object) -> str:
    """Return what was typed, with the line ends that rules and texts are kept with, and no character U+0000."""
    return re.sub(r"\r\n?", "\n", value.replace("\0", "")).strip() if isinstance(value, str) else ""


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in _TIMES:
        return str(value).removesuffix("+00:00").removesuffix(":00")
    if name == _PERCENT and isinstance(value, float):
        return _number(100 * value)
    if isinstance(value, list):
        return ", ".join(value)
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:.12g}"


def _share(percent: str) -> str:
    """Return what was typed in percent as a share, or as it is where that is no number."""
    try:
        return _number(number(percent) / 100) if percent else ""
    except ValueError:
        return percent


def _told(problem: dict[str, Any]) -> dict[str, Any]:
    """Return the problem as the form has it: a share is typed in percent, and a title is there in two languages."""
    field, reason = problem["field"], problem["reason"]
    if field == _PERCENT and reason.startswith("must lie between"):
        return {**problem, "reason": _OUT_OF_RANGE}
    return {**problem, "reason": "is required"} if field == "title_en" and reason.startswith("is required") else problem

"""The catalogue as parallel arrays, so that a decision asks each question once for all offers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.domain.offer import Offer, OfferKind
from recsys.domain.vocabulary import COMPLAINT
from recsys.rules import Rule

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Columns = NDArray[np.intp]


@dataclass(frozen=True)
class OfferTable:
    """m offers in the order of the catalogue, one entry an offer in every array."""

    offer_ids: tuple[str, ...]
    column: Mapping[str, int]
    """Offer id → its place in every array."""
    is_sale: Flags
    is_partner: Flags
    is_repeatable: Flags
    risk_level: NDArray[np.int64]
    margin: Floats
    """NaN where the policy's default counts."""
    handling_seconds: Floats
    lever: Floats
    starting_propensity: Floats
    opens: Floats
    """First moment of validity, seconds since 1970; −inf: always was."""
    closes: Floats
    """First moment after it; inf: never ends."""
    family: Columns
    """Number of the offer's family; an offer without one is a family of its own."""
    rule: Columns
    """Place of the eligibility rule in `rules`; −1: everyone."""
    rules: tuple[Rule, ...]
    of_family: Mapping[str, Columns]
    of_intent: Mapping[str, Columns]
    """Intent → the offers that answer it, by their intents, their family or their own name."""
    capped: tuple[int, ...]
    """The offers with a total or a daily cap."""
    _on_channel: Mapping[str, Flags] = field(repr=False)
    _on_any_channel: Flags = field(repr=False)

    def __len__(self) -> int:
        return len(self.offer_ids)

    @cached_property
    def ids(self) -> NDArray[np.object_]:
        """The offer ids as an array, to be picked from."""
        return np.array(self.offer_ids, dtype=object)

    @cached_property
    def has_rule(self) -> Flags:
        """(m,) which offers have an eligibility rule."""
        return np.asarray(self.rule >= 0)

    @cached_property
    def is_sale_or_gone(self) -> Flags:
        """(m + 1,) which offers count as sales; so does what has left the catalogue, the last entry."""
        return np.append(self.is_sale, True)

    @cached_property
    def is_sold_once(self) -> Flags:
        """(m + 1,) which sales nobody may have twice; the last entry is what has left the catalogue."""
        return np.append(self.is_sale & ~self.is_repeatable, False)

    @cached_property
    def family_or_gone(self) -> Columns:
        """(m + 1,) the number of each family; what has left the catalogue has the last and highest one."""
        return np.append(self.family, self.family.max(initial=-1) + 1)

    @cached_property
    def answers_complaint(self) -> Flags:
        """(m,) which offers answer a complaint."""
        flags = np.zeros(len(self), dtype=bool)
        flags[self.of_intent.get(COMPLAINT, [])] = True
        return flags

    @cached_property
    def sales(self) -> tuple[bool, ...]:
        """`is_sale` for who asks about one offer after the other, which a tuple answers faster."""
        return tuple(self.is_sale.tolist())

    @cached_property
    def families(self) -> tuple[int, ...]:
        """`family` for who asks about one offer after the other."""
        return tuple(self.family.tolist())

    def columns_of(self, offer_ids: Collection[str]) -> Columns:
        """Return the column of each offer, m for one that has left the catalogue."""
        place, gone = self.column.get, len(self)
        return np.array([place(offer_id, gone) for offer_id in offer_ids], dtype=np.intp)

    def on_channel(self, channel: str) -> Flags:
        """Return (m,) which offers are made on this channel."""
        return self._on_channel.get(channel, self._on_any_channel)


def build_table(offers: Sequence[Offer], eligibility: Mapping[str, Rule | None]) -> OfferTable:
    """Return the table of `offers`, whose compiled rules are in `eligibility` by offer id."""
    column = {offer.offer_id: place for place, offer in enumerate(offers)}
    rules: dict[str, tuple[int, Rule]] = {}
    for rule in eligibility.values():
        if rule is not None:
            rules.setdefault(rule.text, (len(rules), rule))
    place_of_rule = [rules[rule.text][0] if (rule := eligibility[o.offer_id]) else -1 for o in offers]
    families = _places((offer.family, column[offer.offer_id]) for offer in offers if offer.family)
    numbers = {family: number for number, family in enumerate(families)}
    own = (numbers[o.family] if o.family else len(numbers) + column[o.offer_id] for o in offers)
    anywhere = _flags(not offer.channels for offer in offers)
    channels = {channel for offer in offers for channel in offer.channels}
    return OfferTable(
        offer_ids=tuple(column),
        column=column,
        is_sale=_flags(offer.is_sale for offer in offers),
        is_partner=_flags(offer.kind is OfferKind.PARTNER for offer in offers),
        is_repeatable=_flags(offer.repeatable for offer in offers),
        risk_level=np.array([offer.risk_level for offer in offers], dtype=np.int64),
        margin=np.array([np.nan if offer.margin is None else offer.margin for offer in offers], dtype=np.float64),
        handling_seconds=_floats(offer.handling_seconds for offer in offers),
        lever=_floats(offer.lever for offer in offers),
        starting_propensity=_floats(offer.starting_propensity for offer in offers),
        opens=_floats(offer.valid_from.timestamp() if offer.valid_from else -np.inf for offer in offers),
        closes=_floats(offer.valid_to.timestamp() if offer.valid_to else np.inf for offer in offers),
        family=np.fromiter(own, np.intp, len(offers)),
        rule=np.array(place_of_rule, dtype=np.intp),
        rules=tuple(rule for _, rule in rules.values()),
        of_family=families,
        of_intent=_places(
            (intent, column[offer.offer_id])
            for offer in offers
            for intent in {*offer.intents, offer.family, offer.offer_id} - {""}
        ),
        capped=tuple(column[o.offer_id] for o in offers if o.total_cap is not None or o.daily_cap is not None),
        _on_channel={one: anywhere | _flags(one in offer.channels for offer in offers) for one in channels},
        _on_any_channel=anywhere,
    )


def _flags(values: Iterable[bool]) -> Flags:
    return np.fromiter(values, np.bool_)


def _floats(values: Iterable[float]) -> Floats:
    return np.fromiter(values, np.float64)


def _places(named: Iterable[tuple[str, int]]) -> dict[str, Columns]:
    """Return name → the sorted columns it came with."""
    places: dict[str, list[int]] = {}
    for name, column in named:
        places.setdefault(name, []).append(column)
    return {name: np.array(sorted(columns), dtype=np.intp) for name, columns in sorted(places.items())}

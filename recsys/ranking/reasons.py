"""Reasons: what adds up to the log-odds of one offer's propensity, by code, before it is said in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recsys.domain.decision import Reason, Situation
from recsys.domain.policy import Policy
from recsys.domain.summation import total
from recsys.ranking.intents import Matches
from recsys.ranking.propensity import Floats
from recsys.ranking.signals import OfferSignals, Signal

_CODE_OF_SIGNAL = {
    "base_log_odds": "offer_base",
    "rest": "offer_base",
    "relevance": "relevance",
    "intent_match": "asked_about",
    "sentiment": "sentiment",
    "declined_count_90d": "recent_declines",
    "calibration": "calibration",
    "is_outbound": "this_contact",
    "is_service": "this_contact",
    "times_declined": "own_declines",
    "days_since_declined": "own_declines",
}
_ALWAYS = frozenset({"offer_base", "offer_expected", "relevance"})
_NAMED_SHARES = 3
_LESS = "_less"
"""How the code ends of what speaks against an offer, where the sentence is another one."""


class PropensityModel(Protocol):
    """What the engine asks of a trained propensity model (`recsys.models.propensity_model` has one).

    A table is (n, signals) with NaN for unknown; contributions have a column more for each of "calibration"
    and "rest", and add up to the log-odds.
    """

    @property
    def version(self) -> str: ...
    @property
    def signals(self) -> tuple[str, ...]: ...
    @property
    def relevance_weight(self) -> float: ...
    def log_odds(self, table: Floats) -> Floats: ...
    def contributions(self, table: Floats) -> Floats: ...


class RelevanceParts(Protocol):
    """What adds to one relevance (`recsys.models.bundle.Explained` is one)."""

    @property
    def history(self) -> Mapping[str, float]: ...
    @property
    def facts(self) -> Mapping[str, float]: ...
    @property
    def mixes_facts(self) -> bool: ...
    @property
    def is_known(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Unexplained:
    """What adds to a relevance of which nothing is known apart."""

    history: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)
    mixes_facts: bool = False
    is_known: bool = True


NOTHING_EXPLAINED: RelevanceParts = Unexplained()


@dataclass(frozen=True, slots=True)
class TrainedParts:
    """What adds to the log-odds of the offers on the shortlist by a trained model: taken apart when asked for."""

    model: PropensityModel
    signals: Floats
    """(n, signals of the model)."""
    row: Mapping[int, int]
    """Column of an offer → its row."""

    @classmethod
    def of(
        cls, model: PropensityModel, signals: OfferSignals, shared: Mapping[str, Signal], shortlist: NDArray[np.intp]
    ) -> "TrainedParts":
        """Return the parts of these columns, whose signals are put together for the model."""
        rows = {column: row for row, column in enumerate(shortlist.tolist())}
        return cls(model, signals.rows(shortlist, model.signals, shared), rows)

    def by_code(self, column: int) -> dict[str, float]:
        """Return the parts of one offer by reason code, those of the same code together."""
        found: dict[str, float] = {}
        row = self.row[column]
        parts = self.model.contributions(self.signals[row : row + 1])[0].tolist()
        for name, part in zip((*self.model.signals, "calibration", "rest"), parts, strict=True):
            code = _CODE_OF_SIGNAL.get(name) or ("this_contact" if name.startswith("channel_") else "circumstances")
            found[code] = found.get(code, 0.0) + part
        return found


def declared_parts(contributions: Mapping[str, float | Floats], column: int, is_sale: bool) -> dict[str, float]:
    """Return the declared contributions of one offer; the mood and earlier refusals say nothing of service."""
    return {
        code: float(part if isinstance(part, float) else part[column])
        for code, part in contributions.items()
        if is_sale or code not in ("sentiment", "recent_declines")
    }


def named_by_evidence(parts: Mapping[str, float], answered: int, policy: Policy) -> dict[str, float]:
    """Return the parts with the offer's own rate called what it is: an expectation, or what customers answered.

    It speaks of acceptance in general only from as many answers on as the declared expectation is worth.
    """
    is_known = answered >= max(policy.starting_evidence, 1.0)
    return {"offer_expected" if code == "offer_base" and not is_known else code: part for code, part in parts.items()}


def to_reasons(
    parts: Mapping[str, float], column: int, situation: Situation, matches: Matches, is_declined: bool
) -> list[Reason]:
    """Return the parts that say something as reasons, with the facts that their sentences name.

    `is_declined` is whether this customer ever said no to the offer.
    """
    reasons = []
    for code, part in parts.items():
        if part == 0.0 and code not in _ALWAYS:
            continue
        facts: dict[str, str] = {}
        if code == "asked_about":
            if (name := matches.name(column)) is not None:
                facts = {"intent": name}
            else:
                code = "circumstances"
        elif code == "recent_declines":
            count = situation.features.get("declined_count_90d")
            if isinstance(count, int | float) and count > 0:
                facts = {"count": f"{count:.0f}"}
            else:
                code = "circumstances"
        elif code == "own_declines" and not situation.plain_reasons and not is_declined:
            code = "circumstances"
        elif code == "sentiment":
            mood = situation.contact.sentiment
            code = "circumstances" if mood is None else "good_mood" if mood > 0 else "bad_mood"
        reasons.append(Reason(code, part, facts))
    return _together(reasons)


def _together(reasons: Sequence[Reason]) -> list[Reason]:
    """Return the reasons with those of one code and the same facts made one."""
    found: dict[str, Reason] = {}
    for reason in reasons:
        earlier = found.get(reason.code)
        found[reason.code] = (
            replace(earlier, contribution=earlier.contribution + reason.contribution) if earlier else reason
        )
    return list(found.values())


def split_relevance(
    reasons: Sequence[Reason], shares: Sequence[tuple[str, float]], weight: float, rest: str
) -> tuple[Reason, ...]:
    """Return the reasons, largest first, with what single products add to the relevance named one by one.

    `shares` is offer of the history → its part of the relevance, of which `weight` is worth one in log-odds;
    what no named product explains stays under the code `rest`.
    """
    named = [
        Reason("chosen_with", weight * share, {"offer_id": offer_id}) for offer_id, share in shares[:_NAMED_SHARES]
    ]
    explained = total(reason.contribution for reason in named)
    others = [
        replace(reason, code=rest, contribution=reason.contribution - explained)
        if reason.code == "relevance"
        else reason
        for reason in reasons
    ]
    return tuple(sorted((*others, *named), key=lambda reason: -reason.contribution))


def signed_relevance(
    reasons: Sequence[Reason], parts: RelevanceParts, weight: float, named: Callable[[str], bool]
) -> tuple[Reason, ...]:
    """Return the reasons, largest first, with the relevance taken apart into what made it, each said by its sign.

    `weight` is what one of relevance is worth in log-odds; only offers of the history that are `named` are said by
    name. Three of them and three facts at most, those that count most; what is left has a sentence of its own.
    """
    shares = {one: weight * part for one, part in parts.history.items()}
    chosen = _largest({one: part for one, part in shares.items() if named(one)})
    facts = _largest({one: weight * part for one, part in parts.facts.items()})
    found = [_signed("chosen_with", part, {"offer_id": one}) for one, part in chosen.items()]
    found += [_signed("fits_fact", part, {"fact": one.replace("_", " ")}) for one, part in facts.items()]
    left = {
        "relevance": total(part for one, part in shares.items() if one not in chosen),
        "suits_profile": total(weight * part for one, part in parts.facts.items() if one not in facts),
    }
    rest = "suits_profile" if parts.mixes_facts else "popular" if parts.is_known else "resembles"
    others = []
    for reason in reasons:
        if reason.code != "relevance":
            others.append(reason)
            continue
        explained = total((*(one.contribution for one in found), *left.values()))
        left[rest] = left.get(rest, 0.0) + reason.contribution - explained
    found += [_signed(code, part) for code, part in left.items() if part != 0.0]
    return tuple(sorted((*others, *found), key=lambda reason: -reason.contribution))


def _largest(parts: Mapping[str, float]) -> dict[str, float]:
    ordered = sorted(parts.items(), key=lambda one: (-abs(one[1]), one[0]))[:_NAMED_SHARES]
    return {one: part for one, part in ordered if part != 0.0}


def _signed(code: str, contribution: float, facts: Mapping[str, str] = MappingProxyType({})) -> Reason:
    return Reason(code if contribution >= 0 else code + _LESS, contribution, dict(facts))

"""Reasons: what adds up to the log-odds of one offer's propensity, by code, before it is said in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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


def to_reasons(parts: Mapping[str, float], column: int, situation: Situation, matches: Matches) -> list[Reason]:
    """Return the parts that say something as reasons, with the facts that their sentences name."""
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

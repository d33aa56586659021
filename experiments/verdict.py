"""The rule by which a campaign ships, stops or goes on: fixed before launch, fed by the read-out's figures alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Wanted = Literal["increase", "decrease"]
LEAST_DAYS = 7


class Decision(StrEnum):
    """What to do with a campaign."""

    SHIP = "ship"
    STOP_HARM = "stop_harm"
    STOP_FUTILE = "stop_futile"
    CONTINUE = "continue"


class Code(StrEnum):
    """Why; each is said with the name and the figures that it rests on."""

    SPLIT_CHECK_FAILED = "split_check_failed"
    PRIMARY_HARMED = "primary_harmed"
    GUARDRAIL_HARMED = "guardrail_harmed"
    LESS_THAN_A_WEEK = "less_than_a_week"
    NOT_MATURED = "not_matured"
    PRIMARY_IMPROVED = "primary_improved"
    PRIMARY_UNDECIDED = "primary_undecided"
    BELOW_LEAST_EFFECT = "below_least_effect"
    GUARDRAIL_UNDECIDED = "guardrail_undecided"
    GUARDRAIL_HELD = "guardrail_held"
    HORIZON_REACHED = "horizon_reached"


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect's always-valid interval, treatment minus control, and the direction that is good."""

    metric: str
    low: float
    high: float
    wanted: Wanted

    @property
    def gain(self) -> tuple[float, float]:
        """The interval turned so that higher is better."""
        return (self.low, self.high) if self.wanted == "increase" else (-self.high, -self.low)


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that may not get worse by more than `margin` (at least 0, in the metric's unit)."""

    effect: Effect
    margin: float

    @property
    def state(self) -> Code:
        """Held, harmed, or not yet told apart."""
        low, high = self.effect.gain
        if low > -self.margin:
            return Code.GUARDRAIL_HELD
        return Code.GUARDRAIL_HARMED if high < -self.margin else Code.GUARDRAIL_UNDECIDED


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the rule looks at; of the plan: units, days to maturity, the least effect worth having, margins.

    `running_days` are whole days since launch. `least_effect` is a size without sign; 0 stops for futility at the
    horizon only.
    """

    srm_p: float
    matured_units: int
    planned_units: int
    running_days: int
    primary: Effect
    guardrails: tuple[Guardrail, ...] = ()
    maturity_days: int = 0
    least_effect: float = 0.0
    srm_alpha: float = 0.001


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and its figures by name; `metric` where it is about one."""

    code: Code
    figures: tuple[tuple[str, float], ...] = ()
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision with its reasons; None when the split check failed, for then no figure can be trusted."""

    decision: Decision | None
    reasons: tuple[Reason, ...]


def decide(facts: Facts) -> Verdict:
    """Return the verdict on `facts`; pure, so that anybody can check it.

    A failed or unknown split check ends it. Harm stops at once, because always-valid intervals may be read at any time.
    Everything else waits until the units of a whole week have matured: customers of a Monday are not those of a Sunday.
    Then it ships when the primary effect is good and every guardrail is held; it stops for futility when the gain must
    be below the least effect worth having, or at the horizon when it cannot ship.
    """
    if not facts.srm_p >= facts.srm_alpha:
        return Verdict(None, (Reason(Code.SPLIT_CHECK_FAILED, (("p", facts.srm_p), ("alpha", facts.srm_alpha))),))
    if harms := tuple(_harms(facts)):
        return Verdict(Decision.STOP_HARM, harms)
    if waits := tuple(_waits(facts)):
        return Verdict(Decision.CONTINUE, waits)
    primary, guardrails = _primary(facts), tuple(_guardrail(guardrail) for guardrail in facts.guardrails)
    if primary.code == Code.PRIMARY_IMPROVED and all(reason.code == Code.GUARDRAIL_HELD for reason in guardrails):
        return Verdict(Decision.SHIP, (primary, *guardrails))
    if primary.code == Code.BELOW_LEAST_EFFECT:
        return Verdict(Decision.STOP_FUTILE, (primary,))
    open_questions = tuple(
        reason for reason in (primary, *guardrails) if reason.code in (Code.PRIMARY_UNDECIDED, Code.GUARDRAIL_UNDECIDED)
    )
    if facts.matured_units >= facts.planned_units:
        figures = (("matured_units", float(facts.matured_units)), ("planned_units", float(facts.planned_units)))
        return Verdict(Decision.STOP_FUTILE, (Reason(Code.HORIZON_REACHED, figures), *open_questions))
    return Verdict(Decision.CONTINUE, open_questions)


def _harms(facts: Facts) -> Iterator[Reason]:
    if facts.primary.gain[1] < 0:
        yield _about(facts.primary, Code.PRIMARY_HARMED)
    for guardrail in facts.guardrails:
        if guardrail.state == Code.GUARDRAIL_HARMED:
            yield _guardrail(guardrail)


def _waits(facts: Facts) -> Iterator[Reason]:
    days = ("running_days", float(facts.running_days))
    if facts.running_days < LEAST_DAYS:
        yield Reason(Code.LESS_THAN_A_WEEK, (days, ("least_days", float(LEAST_DAYS))))
    elif facts.running_days < LEAST_DAYS + facts.maturity_days:
        yield Reason(Code.NOT_MATURED, (days, ("least_days", float(LEAST_DAYS + facts.maturity_days))))


def _primary(facts: Facts) -> Reason:
    low, high = facts.primary.gain
    if low > 0:
        return _about(facts.primary, Code.PRIMARY_IMPROVED)
    if high < facts.least_effect:
        return _about(facts.primary, Code.BELOW_LEAST_EFFECT, ("least_effect", facts.least_effect))
    return _about(facts.primary, Code.PRIMARY_UNDECIDED)


def _guardrail(guardrail: Guardrail) -> Reason:
    return _about(guardrail.effect, guardrail.state, ("margin", guardrail.margin))


def _about(effect: Effect, code: Code, *more: tuple[str, float]) -> Reason:
    return Reason(code, (("low", effect.low), ("high", effect.high), *more), effect.metric)

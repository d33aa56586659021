"""How large and long a campaign must be: units a day, the primary metric's baseline, and the power calculation."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from experiments import power
from experiments.arm_totals import ArmTotals
from experiments.campaign import LAYER_SLOTS, Plan, designed_shares
from experiments.comparison import MetricKind
from experiments.metrics import Metric
from experiments.multiplicity import bonferroni_level
from experiments.power import PowerPlan, sample_size, sequential_inflation
from recsys.catalogue import Catalogue
from recsys.domain.calendar import BankCalendar
from recsys.domain.campaign_unit import CampaignUnit
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.ranking.arbitration import net_value
from recsys.storage.baseline_log import Window
from recsys.storage.event_log import EventLog

LOOKED_BACK_DAYS = 28
LOOKED_AHEAD_DAYS = 91
MOST_POINTS = 120
MOST_CUSTOMERS = 20_000
"""A baseline is estimated from so many customers at most, the last to get in touch."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Mean and variance of a metric over customers; not a number where too few are known."""

    customers: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Reach:
    """What is known so many days after the start: the customers matured by then and the smallest effect they show."""

    days: int
    units: int
    smallest_effect: float
    smallest_effect_at_any_look: float | None


def units_a_day(log: EventLog, plan: Plan, audience_share: float, now: datetime) -> float:
    """Return how many customers a day would be assigned: those whose first contact in four weeks it is, by day."""
    window = Window(now - timedelta(days=LOOKED_BACK_DAYS), now, plan.channels)
    slots = plan.layer.slots if plan.layer else (0, LAYER_SLOTS)
    share = audience_share * plan.coverage * (slots[1] - slots[0]) / LAYER_SLOTS
    expected = log.contacted_customers(window) / LOOKED_BACK_DAYS * share
    return min(expected, plan.daily_cap or math.inf)


def baseline(
    log: EventLog, plan: Plan, in_force: tuple[Catalogue, Policy], about: frozenset[str], now: datetime
) -> Baseline:
    """Return the primary metric as the plan would have measured it on customers whose outcomes have matured.

    Answers come from the customers' histories, imported ones included; `about` are the campaign's offers.
    """
    until = now - timedelta(days=plan.maturity_days)
    window = Window(until - timedelta(days=LOOKED_BACK_DAYS), until, plan.channels)
    units: dict[str, CampaignUnit] = {}
    for contact in log.contacts_after(window, MOST_CUSTOMERS):
        unit = units.get(contact.customer_id) or _unit(contact.customer_id, contact.first_at, plan, log.calendar)
        spoken = (contact.closed_at or contact.opened_at) - contact.opened_at
        counts = {"contacts": 1.0, "handling_seconds": spoken.total_seconds()}
        if contact.csat is not None:
            counts |= {"csat_total": float(contact.csat), "csat_ratings": 1.0}
        if contact.is_complaint and contact.opened_at > contact.first_at:
            counts["complaints"] = 1.0
        units[contact.customer_id] = unit.counting(contact.opened_at, **counts)
    catalogue, policy = in_force
    worth = dict(zip(catalogue.table.offer_ids, net_value(catalogue.table, policy).tolist(), strict=True))
    for answer in log.answers_after(window, MOST_CUSTOMERS):
        given = Answer.ACCEPTED if answer.accepted else Answer.DECLINED
        offer_id = answer.offer_id
        units[answer.customer_id] = units[answer.customer_id].answering(
            given, answer.answered_at, net_value=worth.get(offer_id, 0.0), is_sale=catalogue.is_sale(offer_id),
            of_campaign=offer_id in about,
        )  # fmt: skip
    return _estimated(plan.metrics[0], list(units.values()))


def units_needed(plan: Plan, found: Baseline, *, at_any_look: bool = False) -> int | None:
    """Return the units at which every arm shows the smallest effect with the plan's power, None where unknown.

    For the fixed interval at the end, or for the always-valid one, which needs more.
    """
    sized = _power_plan(plan, found)
    if sized is None:
        return None
    more = sequential_inflation(sized) if at_any_look else 1.0
    return math.ceil(sample_size(sized, plan.smallest_effect, more).total / sum(sized.allocation))


def smallest_effect(plan: Plan, found: Baseline, units: float, *, at_any_look: bool = False) -> float | None:
    """Return the smallest absolute effect that so many units show in every arm, None where unknown."""
    sized = _power_plan(plan, found)
    if sized is None or units <= 0:
        return None
    more = sequential_inflation(sized) if at_any_look else 1.0
    effect = power.smallest_effect(sized, units * sum(sized.allocation), more)
    return effect if math.isfinite(effect) else None


def days(plan: Plan, units: float | None, a_day: float) -> int | None:
    """Return in how many whole days so many units are assigned and have matured, None where nobody gets in touch."""
    if units is None or a_day <= 0:
        return None
    return max(math.ceil(units / a_day) + plan.maturity_days, plan.minimum_days)


def reach(plan: Plan, found: Baseline, a_day: float) -> Iterator[Reach]:
    """Yield what would be known day by day over a quarter, and twice as long as is planned, a year at most."""
    planned = days(plan, plan.planned_units, a_day) or 0
    last = min(max(LOOKED_AHEAD_DAYS, 2 * planned), 366)
    step = math.ceil((last - plan.maturity_days) / MOST_POINTS)
    for day in range(plan.maturity_days + 1, last + 1, max(step, 1)):
        units = math.floor(a_day * (day - plan.maturity_days))
        effect = smallest_effect(plan, found, units)
        if effect is not None:
            yield Reach(day, units, effect, smallest_effect(plan, found, units, at_any_look=True))


def _power_plan(plan: Plan, found: Baseline) -> PowerPlan | None:
    """Return what the power calculation is asked, None where the baseline is unknown or leaves no room for the effect.

    The level is divided by the arms that are compared with the control (Bonferroni); the holdout does not count.
    """
    metric = plan.metrics[0]
    if not found.variance > 0 or (metric.kind is MetricKind.BINARY and found.mean + plan.smallest_effect >= 1):
        return None
    shares = designed_shares(plan.weights, plan.holdout)
    arms = [plan.control.name, *(name for name in plan.treatments if plan.weights[name] > 0)]
    return PowerPlan(
        kind=metric.kind,
        baseline=found.mean,
        standard_deviation=math.sqrt(found.variance),
        allocation=tuple(shares[arm] for arm in arms),
        alpha=bonferroni_level(plan.alpha, 1, len(arms) - 1),
        power=plan.power,
    )


def _unit(customer_id: str, at: datetime, plan: Plan, calendar: BankCalendar) -> CampaignUnit:
    until = calendar.day_of(at) + timedelta(days=plan.maturity_days)
    return CampaignUnit("", customer_id, 0, "", 1.0, at, until, calendar=calendar)


def _estimated(metric: Metric, units: list[CampaignUnit]) -> Baseline:
    if len(units) < 2:
        return Baseline(len(units), math.nan, math.nan)
    totals = ArmTotals.of(*([unit.value_of(variable) for unit in units] for variable in metric.outcomes))
    means, spread = totals.means, totals.covariances
    if metric.over is None:
        return Baseline(totals.n, float(means[0]), float(spread[0, 0]))
    if means[1] == 0:
        return Baseline(totals.n, math.nan, math.nan)
    ratio = means[0] / means[1]
    variance = (spread[0, 0] - 2 * ratio * spread[0, 1] + ratio**2 * spread[1, 1]) / means[1] ** 2  # delta method
    return Baseline(totals.n, float(ratio), float(variance))

"""A campaign's read-out: split check, funnel, effects with intervals, agents, and the verdict of the plan's rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from math import inf
from typing import Any, NamedTuple

import numpy as np

from experiments import verdict
from experiments.analysis import MetricResult, MetricTotals, analyse
from experiments.arm_totals import ArmTotals
from experiments.campaign import HOLDOUT, Plan
from experiments.chain import exposed_check, funnel_of, splits_of
from experiments.cluster_totals import ClusterTotals
from experiments.comparison import MetricKind
from experiments.compliance import ComplierEffect, PitchRates, compare_pitch_rates, complier_effect
from experiments.estimate import Estimate
from experiments.estimate import Plan as Looks
from experiments.metrics import METRICS, PITCHED, Metric, Wanted, arm_totals, covariate_variables, products_for
from experiments.multiplicity import bonferroni_level
from experiments.plan_document import stored_plan
from experiments.srm import Split, SplitCheck, check_splits, expected_units
from experiments.verdict import Code
from recsys.domain.calendar import BankCalendar
from recsys.domain.campaign_unit import EVERYONE, STAGES
from recsys.storage.campaign_log import SavedCampaign
from recsys.storage.campaign_unit_log import Cell
from recsys.storage.event_log import EventLog

LEAST_CLUSTERS = 3
Totals = Mapping[Cell, Mapping[str, float]]


class Look(NamedTuple):
    """An arm's effect on the primary metric as it was known once the units of a day had matured."""

    arm: str
    day: date
    n: int
    effect: Estimate


@dataclass(frozen=True, slots=True)
class ArmReadout:
    """What one treatment did to the primary metric beyond its effect, and what the plan's rule says of it.

    `guardrails` says of each guardrail's metric whether it is held, harmed or not yet told apart. `by_agent` is the
    effect with intervals that allow for customers of one agent being alike; None with few agents.
    """

    arm: str
    verdict: verdict.Verdict
    guardrails: Mapping[str, Code]
    by_agent: MetricResult | None
    compliers: ComplierEffect | None


@dataclass(frozen=True, slots=True)
class Readout:
    """Everything to be said of a campaign at one moment.

    Units count in results once `maturity_days` have passed, those assigned up to the day `matured_until`, for the first
    time on the day `first_results_on`, None before anybody was assigned. `expected` are the units that the arms should
    have. `exposed` is the split of those for whom the arms' offers were on a list; it fails where arms differ in that.
    While a check fails, `metrics` are not to be shown.
    """

    at: datetime
    matured_until: date
    first_results_on: date | None
    running_days: int
    units: int
    matured_units: int
    assigned: SplitCheck
    expected: Mapping[str, float]
    exposed: SplitCheck | None
    funnel: Mapping[str, Mapping[str, int]]
    metrics: tuple[MetricResult, ...]
    arms: tuple[ArmReadout, ...]
    pitched: PitchRates | None
    looks: tuple[Look, ...]

    @property
    def is_trusted(self) -> bool:
        """Whether the split is as designed."""
        return self.assigned.verdict == "ok"


def read_out(log: EventLog, saved: SavedCampaign, now: datetime) -> Readout:
    """Return the read-out of a launched campaign from the totals that the log keeps."""
    plan = stored_plan(saved.plan)
    until = matured_until(plan, now, log.calendar)
    chain = log.campaign_totals(saved.campaign_id, products=STAGES)
    splits = splits_of(chain, plan, saved.epochs, EVERYONE)
    assigned = check_splits(splits)
    results = _Results(log, saved.campaign_id, plan, until)
    metrics = results.metrics()
    started = saved.started_at or saved.created_at
    running_days = (min(saved.ended_at or now, now) - started).days
    facts = _facts(plan, assigned, results, running_days)
    arms = tuple(_arm(replace(facts, **_effects(plan, metrics, name)), results, name) for name in plan.treatments)
    return Readout(
        at=now,
        matured_until=until,
        first_results_on=results.first_on(),
        running_days=running_days,
        units=round(sum(one[EVERYONE] for one in chain.values())),
        matured_units=results.units,
        assigned=assigned,
        expected=expected_units(splits),
        exposed=exposed_check(chain, plan, saved.epochs),
        funnel=funnel_of(chain),
        metrics=metrics,
        arms=arms,
        pitched=results.pitch_rates(),
        looks=tuple(results.looks()),
    )


def matured_until(plan: Plan, now: datetime, calendar: BankCalendar) -> date:
    """Return the bank's last day whose units have had their full time."""
    return calendar.day_of(now) - timedelta(days=plan.maturity_days + 1)


class _Results:
    """The matured totals of a campaign, as the analyses ask for them."""

    def __init__(self, log: EventLog, campaign_id: str, plan: Plan, until: date) -> None:
        self._log, self._campaign_id, self._plan, self._until = log, campaign_id, plan, until
        self._cells = log.campaign_totals(campaign_id, until)
        self._covariates = covariate_variables(plan.covariates)
        self._primary = METRICS[plan.primary]
        self._arms = [Split({}, {arm.name: 1.0 for arm in plan.arms})]

    @property
    def units(self) -> int:
        """How many matured units there are, the holdout not among them."""
        return round(sum(totals[EVERYONE] for cell, totals in self._cells.items() if cell.arm != HOLDOUT))

    def first_on(self) -> date | None:
        """Return the day on which the first units have matured; None before anybody was assigned."""
        cells = self._log.campaign_totals(self._campaign_id, by=("day",), products=(EVERYONE,))
        days = [cell.day for cell in cells if cell.day]
        return min(days) + timedelta(days=self._plan.maturity_days + 1) if days else None

    def metrics(self) -> tuple[MetricResult, ...]:
        """Return every arm's effects: on the primary metric at a level divided by arms, on others at the plan's."""
        first, *others = (self._metric(metric) for metric in self._plan.metrics)
        found = analyse(self._arms, [first], self._plan.control.name, self._looking(primary=True)).metrics
        return (*found, *analyse(self._arms, others, self._plan.control.name, self._looking()).metrics)

    def by_agent(self, arm: str) -> MetricResult | None:
        """Return the primary effect of one arm with cluster-robust intervals."""
        variables, cells, names = self._primary.outcomes, self._agents, (self._plan.control.name, arm)
        agents = sorted({cell.agent_id or "" for cell in cells if cell.arm in names})
        if len(agents) < LEAST_CLUSTERS:
            return None
        place = {agent: number for number, agent in enumerate(agents)}
        found = {
            epoch: ClusterTotals(np.zeros((len(agents), 2)), np.zeros((len(agents), 2, len(variables))))
            for epoch in sorted({cell.epoch for cell in self._cells})
        }
        for cell, totals in cells.items():
            if cell.arm in names:
                added = arm_totals(totals, variables)
                row, column = place[cell.agent_id or ""], names.index(cell.arm)
                found[cell.epoch].counts[row, column], found[cell.epoch].sums[row, column] = added.n, added.sums
        plain = self._metric(self._primary, covariates=False)
        clustered = replace(plain, clusters=list(found.values()), arms=names)
        pair = [Split({}, dict.fromkeys(names, 1.0))]
        results = analyse(pair, [clustered], names[0], self._looking(primary=True)).metrics
        return next((result for result in results if result.arm == arm), None)

    @cached_property
    def _agents(self) -> Totals:
        products = products_for(self._primary.outcomes)
        return self._log.campaign_totals(self._campaign_id, self._until, ("agent_id",), products)

    def compliers(self, arm: str) -> ComplierEffect | None:
        """Return the effect on those who are pitched to because of the arm; None for a ratio and without units."""
        if self._primary.kind is MetricKind.RATIO:
            return None
        variables = self._primary.of, PITCHED
        control, treatment = self._pooled(self._plan.control.name, variables), self._pooled(arm, variables)
        return complier_effect(control, treatment, self._plan.alpha) if min(control.n, treatment.n) > 1 else None

    def pitch_rates(self) -> PitchRates | None:
        """Return how often the treatment arms were pitched; None where there are not two to compare."""
        arms = [self._pooled(name, (EVERYONE, PITCHED)) for name in self._plan.treatments]
        return compare_pitch_rates(arms) if sum(arm.n > 0 for arm in arms) > 1 else None

    def looks(self) -> Iterable[Look]:
        """Yield the primary effect of every arm over time, day by day as the units matured."""
        variables = self._primary.outcomes
        cells = self._log.campaign_totals(self._campaign_id, self._until, ("day",), products_for(variables))
        epochs = sorted({cell.epoch for cell in cells})
        days = sorted({cell.day for cell in cells if cell.day})
        nothing = arm_totals({}, variables)
        names = [arm.name for arm in self._plan.arms]
        by_cell = {(cell.epoch, cell.arm, cell.day): arm_totals(totals, variables) for cell, totals in cells.items()}
        grown = {
            (epoch, name): list(accumulate(by_cell.get((epoch, name, day), nothing) for day in days))
            for epoch in epochs
            for name in names
        }
        for place, day in enumerate(days):
            totals = [{name: grown[epoch, name][place] for name in names} for epoch in epochs]
            metric = MetricTotals(self._primary.name, self._primary.kind, totals)
            for result in analyse(self._arms, [metric], self._plan.control.name, self._looking(primary=True)).metrics:
                if result.absolute:
                    yield Look(result.arm, day, sum(result.n.values()), result.absolute)

    def _metric(self, metric: Metric, *, covariates: bool = True) -> MetricTotals:
        known = self._covariates if covariates else ()
        variables = (*metric.outcomes, *known)
        epochs = sorted({cell.epoch for cell in self._cells})
        totals = [
            {cell.arm: arm_totals(one, variables) for cell, one in self._cells.items() if cell.epoch == epoch}
            for epoch in epochs
        ]
        return MetricTotals(metric.name, metric.kind, totals, len(known))

    def _pooled(self, arm: str, variables: tuple[str, ...]) -> ArmTotals:
        found = (arm_totals(totals, variables) for cell, totals in self._cells.items() if cell.arm == arm)
        return sum(found, start=arm_totals({}, variables))

    def _looking(self, *, primary: bool = False) -> Looks:
        treatments = len(self._plan.treatments)
        alpha = bonferroni_level(self._plan.alpha, 1, treatments) if primary else self._plan.alpha
        return Looks(self._plan.planned_units, alpha)


def _arm(facts: verdict.Facts, results: _Results, name: str) -> ArmReadout:
    states = {one.effect.metric: one.state for one in facts.guardrails}
    return ArmReadout(name, verdict.decide(facts), states, results.by_agent(name), results.compliers(name))


def _facts(plan: Plan, assigned: SplitCheck, results: _Results, running_days: int) -> verdict.Facts:
    p_value = 0.0 if assigned.verdict == "failed" else min(assigned.p_value, assigned.sequential_p_value)
    return verdict.Facts(
        srm_p=p_value,
        matured_units=results.units,
        planned_units=plan.planned_units,
        running_days=running_days,
        primary=verdict.Effect(plan.primary, -inf, inf, METRICS[plan.primary].wanted.value),
        maturity_days=plan.maturity_days,
        least_effect=plan.smallest_effect,
    )


def _effects(plan: Plan, metrics: Sequence[MetricResult], arm: str) -> dict[str, Any]:
    """Return what the plan's rule asks of an arm's effects: the primary one and those of the guardrails."""

    def effect(name: str, wanted: Wanted) -> verdict.Effect:
        absolute = next((one.absolute for one in metrics if (one.name, one.arm) == (name, arm)), None)
        known = absolute.always_valid if absolute else None
        return verdict.Effect(name, known.low if known else -inf, known.high if known else inf, wanted.value)

    guardrails = (verdict.Guardrail(effect(one.metric, one.wanted), one.margin) for one in plan.guardrails)
    return {"primary": effect(plan.primary, METRICS[plan.primary].wanted), "guardrails": tuple(guardrails)}

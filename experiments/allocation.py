"""The weights of a campaign that learns: Thompson sampling over its matured units, from one epoch to the next."""

from datetime import datetime, timedelta

from experiments.arm_totals import ArmTotals
from experiments.bandit import BatchWeights, next_weights
from experiments.campaign import FIXED_SLICE, Status
from experiments.metrics import METRICS, Wanted, arm_totals, products_for
from experiments.plan_document import stored_plan
from recsys.storage.campaign_log import SavedCampaign
from recsys.storage.event_log import EventLog


def due_weights(log: EventLog, saved: SavedCampaign, now: datetime) -> dict[str, float] | None:
    """Return the weights of all arms for the epoch that is due; None where none is, or nothing was learned yet.

    Each epoch so far is a batch of its own; units of the fixed slice and those that have not matured teach nothing.
    """
    plan = stored_plan(saved.plan)
    learning = plan.allocation
    if saved.status != Status.RUNNING or learning.kind != "thompson" or not saved.epochs:
        return None
    latest = saved.epochs[-1]
    if now < latest.began_at + timedelta(hours=learning.every_hours):
        return None
    metric = METRICS[plan.primary]
    until = log.calendar.day_of(now) - timedelta(days=plan.maturity_days + 1)
    cells = log.campaign_totals(saved.campaign_id, until, products=products_for(metric.outcomes))
    arms = [arm.name for arm in plan.arms]
    nothing = arm_totals({}, metric.outcomes)
    found = {(cell.epoch, cell.arm): arm_totals(totals, metric.outcomes) for cell, totals in cells.items()}
    sign = 1.0 if metric.wanted is Wanted.INCREASE else -1.0
    batches = [
        [_turned(found.get((epoch, arm), nothing), sign) for arm in arms]
        for epoch in sorted({epoch for epoch, _ in found} - {FIXED_SLICE})
    ]
    if not batches:
        return None
    fixed = tuple(plan.weights[arm] for arm in arms)
    before = BatchWeights(latest.epoch, tuple(latest.weights[arm] for arm in arms), fixed, learning.fixed_slice)
    after = next_weights(before, batches, learning.floor)
    return None if after.version == before.version else dict(zip(arms, after.learning, strict=True))


def _turned(totals: ArmTotals, sign: float) -> ArmTotals:
    """Return the totals of the outcome times 1 or −1, so that higher is better."""
    return ArmTotals(totals.n, sign * totals.sums, totals.products)

"""The chain of facts after assignment: a campaign's split at each stage as checked, and how many came how far."""

from collections.abc import Iterable, Mapping

from experiments.campaign import FIXED_SLICE, HOLDOUT, Plan, designed_shares
from experiments.srm import Split, SplitCheck, check_splits
from recsys.domain.campaign_unit import EVERYONE, STAGES
from recsys.storage.campaign_log import SavedCampaign, SavedEpoch
from recsys.storage.campaign_unit_log import Cell
from recsys.storage.event_log import EventLog

Totals = Mapping[Cell, Mapping[str, float]]


def check_split(log: EventLog, saved: SavedCampaign, plan: Plan) -> SplitCheck:
    """Return the check of all assigned units, as `read_out` makes it."""
    chain = log.campaign_totals(saved.campaign_id, products=(EVERYONE,))
    return check_splits(splits_of(chain, plan, saved.epochs, EVERYONE))


def splits_of(chain: Totals, plan: Plan, epochs: Iterable[SavedEpoch], stage: str) -> list[Split]:
    """Return each epoch's units that reached a stage, with the shares designed for them; a fixed slice comes last."""
    weights = {epoch.epoch: epoch.weights for epoch in epochs}
    if plan.allocation.kind == "thompson" and plan.allocation.fixed_slice:
        weights[FIXED_SLICE] = plan.weights
    return [
        Split(
            {cell.arm: round(totals.get(stage, 0.0)) for cell, totals in chain.items() if cell.epoch == epoch},
            designed_shares(shares, plan.holdout),
        )
        for epoch, shares in weights.items()
    ]


def exposed_check(chain: Totals, plan: Plan, epochs: Iterable[SavedEpoch]) -> SplitCheck | None:
    """Return the check of those with the campaign's offers on a list; None where an arm cannot have any."""
    splits = [
        Split(
            {arm: units for arm, units in split.observed.items() if arm != HOLDOUT},
            {arm: weight for arm, weight in split.weights.items() if arm != HOLDOUT},
        )
        for split in splits_of(chain, plan, epochs, "recommended")
    ]
    seen = {arm.name: sum(split.observed.get(arm.name, 0) for split in splits) for arm in plan.arms}
    return check_splits(splits) if all(seen.values()) else None


def funnel_of(chain: Totals) -> dict[str, dict[str, int]]:
    """Return how many units of each arm were assigned and reached each stage."""
    found: dict[str, dict[str, int]] = {}
    for cell, totals in chain.items():
        counts = found.setdefault(cell.arm, dict.fromkeys(("assigned", *STAGES), 0))
        counts["assigned"] += round(totals[EVERYONE])
        for stage in STAGES:
            counts[stage] += round(totals.get(stage, 0.0))
    return found

"""Who is in which arm: hashes of the customer's id under a campaign's own salts, the same whenever they are asked."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate

from experiments.campaign import FIXED_SLICE, HOLDOUT, LAYER_SLOTS, Plan, designed_shares
from recsys.domain.chance import salted
from recsys.domain.customer import AttributeValue
from recsys.rules import Rule

Facts = Mapping[str, AttributeValue]
Chance = Callable[[bytes], float]
_ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class GlobalHoldout:
    """A share of all customers that no campaign treats; every `rotation_days` it is other customers' turn."""

    share: float = 0.0
    rotation_days: int = 90

    def holds(self, unit: bytes, at: datetime) -> bool:
        """Return whether this customer is held out at that moment."""
        return self.share > 0 and _cohort(int(at.timestamp()) // (86_400 * self.rotation_days))(unit) < self.share


@dataclass(frozen=True, slots=True)
class Assignment:
    """An arm of a campaign, or its holdout, and how likely that was; `weights` are those of the epoch.

    In the fixed slice of a campaign with changing weights, `epoch` is `FIXED_SLICE` and `weights` are the plan's.
    """

    campaign_id: str
    epoch: int
    arm: str
    probability: float
    weights: Mapping[str, float] = field(hash=False)
    in_fixed_slice: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """The assignments of one set of weights, by place, and the limits of their stretches of [0, 1)."""

    limits: tuple[float, ...]
    assignments: tuple[Assignment, ...]

    def at(self, chance: float) -> Assignment:
        """Return the assignment of a number in [0, 1]; an arm of weight 0 has no stretch."""
        return self.assignments[bisect_right(self.limits, chance)]


@dataclass(frozen=True, slots=True)
class Assigner:
    """One epoch of a campaign, prepared so that an assignment is a few hashes."""

    period: tuple[datetime, datetime]
    slots: tuple[float, float] | None
    channels: frozenset[str]
    audience: Rule | None
    coverage: float
    holdout: float
    fixed_slice: float
    chance_of_layer: Chance
    chance_of_traffic: Chance
    chance_of_holdout: Chance
    chance_of_fixed: Chance
    chance_of_arm: Chance
    held: Assignment
    split: Split
    fixed_split: Split

    def assign(self, unit: bytes, facts: Facts, channel: str, at: datetime) -> Assignment | None:
        """Return the assignment of a customer's id in UTF-8, None for who does not take part.

        In the order of the design: layer slot, audience, coverage, holdout, arm. Each hash has a salt of its own,
        so that none moves with another; more coverage brings new customers and moves nobody.
        """
        begins, ends = self.period
        if not begins <= at < ends or (self.channels and channel not in self.channels):
            return None
        if self.slots is not None and not self.slots[0] <= self.chance_of_layer(unit) < self.slots[1]:
            return None
        if self.audience is not None and self.audience.evaluate(facts) is not True:
            return None
        if self.coverage < 1 and self.chance_of_traffic(unit) >= self.coverage:
            return None
        if self.holdout > 0 and self.chance_of_holdout(unit) < self.holdout:
            return self.held
        if self.fixed_slice > 0 and self.chance_of_fixed(unit) < self.fixed_slice:
            return self.fixed_split.at(self.chance_of_arm(unit))
        return self.split.at(self.chance_of_arm(unit))


def assigner(campaign_id: str, plan: Plan, epoch: int, weights: Mapping[str, float], audience: Rule | None) -> Assigner:
    """Return what assigns customers to a campaign in one epoch with its weights, which add up to 1."""
    shares = designed_shares(weights, plan.holdout)
    held = Assignment(campaign_id, epoch, HOLDOUT, shares.get(HOLDOUT, 0.0), weights)
    layer = plan.layer
    fixed_slice = plan.allocation.fixed_slice if plan.allocation.kind == "thompson" else 0.0
    return Assigner(
        period=(plan.starts_at or _ALWAYS[0], plan.ends_at or _ALWAYS[1]),
        slots=(layer.slots[0] / LAYER_SLOTS, layer.slots[1] / LAYER_SLOTS) if layer else None,
        channels=plan.channels,
        audience=audience,
        coverage=plan.coverage,
        holdout=plan.holdout,
        fixed_slice=fixed_slice,
        chance_of_layer=salted(f"{layer.name}|layer" if layer else ""),
        chance_of_traffic=salted(f"{campaign_id}|traffic"),
        chance_of_holdout=salted(f"{campaign_id}|holdout"),
        chance_of_fixed=salted(f"{campaign_id}|fixed"),
        chance_of_arm=salted(f"{campaign_id}|arm"),
        held=held,
        split=_split(campaign_id, epoch, weights, plan.holdout),
        fixed_split=_split(campaign_id, FIXED_SLICE, plan.weights, plan.holdout, in_fixed_slice=fixed_slice > 0),
    )


def assign(
    customer_id: str,
    facts: Facts,
    contact: tuple[str, datetime],
    assigners: Sequence[Assigner],
    already: Collection[str] = (),
) -> tuple[Assignment, ...]:
    """Return the new assignments of a customer in a contact (channel, moment).

    `already` are the campaigns they were assigned to before: the first assignment stands.
    """
    channel, at = contact
    unit = customer_id.encode()
    found = (one.assign(unit, facts, channel, at) for one in assigners if one.held.campaign_id not in already)
    return tuple(assignment for assignment in found if assignment is not None)


def _split(
    campaign_id: str, epoch: int, weights: Mapping[str, float], holdout: float, *, in_fixed_slice: bool = False
) -> Split:
    used = {arm: weight for arm, weight in weights.items() if weight > 0}
    return Split(
        tuple(accumulate(used.values()))[:-1],
        tuple(
            Assignment(campaign_id, epoch, arm, weight * (1 - holdout), weights, in_fixed_slice)
            for arm, weight in used.items()
        ),
    )


@lru_cache(maxsize=8)
def _cohort(number: int) -> Chance:
    return salted(f"global|holdout|{number}")

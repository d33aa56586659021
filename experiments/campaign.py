"""A campaign: the plan that is registered before launch, and what may become of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from experiments.metrics import METRICS, Metric, Wanted, kept_products
from recsys.domain.errors import CampaignStatusRefused

HOLDOUT = "holdout"
"""The name under which units are recorded that a campaign keeps without the treatment of any arm."""
LAYER_SLOTS = 1000
FIXED_SLICE = 0
"""The epoch of the units that keep the plan's weights in a campaign whose other weights change."""


class Status(StrEnum):
    """Where a campaign stands; shipped means that an arm's treatment became what everybody gets."""

    DRAFT = "draft"
    APPROVED = "approved"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    SHIPPED = "shipped"


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.DRAFT: frozenset({Status.APPROVED, Status.STOPPED}),
    Status.APPROVED: frozenset({Status.RUNNING, Status.STOPPED}),
    Status.RUNNING: frozenset({Status.PAUSED, Status.STOPPED, Status.SHIPPED}),
    Status.PAUSED: frozenset({Status.RUNNING, Status.STOPPED, Status.SHIPPED}),
    Status.STOPPED: frozenset({Status.SHIPPED}),
    Status.SHIPPED: frozenset(),
}
LAUNCHED = frozenset({Status.RUNNING, Status.PAUSED})
"""In which nobody may change the plan, and the campaign keeps its slots in its layer."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of the comparison; `treatment` is a change document with `model`, empty for what is in force."""

    name: str
    weight: float
    control: bool = False
    treatment: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layer:
    """Campaigns of one layer with other slots never share a customer; `slots` is half open, of `LAYER_SLOTS`."""

    name: str
    slots: tuple[int, int] = (0, LAYER_SLOTS)

    def overlaps(self, other: "Layer") -> bool:
        """Return whether a customer could be in both."""
        return self.name == other.name and self.slots[0] < other.slots[1] and other.slots[0] < self.slots[1]


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that may not get worse, against `wanted`, by `margin` or more in the metric's own unit."""

    metric: str
    margin: float
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Allocation:
    """How weights come about: fixed, or by Thompson sampling every so many hours.

    Then no arm gets less than `floor`, and `fixed_slice` of the units keep the plan's weights and train nothing.
    """

    kind: Literal["fixed", "thompson"] = "fixed"
    floor: float = 0.05
    every_hours: int = 24
    fixed_slice: float = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before launch; `audience` is a rule about customers, `channels` empty means all.

    `coverage` and `holdout` are shares of the audience, `smallest_effect` is absolute, in the primary metric's unit.
    """

    name: str
    hypothesis: str
    arms: tuple[Arm, ...]
    primary: str
    smallest_effect: float
    planned_units: int
    audience: str | None = None
    channels: frozenset[str] = frozenset()
    coverage: float = 1.0
    holdout: float = 0.0
    layer: Layer | None = None
    secondaries: tuple[str, ...] = ()
    guardrails: tuple[Guardrail, ...] = ()
    covariates: tuple[str, ...] = ()
    alpha: float = 0.05
    power: float = 0.8
    minimum_days: int = 7
    maturity_days: int = 7
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    daily_cap: int | None = None
    total_cap: int | None = None
    allocation: Allocation = Allocation()

    @property
    def version(self) -> str:
        """Name of exactly this plan, for its registration: "e-" and 12 hex digits of its SHA-256."""
        canonical = json.dumps(plan_to_dict(self), sort_keys=True, ensure_ascii=False)
        return "e-" + hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def control(self) -> Arm:
        """The arm that the others are compared with."""
        return next(arm for arm in self.arms if arm.control)

    @property
    def treatments(self) -> tuple[str, ...]:
        """The names of the other arms."""
        return tuple(arm.name for arm in self.arms if not arm.control)

    @property
    def weights(self) -> dict[str, float]:
        """The arms' shares, adding up to 1, that the campaign starts with."""
        total = sum(arm.weight for arm in self.arms)
        return {arm.name: arm.weight / total for arm in self.arms}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric of the plan once: the primary first, then secondaries and guardrails."""
        names = (self.primary, *self.secondaries, *(one.metric for one in self.guardrails))
        return tuple(METRICS[name] for name in dict.fromkeys(names))

    @property
    def kept(self) -> tuple[str, ...]:
        """The products whose totals are kept for this plan's results."""
        return kept_products([metric.name for metric in self.metrics], self.covariates)


def plan_to_dict(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON-able values, the same for equal plans; `parse_plan` reads it back."""
    document = asdict(plan)
    for name in ("starts_at", "ends_at"):
        moment: datetime | None = document[name]
        document[name] = moment.astimezone(UTC).isoformat() if moment else None
    document["channels"] = sorted(plan.channels)
    document["layer"] = {"name": plan.layer.name, "slots": list(plan.layer.slots)} if plan.layer else None
    for name in ("arms", "secondaries", "guardrails", "covariates"):
        document[name] = list(document[name])
    return document


def check_transition(status: Status, wanted: Status) -> None:
    """Raise `CampaignStatusRefused` unless a campaign can go from one status to the other."""
    allowed = TRANSITIONS[status]
    if wanted not in allowed:
        raise CampaignStatusRefused(status, wanted, [one for one in Status if one in allowed])


def designed_shares(weights: Mapping[str, float], holdout: float) -> dict[str, float]:
    """Return the share of a campaign's units that each arm and the holdout should have."""
    shares = {arm: weight * (1 - holdout) for arm, weight in weights.items()}
    return shares | {HOLDOUT: holdout} if holdout else shares

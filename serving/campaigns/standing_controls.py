"""The campaign that always measures what each part of the decision is worth: its ready plan, found, and read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recsys.storage.campaign_log import SavedCampaign
from serving.campaigns.results import results
from serving.wiring import Services

METRIC = "value"
PARTS = ("nothing", "eligibility", "random", "propensity", "no_levers")
"""The arms from the one that leaves out most."""

PLAN: Mapping[str, Any] = {
    "name": "standing-controls",
    "hypothesis": "Every part of the decision – ranking, value, levers, offering at all – earns more than it costs.",
    "arms": [
        {"name": "as_decided", "weight": 0.95, "control": True},
        *({"name": part, "weight": 0.01, "treatment": {"policy": {"arbitration": part}}} for part in PARTS),
    ],
    "primary": METRIC,
    "smallest_effect": 10,
    "planned_units": 200_000,
    "secondaries": ["sold", "acceptance_rate", "declined", "handling_seconds"],
    "guardrails": [{"metric": "csat", "margin": 0.1}, {"metric": "complained", "margin": 0.01}],
    "minimum_days": 28,
    "maturity_days": 28,
}
"""As docs/examples/standing-controls.yaml has it, which says why."""

_NEAREST_TO_RUNNING = ("running", "paused", "approved", "draft", "stopped", "shipped")


@dataclass(frozen=True, slots=True)
class Price:
    """What one part earns a customer: minus the effect of the arm without it, with the interval for any look.

    `worth` and its bounds are None where the data do not give them; `control_mean` is what everybody else earns.
    """

    arm: str
    arbitration: str
    customers: int
    worth: float | None
    low: float | None
    high: float | None
    control_mean: float | None

    @property
    def reading(self) -> str:
        """What may be said of it: too_early, unknown (the interval holds 0), earns or costs."""
        if self.worth is None or self.low is None or self.high is None:
            return "too_early"
        return "unknown" if self.low <= 0 <= self.high else "earns" if self.worth > 0 else "costs"


def find_controls(services: Services) -> SavedCampaign | None:
    """Return the campaign whose arms each leave a part of the decision out: one that runs before others, the latest."""
    with services.database.read() as log:
        found = [one for one in log.campaigns() if _parts(one)]
    return max(found, key=lambda one: (-_NEAREST_TO_RUNNING.index(one.status), one.created_at), default=None)


def prices(services: Services, saved: SavedCampaign, language: str) -> tuple[list[Price], bool]:
    """Return what each part is worth by a launched campaign, and whether its split check hides that.

    Before anybody's time is up there are no effects yet, and every worth is None.
    """
    document = results(services, saved.campaign_id, language)
    measured = {one["arm"]: one for one in document["metrics"] or () if one["name"] == METRIC}
    parts = _parts(saved)
    ordered = sorted(parts.items(), key=lambda one: PARTS.index(one[1]))
    return [_price(arm, part, measured.get(arm)) for arm, part in ordered], document["metrics"] is None


def _price(arm: str, part: str, result: Mapping[str, Any] | None) -> Price:
    if result is None:
        return Price(arm, part, 0, None, None, None, None)
    effect = result["absolute"] or {}
    valid = effect.get("always_valid") or {}
    bounds = (effect.get("estimate"), valid.get("high"), valid.get("low"))
    worth, low, high = (None if value is None else 0.0 - value for value in bounds)
    return Price(arm, part, result["n"].get(arm, 0), worth, low, high, result["mean"].get(result["control"]))


def _parts(saved: SavedCampaign) -> dict[str, str]:
    """Return arm → the arbitration that is its whole treatment, empty where any arm does something else."""
    treatments = {arm["name"]: arm.get("treatment") or {} for arm in saved.plan["arms"] if not arm.get("control")}
    ways = {
        arm: part
        for arm, treatment in treatments.items()
        for part in PARTS
        if treatment == {"policy": {"arbitration": part}}
    }
    return ways if ways.keys() == treatments.keys() else {}

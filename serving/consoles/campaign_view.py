"""What the list of campaigns and a campaign's page show: where each stands, its health, its audit in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from experiments.campaign import TRANSITIONS, Status
from recsys.domain.errors import CampaignInvalid, CampaignNotLaunched, Unavailable
from recsys.storage.campaign_log import SavedCampaign, SavedChange
from serving.campaigns.results import results
from serving.wiring import Services

GROUPS: Mapping[str, tuple[Status, ...]] = {
    "group_running": (Status.RUNNING, Status.PAUSED),
    "group_waiting": (Status.APPROVED, Status.DRAFT),
    "group_ended": (Status.STOPPED, Status.SHIPPED),
}
TAGS: Mapping[str, str] = {
    "running": "tag-live",
    "paused": "tag-warn",
    "approved": "tag-partner",
    "shipped": "tag-service",
}
ACTIONS: Mapping[Status, str] = {Status.RUNNING: "start", Status.PAUSED: "pause", Status.STOPPED: "stop"}
_URGENT = ("stop_harm", "ship", "stop_futile", "continue")


@dataclass(frozen=True, slots=True)
class Health:
    """How a launched campaign is doing: days, customers matured of planned, the split, and what to do in short."""

    days: int
    assigned: int
    matured: int
    planned: int
    is_split_ok: bool | None
    decision: str

    @property
    def share(self) -> int:
        """Matured of planned customers in percent, 100 at most."""
        return min(100, round(100 * self.matured / self.planned))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the audit: a wording key with its values, who and when."""

    key: str
    values: Mapping[str, object]
    actor: str
    at: datetime


def grouped(campaigns: Sequence[SavedCampaign]) -> dict[str, list[SavedCampaign]]:
    """Return the campaigns by group in the order of the page, in each the newest first; only groups that have some."""
    found = {
        group: sorted(
            (one for one in campaigns if one.status in statuses),
            key=lambda one: (statuses.index(Status(one.status)), -one.created_at.timestamp()),
        )
        for group, statuses in GROUPS.items()
    }
    return {group: some for group, some in found.items() if some}


def actions(status: str) -> list[str]:
    """Return what can be done to a campaign of this status from the list: start, pause, stop."""
    possible = TRANSITIONS[Status(status)]
    return [action for wanted, action in ACTIONS.items() if wanted in possible]


def health(services: Services, campaign_id: str, language: str) -> Health | None:
    """Return how a campaign is doing, None where its results cannot be had now."""
    try:
        found: dict[str, Any] = results(services, campaign_id, language)
    except (CampaignNotLaunched, CampaignInvalid, Unavailable):
        return None
    units, decisions = found["units"], [one["decision"] for one in found["verdicts"]]
    split = None if not units["assigned"] else found["hidden_because"] is None
    said = "split" if split is False else next((one for one in _URGENT if one in decisions), "continue")
    return Health(found["running_days"], units["assigned"], units["matured"], units["planned"], split, said)


def audit(changes: Sequence[SavedChange]) -> list[Line]:
    """Return the audit in words, the latest first."""
    return [_line(one) for one in reversed(changes)]


def _line(change: SavedChange) -> Line:
    if change.what == "status":
        return Line(f"audit_{change.after}", {}, change.actor, change.changed_at)
    if change.what == "weights":
        shares = " / ".join(f"{arm} {weight * 100:.3g} %" for arm, weight in change.after.items())
        return Line("audit_weights", {"shares": shares}, change.actor, change.changed_at)
    key = "audit_created" if change.what == "created" else "audit_plan"
    return Line(key, {}, change.actor, change.changed_at)

"""The request and answer bodies of campaigns; a plan's fields are those of `experiments.campaign.Plan`."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from serving.contacts.schemas import Request
from serving.decisions.schemas import Body


class Shipment(Request):
    """Which arm's treatment becomes what everybody gets."""

    arm: Annotated[str, Field(min_length=1, max_length=200)]


class EpochBody(Body):
    """The weights of the arms from a moment on."""

    epoch: int
    weights: dict[str, float]
    began_at: datetime
    reason: str
    actor: str


class ChangeBody(Body):
    """One line of the audit."""

    actor: str
    changed_at: datetime
    what: str
    before: Any
    after: Any


class CampaignBody(Body):
    """A campaign as it stands; `plan_version` names exactly this plan."""

    campaign_id: str
    name: str
    status: str
    plan: dict[str, Any]
    plan_version: str
    author: str
    created_at: datetime
    approver: str | None
    approved_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    shipped_arm: str | None
    epochs: list[EpochBody]
    changes: list[ChangeBody] | None = None
    """The audit, where one campaign was asked for."""


class CampaignList(Body):
    """All campaigns, oldest first."""

    campaigns: list[CampaignBody]


class PitchedBody(Body):
    """An agent's customers of one arm: all, and those to whom an offer of the campaign was pitched."""

    units: int
    pitched: int


class AgentBody(Body):
    """An agent's customers by arm; "" is for customers whom nobody held when they were assigned."""

    agent_id: str
    arms: dict[str, PitchedBody]


class AgentList(Body):
    """All agents with customers of a campaign, those with the most first."""

    agents: list[AgentBody]


class BaselineBody(Body):
    """The primary metric among customers who got in touch lately, as this plan would have measured it."""

    customers: int
    mean: float | None
    standard_deviation: float | None


class ConflictBody(Body):
    """Another campaign that shares customers with this one; `layer_slots` keeps it from being started."""

    campaign_id: str
    name: str
    kind: str
    customers: int | None


class ReachBody(Body):
    """What would be known so many days after a start today: customers matured by then, and the smallest effect shown.

    `…_at_any_look` is for the always-valid interval.
    """

    days: int
    units: int
    smallest_effect: float
    smallest_effect_at_any_look: float | None


class PreviewBody(Body):
    """What a plan would need and could show; null where the event log does not say enough.

    `…_at_any_look` is for the always-valid interval, which may be read at any time and needs more units for that.
    """

    audience: int
    customers: int
    units_a_day: float
    baseline: BaselineBody
    units_needed: int | None
    units_needed_at_any_look: int | None
    days_needed: int | None
    smallest_effect_of_planned_units: float | None
    smallest_effect_at_any_look: float | None
    days_of_planned_units: int | None
    reach: list[ReachBody]
    """By day, as far as it is worth looking ahead; empty where the event log does not say enough."""
    conflicts: list[ConflictBody]


class PriceBody(Body):
    """What one part of the decision earns a customer, with the interval for any look; null where not known yet."""

    arm: str
    arbitration: str
    customers: int
    worth: float | None
    low: float | None
    high: float | None
    control_mean: float | None
    reading: str


class StandingControlsBody(Body):
    """The campaign whose arms leave parts of the decision out; no `parts` before it began, `hidden` by a bad split.

    `plan` is what to send to POST /v1/campaigns to begin.
    """

    campaign: CampaignBody | None
    parts: list[PriceBody]
    hidden: bool
    plan: dict[str, Any]

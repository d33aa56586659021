"""The bodies of a decision as the HTTP API and the consoles show it, said in one language."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

AttributeBody = str | float | int | bool | None


class Body(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True)


class ReasonBody(Body):
    """Why an offer ranks here; contributions add up to the offer's log-odds."""

    code: str
    text: str
    contribution: float


class OfferBody(Body):
    """One ranked offer: what it is, what to say, what it is worth and why."""

    offer_id: str
    position: int
    title: str
    kind: str
    family: str
    talk_track: str
    disclosure: str
    terms: dict[str, AttributeBody]
    relevance: float
    propensity: float
    net_value: float
    priority: float
    selection_probability: float
    signals: dict[str, float | None] = {}
    reasons: list[ReasonBody]
    campaign: str | None = None


class HeldBackBody(Body):
    """An offer not shown, and why not."""

    offer_id: str
    title: str
    code: str
    text: str


class DecisionBody(Body):
    """A decision as the contract words it; `sequence` is its place in the contact's stream."""

    decision_id: str
    contact_id: str
    customer_id: str
    sequence: int
    made_at: datetime
    offers: list[OfferBody]
    held_back: list[HeldBackBody]
    no_offer: bool
    explored_position: int | None = None
    model_version: str
    propensity_version: str = "declared"
    catalogue_version: str
    policy_version: str
    degraded: bool
    degraded_reasons: list[str]
    feature_age_seconds: float | None
    features_missing: list[str] = []


class DecisionSummaryBody(Body):
    """One decision in a list: when, for whom, the titles it suggested in order, and which models made it."""

    decision_id: str
    customer_id: str
    made_at: datetime
    offers: list[str]
    model_version: str
    propensity_version: str
    degraded: bool


class DecisionListBody(Body):
    """Decisions, newest first."""

    decisions: list[DecisionSummaryBody]


class RecordBody(DecisionBody):
    """A decision with what it was made of: everything known, and what the propensity was judged by."""

    signals: dict[str, float | None]
    inputs: dict[str, Any]


class CounterfactualBody(Body):
    """What would have lifted an offer to this position, tried out by deciding again."""

    offer_id: str
    title: str
    change: str
    value: str
    position: int
    text: str


class ExplanationBody(DecisionBody):
    """Why and why not, and what would have been otherwise; `not_tried` says why nothing could be tried out."""

    counterfactuals: list[CounterfactualBody]
    not_tried: str | None = None


class DifferenceBody(Body):
    """One place where the replay says something else than the record."""

    path: str
    stored: Any
    replayed: Any


class ReplayBody(Body):
    """The decision made once more from its record: identical means to the last byte."""

    decision_id: str
    identical: bool
    differences: list[DifferenceBody]
    model_version: str
    propensity_version: str
    catalogue_version: str
    policy_version: str

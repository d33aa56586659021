"""What the engine is asked and what it answers: the situation of a live contact and the decision made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from recsys.domain.contact import Contact, Intent
from recsys.domain.customer import AttributeValue, Customer
from recsys.domain.interaction import HistoryRow, Interaction
from recsys.domain.outcome import PastAnswer


@dataclass(frozen=True, slots=True)
class CampaignArm:
    """The arm of a campaign that a customer is in; `probability` is how likely that was."""

    campaign_id: str
    epoch: int
    arm: str
    probability: float


@dataclass(frozen=True, slots=True)
class CampaignArms:
    """The arms a decision is made in, and the versions that their treatments were applied to."""

    arms: tuple[CampaignArm, ...]
    catalogue_version: str
    policy_version: str


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything known about one customer in one contact at one moment; the engine's whole input.

    `history` and `answers` are in time order, oldest first, with nothing after `made_at`. `features`
    come from the online store and may be stale: `feature_age_seconds` says by how much (`None` when
    nothing was read). `degraded_reasons` name the parts that could not be used. `offered_elsewhere` are the
    offers on the list of another live contact of this customer; `acceptances` is offer → (today, ever) by
    everybody, of the offers whose number is limited. `campaigns` says whose treatments are in the catalogue,
    the policy and the model that the engine is given; it ranks without looking at it. `is_complaint` is whether this
    contact is one, by its reason or a need heard; `complaint_days` how long the open one counts (None: the policy's).
    `elsewhere_channels` is on which channel an offer is `offered_elsewhere`; one not named there is so on this one.
    `served` is the history as the feature store served it, into which what `history` has since is folded (None:
    `history` alone tells), and `profile` the customer's facts from there (None: those of `customer`): both for the
    ranking, never for permission. `features_missing` names the feature views that should have been there and were not.
    `own` is what the bank's own features say, unknown values as None, and `unread` are those that could not be read: a
    rule that names one is not judged. `own_code` is by which code each of them was computed that is. With
    `plain_reasons` reasons say what older records have: no fact by name, and nothing of whether it speaks against.
    """

    decision_id: str
    made_at: datetime
    customer: Customer
    contact: Contact
    intents: tuple[Intent, ...] = ()
    history: tuple[Interaction, ...] = ()
    answers: tuple[PastAnswer, ...] = ()
    open_complaint_since: datetime | None = None
    offered_elsewhere: frozenset[str] = frozenset()
    acceptances: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    features: Mapping[str, AttributeValue] = field(default_factory=dict)
    feature_age_seconds: float | None = None
    degraded_reasons: tuple[str, ...] = ()
    campaigns: CampaignArms | None = None
    is_complaint: bool = False
    complaint_days: int | None = None
    elsewhere_channels: Mapping[str, str] = field(default_factory=dict)
    served: HistoryRow | None = None
    profile: Mapping[str, AttributeValue] | None = None
    features_missing: tuple[str, ...] = ()
    own: Mapping[str, AttributeValue] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    own_code: Mapping[str, str] = field(default_factory=dict)
    plain_reasons: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an offer ranks where it does; `contribution` is its additive share of the log-odds.

    `facts` fill the sentence that `recsys.ranking.explanation` says in the agent's language.
    """

    code: str
    contribution: float
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankedOffer:
    """One offer on the list, best first; `propensity` is P(accepted), money in the bank's currency.

    `selection_probability` is that of this offer at this position, over the draws of exploration. `signals`
    are what the propensity was judged by and differs between offers; the decision has the others.
    """

    offer_id: str
    position: int
    relevance: float
    propensity: float
    net_value: float
    priority: float
    selection_probability: float
    terms: Mapping[str, AttributeValue]
    reasons: tuple[Reason, ...]
    signals: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """The engine's answer; an empty `offers` is a real answer.

    `held_back` is the code of the first reason that stopped an offer → the offers it stopped, `unknown` of an
    offer whose rule could not be judged → the facts that are missing. `explored_position` is where exploration
    put an offer that ranks lower.
    """

    decision_id: str
    made_at: datetime
    customer_id: str
    contact_id: str
    offers: tuple[RankedOffer, ...]
    held_back: Mapping[str, tuple[str, ...]]
    unknown: Mapping[str, str]
    signals: Mapping[str, float | None]
    explored_position: int | None
    model_version: str
    propensity_version: str
    catalogue_version: str
    policy_version: str
    degraded_reasons: tuple[str, ...]
    feature_age_seconds: float | None

    @property
    def has_no_offer(self) -> bool:
        """Whether nothing is worth offering now."""
        return not self.offers

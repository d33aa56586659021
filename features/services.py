"""Which features go together: what a decision reads about a customer, and what is known about an offer."""

from dataclasses import dataclass
from pathlib import Path

from feast import Entity, FeatureService, FeatureView

from features.customer_views import customer_interactions, customer_profile
from features.entities import channel, customer, offer
from features.offer_views import offer_answers, offer_channel_answers


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything `feast apply` registers."""

    customer: Entity
    offer: Entity
    channel: Entity
    customer_profile: FeatureView
    customer_interactions: FeatureView
    offer_answers: FeatureView
    offer_channel_answers: FeatureView
    decision: FeatureService
    offer_evidence: FeatureService

    def all(self) -> list[Entity | FeatureView | FeatureService]:
        """Return them in the order they rest on each other."""
        return [self.customer, self.offer, self.channel, *self.views(), self.decision, self.offer_evidence]

    def views(self) -> list[FeatureView]:
        """Return the feature views alone."""
        return [self.customer_profile, self.customer_interactions, self.offer_answers, self.offer_channel_answers]


def definitions(folder: Path) -> Definitions:
    """Return the definitions over the feature tables below `folder`, with the attributes these have now."""
    profile, interactions, answers = customer_profile(folder), customer_interactions(folder), offer_answers(folder)
    return Definitions(
        customer=customer,
        offer=offer,
        channel=channel,
        customer_profile=profile,
        customer_interactions=interactions,
        offer_answers=answers,
        offer_channel_answers=offer_channel_answers(folder),
        decision=FeatureService(name="decision", features=[profile, interactions]),
        offer_evidence=FeatureService(name="evidence_v1", features=[answers]),
    )

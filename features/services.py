"""Which features go together: what a model is trained on and reads in service, and what is known about an offer."""

from dataclasses import dataclass
from pathlib import Path

from feast import Entity, FeatureService, FeatureView

from features.customer_views import customer_history, customer_interactions, customer_profile
from features.entities import channel, customer, offer
from features.event_views import interaction_events
from features.offer_views import offer_answers, offer_channel_answers
from features.own_definitions import own_view
from features.own_features import NOTHING_OWN, OwnFeatures
from features.service_names import DECISION_SERVICE, EVIDENCE_SERVICE, PROPENSITY_SERVICE, RELEVANCE_SERVICE


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything `feast apply` registers."""

    customer: Entity
    offer: Entity
    channel: Entity
    customer_profile: FeatureView
    customer_interactions: FeatureView
    customer_history: FeatureView
    offer_answers: FeatureView
    interaction_events: FeatureView
    offer_channel_answers: FeatureView
    decision: FeatureService
    offer_evidence: FeatureService
    relevance: FeatureService
    propensity: FeatureService
    own: tuple[FeatureView, ...] = ()

    def all(self) -> list[Entity | FeatureView | FeatureService]:
        """Return them in the order they rest on each other."""
        return [self.customer, self.offer, self.channel, *self.views(), *self.services()]

    def views(self) -> list[FeatureView]:
        """Return the feature views alone."""
        return [
            self.customer_profile,
            self.customer_interactions,
            self.customer_history,
            self.offer_answers,
            self.offer_channel_answers,
            self.interaction_events,
            *self.own,
        ]

    def services(self) -> list[FeatureService]:
        """Return the feature services alone."""
        return [self.decision, self.offer_evidence, self.relevance, self.propensity]


def definitions(folder: Path, events: Path, own: OwnFeatures = NOTHING_OWN) -> Definitions:
    """Return the definitions over the feature tables below `folder`, with the attributes these have now.

    `events` is the export whose interactions are read as they are; `own` is what the bank has added, which goes to
    every model.
    """
    added = [own_view(view, folder) for view in own.views]
    profile, interactions, answers = customer_profile(folder), customer_interactions(folder), offer_answers(folder)
    history = customer_history(folder)
    return Definitions(
        customer=customer,
        offer=offer,
        channel=channel,
        customer_profile=profile,
        customer_interactions=interactions,
        customer_history=history,
        offer_answers=answers,
        offer_channel_answers=offer_channel_answers(folder),
        interaction_events=interaction_events(events),
        decision=FeatureService(
            name=DECISION_SERVICE,
            features=[profile, interactions, history, *added],
            description="What a decision reads of a customer, in one round trip.",
        ),
        offer_evidence=FeatureService(
            name=EVIDENCE_SERVICE,
            features=[answers],
            description="How often each offer was shown, pitched and answered: the base of every chance.",
        ),
        relevance=FeatureService(
            name=RELEVANCE_SERVICE,
            features=[profile, *added],
            description="The facts of a customer that relevance models read beside the interactions.",
        ),
        propensity=FeatureService(
            name=PROPENSITY_SERVICE,
            features=[profile, interactions, *added],
            description="What the chance of acceptance reads of a person.",
        ),
        own=tuple(added),
    )

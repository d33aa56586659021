"""Everything beside the situation that a decision depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from recsys.catalogue import Catalogue
from recsys.domain.decision import Decision, Situation
from recsys.domain.policy import Policy
from recsys.engine import decide
from recsys.models.bundle import Bundle
from recsys.models.propensity_model import PropensityModel


@dataclass(frozen=True, slots=True)
class Basis:
    """The catalogue, the policy and the models that decide, the treatments of campaigns in them.

    `campaign_of` is the campaign whose arm brings or changes an offer, by offer.
    """

    catalogue: Catalogue
    policy: Policy
    model: Bundle | None
    propensity: PropensityModel | None
    campaign_of: Mapping[str, str] = field(default_factory=dict)

    def decide(self, situation: Situation) -> Decision:
        """Return the decision of this situation."""
        return decide(situation, self.catalogue, self.model, self.policy, self.propensity)

"""Everything beside the situation that a decision depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from recsys.catalogue import Catalogue
from recsys.domain.decision import Decision, Situation
from recsys.domain.policy import Policy
from recsys.engine import decide
from recsys.models.bundle import Bundle
from recsys.models.propensity_model import PropensityModel
from recsys.ranking.evidence import OfferEvidence


@dataclass(frozen=True, slots=True)
class Basis:
    """The catalogue, the policy, the models and the evidence that decide, the treatments of campaigns in them.

    `evidence` is None for decisions of before it was named: then the counts in the bundle hold. `campaign_of` is the
    campaign whose arm brings or changes an offer, by offer.
    """

    catalogue: Catalogue
    policy: Policy
    model: Bundle | None
    propensity: PropensityModel | None
    campaign_of: Mapping[str, str] = field(default_factory=dict)
    evidence: OfferEvidence | None = None

    def decide(self, situation: Situation) -> Decision:
        """Return the decision of this situation."""
        return decide(situation, self.catalogue, self.model, self.policy, self.propensity, self.evidence)

"""A rulebook: the offers and the policy that decisions go by, today's or those of a scenario."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue import Catalogue
from recsys.domain.policy import Policy

TODAY = "today"


@dataclass(frozen=True, slots=True)
class Rulebook:
    """One catalogue and one policy, under the name of their scenario."""

    name: str
    catalogue: Catalogue
    policy: Policy

    def are_sales(self, offer_ids: Sequence[str]) -> NDArray[np.bool_]:
        """Return which of the offers count as sales; those that have left the catalogue do."""
        return np.array([self.catalogue.is_sale(offer_id) for offer_id in offer_ids], dtype=bool)

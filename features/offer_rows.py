"""What the online store knows of an offer: the latest row of its answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OfferRow:
    """Counts by feature name as of `moment`: of the whole days (UTC) before it."""

    moment: datetime
    values: Mapping[str, int]

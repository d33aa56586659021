"""The bank's decision policy: every number that arbitration and permission use, in one versioned place."""

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits, weights and values of a decision; any change gives a new `version`.

    Money is in the bank's currency, log-odds weights are additive, durations name their unit.
    A consent that was never asked for counts as its `unasked_…` says (refused always means no).
    """

    list_length: int = 3
    cost_per_second: float = 0.03
    default_margin: float = 100.0
    service_value: float = 40.0
    minimum_priority: float = 0.0

    unasked_marketing_inbound: bool = True
    unasked_marketing_outbound: bool = False
    unasked_profiling: bool = True
    unasked_partner: bool = False

    sales_cap: int = 6
    sales_cap_days: int = 30
    declined_cool_off_days: int = 30
    later_cool_off_days: int = 7
    service_done_days: int = 1
    complaint_open_days: int = 14

    upset_below: float = -0.4
    upset_sales_weight: float = 0.5

    relevance_weight: float = 0.6
    intent_weight: float = 1.5
    sentiment_weight: float = 0.4
    recent_decline_weight: float = -0.15
    recent_declines_at_most: int = 5
    starting_evidence: float = 20.0

    @property
    def version(self) -> str:
        """Name of exactly these numbers: "p-" and 12 hex digits of their SHA-256."""
        return "p-" + hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def answers_needed_days(self) -> int:
        """How far back past answers matter to this policy."""
        return max(self.sales_cap_days, self.declined_cool_off_days, self.later_cool_off_days, self.service_done_days)

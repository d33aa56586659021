"""The bank's decision policy: everything that arbitration and permission go by, in one versioned place."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

from recsys.domain.bank_words import canonical_words, words_of
from recsys.domain.errors import PolicyInvalid
from recsys.domain.vocabulary import Vocabulary

ARBITRATIONS = ("value", "propensity", "no_levers", "random", "eligibility", "nothing")
"""What decides which offers come first: the value of each, or one of the controls that tell what its parts bring."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits, weights and values of a decision; any change gives a new `version`.

    Money is in the bank's currency, log-odds weights are additive, durations name their unit.
    A consent that was never asked for counts as its `unasked_…` says (refused always means no). `vocabulary` is the
    bank's own words as canonical JSON, see `recsys.domain.bank_words`; `words` is what they make of what ships.
    """

    arbitration: str = "value"
    list_length: int = 3
    shortlist_length: int = 50
    cost_per_second: float = 0.03
    default_margin: float = 100.0
    service_value: float = 40.0
    minimum_priority: float = 0.0
    minimum_propensity: float = 0.0

    exploration_share: float = 0.05
    exploring_below_answers: int = 100

    holdout_share: float = 0.0
    holdout_rotation_days: int = 90

    unasked_marketing_inbound: bool = True
    unasked_marketing_outbound: bool = False
    unasked_profiling: bool = True
    unasked_partner: bool = False

    sales_cap: int = 6
    sales_cap_days: int = 30
    channel_cap: int = 5
    channel_cap_days: int = 30
    family_cap: int = 3
    family_cap_days: int = 30
    offer_cap: int = 2
    offer_cap_days: int = 90
    declined_cool_off_days: int = 30
    declined_cool_off_most_days: int = 240
    later_cool_off_days: int = 7
    service_done_days: int = 1
    complaint_open_days: int = 14
    elsewhere_hours: int = 2
    later_accept_days: int = 14

    upset_below: float = -0.4
    upset_sales_weight: float = 0.5

    relevance_weight: float = 0.6
    intent_weight: float = 1.5
    sentiment_weight: float = 0.4
    recent_decline_weight: float = -0.15
    recent_declines_at_most: int = 5
    starting_evidence: float = 20.0

    vocabulary: str = ""

    @property
    def version(self) -> str:
        """Name of exactly these numbers: "p-" and 12 hex digits of their SHA-256."""
        return _version(self)

    @property
    def words(self) -> Vocabulary:
        """The vocabulary in force: what ships with the bank's own words over it."""
        return words_of(self.vocabulary)

    def numbers(self) -> dict[str, Any]:
        """Return everything but the vocabulary by name."""
        return {name: value for name, value in asdict(self).items() if name != "vocabulary"}

    def document(self) -> dict[str, Any]:
        """Return the policy as JSON-able values that `parse_policy` reads back."""
        return {**self.numbers(), "vocabulary": json.loads(self.vocabulary or "{}")}


@lru_cache(maxsize=64)
def _version(policy: Policy) -> str:
    numbers = asdict(policy)
    for field in fields(policy):
        if field.name in _ADDED_LATER and numbers[field.name] == field.default:
            del numbers[field.name]
    return "p-" + hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()[:12]


_ADDED_LATER = frozenset({"arbitration", "holdout_share", "holdout_rotation_days", "vocabulary", "later_accept_days"})
"""Fields that the first policies did not have count where they differ: so versions stay as they were recorded."""
_SHARES = ("minimum_propensity", "exploration_share", "holdout_share")
_MAY_BE_NEGATIVE = frozenset(
    {"service_value", "minimum_priority", "default_margin", "upset_below", "relevance_weight", "intent_weight"}
    | {"sentiment_weight", "recent_decline_weight"}
)
_AT_LEAST_ONE = frozenset({"list_length", "shortlist_length", "holdout_rotation_days"})


def parse_policy(values: Mapping[str, Any], base: Policy | None = None) -> Policy:
    """Return `base` (default: the default policy) with `values` in their place; raises `PolicyInvalid`."""
    known = {field.name: field.type for field in fields(Policy)}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise PolicyInvalid(str(name)[:60], "is not a number of the policy")
        checked[name] = canonical_words(value) if name == "vocabulary" else _checked(name, value, known[name])
    return Policy(**{**asdict(base or Policy()), **checked})


def _checked(name: str, value: object, kind: object) -> bool | int | float | str:
    if kind is str:
        if value not in ARBITRATIONS:
            raise PolicyInvalid(name, f"must be one of {', '.join(ARBITRATIONS)}")
        return str(value)
    if kind is bool:
        if not isinstance(value, bool):
            raise PolicyInvalid(name, "must be true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise PolicyInvalid(name, "must be a number")
    if kind is int and value != int(value):
        raise PolicyInvalid(name, "must be a whole number")
    if name not in _MAY_BE_NEGATIVE and value < (1 if name in _AT_LEAST_ONE else 0):
        raise PolicyInvalid(name, "is too small")
    if name in _SHARES and value > 1:
        raise PolicyInvalid(name, "must be a share from 0 to 1")
    if abs(value) > 1e9:
        raise PolicyInvalid(name, "is too large")
    return int(value) if kind is int else float(value)

"""Whether everybody's features are in the online store: what decisions, /readyz and /metrics call it when not."""

from prometheus_client import Counter, Gauge

FEATURES_UNAVAILABLE = "features_unavailable"
"""The store does not answer."""
FEATURES_MISSING = "features_missing"
"""The store answers, and what should be there is not: emptied, never filled, or behind the event log."""
ADVICE = "run `nbo features materialize`"
FAILED_ADVICE = "mend the sources of these views, then run `nbo features export` and `nbo features materialize`"
LACKING_ADVICE = (
    "declare the features again that rules or the models in service read, or change the rules and promote new models"
)

MISSING = Counter(
    "nbo_features_missing_total", "Decisions made without features that should have been there.", ["view"]
)
MATERIALISED = Gauge(
    "nbo_features_materialised",
    "Whether the online store says that everybody's features are there (1), or was emptied or cannot be asked (0).",
    multiprocess_mode="mostrecent",
)
FUNCTION_ASIDE = Gauge(
    "nbo_own_function_aside",
    "Whether a function of the bank's own features is put aside (1), because it did not return in time.",
    ["function"],
    multiprocess_mode="livemax",
)

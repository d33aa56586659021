"""The names of the feature services, by version, and of the view of all events: a model's manifest names them."""

DECISION_SERVICE = "decision_v1"
EVIDENCE_SERVICE = "evidence_v1"
RELEVANCE_SERVICE = "relevance_v1"
PROPENSITY_SERVICE = "propensity_v1"
EVENTS_VIEW = "interaction_events"

"""The names of the feature services, by version, and of the view of all events: a model's manifest names them."""

RELEVANCE_SERVICE = "relevance_v1"
PROPENSITY_SERVICE = "propensity_v1"
EVENTS_VIEW = "interaction_events"

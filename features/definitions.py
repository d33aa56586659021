"""What the `feast` command line finds: the definitions over the tables below NBO_OFFLINE_PATH or NBO_HOME.

The one module that does something when imported, because that is how `feast apply` works; nothing imports it.
"""

import os
from pathlib import Path

from features.own_discovery import find_declared
from features.own_features import OwnFeatures
from features.services import definitions

_home = Path(os.environ.get("NBO_HOME", "var"))
_offline = Path(os.environ.get("NBO_OFFLINE_PATH") or _home / "offline").absolute()
_attributes = definitions(_offline / "features", _offline / "events").customer_profile.features
_declared = find_declared(
    Path(os.environ["NBO_FEATURES"]) if os.environ.get("NBO_FEATURES") else None,
    [one.name.removeprefix("attr_") for one in _attributes if one.name.startswith("attr_")],
)
_found = definitions(_offline / "features", _offline / "events", OwnFeatures.of_declared(_declared))

customer = _found.customer
offer = _found.offer
channel = _found.channel
customer_profile = _found.customer_profile
customer_interactions = _found.customer_interactions
customer_history = _found.customer_history
offer_answers = _found.offer_answers
offer_channel_answers = _found.offer_channel_answers
decision = _found.decision
offer_evidence = _found.offer_evidence
interaction_events = _found.interaction_events
relevance = _found.relevance
propensity = _found.propensity
globals().update({view.name: view for view in _found.own})

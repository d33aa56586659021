"""What the `feast` command line finds: the definitions over the tables below NBO_OFFLINE_PATH or NBO_HOME.

The one module that does something when imported, because that is how `feast apply` works; nothing imports it.
"""

import os
from pathlib import Path

from features.services import definitions

_home = Path(os.environ.get("NBO_HOME", "var"))
_offline = Path(os.environ.get("NBO_OFFLINE_PATH") or _home / "offline").absolute()
_found = definitions(_offline / "features", _offline / "events")

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

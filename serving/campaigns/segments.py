"""What a campaign's effect is among parts of its customers: exploratory, and hidden while the split check fails."""

from dataclasses import asdict
from typing import Any

from experiments.campaign import Plan
from experiments.chain import check_split
from experiments.estimate import json_values
from experiments.metrics import METRICS, products_for
from experiments.plan_document import stored_plan
from experiments.readout import matured_until
from experiments.segments import Segment, segment_effects
from recsys.domain.errors import CampaignInvalid, CampaignNotLaunched
from recsys.rules import BUILT_IN, ValueType
from recsys.storage.audience_log import CONTACT_FACTS
from recsys.storage.event_log import EventLog
from serving.in_force import vocabulary
from serving.wiring import Services


def segments(services: Services, campaign_id: str, column: str) -> dict[str, Any]:
    """Return the primary effect by the values of a customer column, as the API shows it.

    Raises `CampaignNotFound`, `CampaignNotLaunched`, `CampaignInvalid` with the usable columns for any other one.
    """
    with services.database.read() as log:
        saved = log.campaign(campaign_id)
        if not saved.epochs:
            raise CampaignNotLaunched(campaign_id)
        columns = segment_columns(log)
        if column not in columns:
            raise CampaignInvalid([("by", f"must be one of {', '.join(columns)}")])
        plan = stored_plan(saved.plan)
        checked = check_split(log, saved, plan)
        is_shown = checked.verdict == "ok"
        found = _effects(log, campaign_id, plan, (column, columns[column]), services) if is_shown else []
    document = {
        "by": column,
        "columns": list(columns),
        "metric": plan.primary,
        "exploratory": True,
        "hidden_because": None if is_shown else list(checked.reasons),
        "segments": [asdict(one) for one in found] if is_shown else None,
    }
    told: dict[str, Any] = json_values(document)
    return told


def segment_columns(log: EventLog) -> dict[str, ValueType]:
    """Return the columns of customers by which segments can be made, with their types: all that are no numbers."""
    own = log.own_names()  # the event log has no values of them
    usable = {name: kind for name, kind in vocabulary(log).items() if kind is not ValueType.NUMBER and name not in own}
    order = sorted(usable.keys() - CONTACT_FACTS, key=lambda name: (name != "segment", name not in BUILT_IN, name))
    return {name: usable[name] for name in order}


def _effects(
    log: EventLog, campaign_id: str, plan: Plan, column: tuple[str, ValueType], services: Services
) -> list[Segment]:
    products = products_for(METRICS[plan.primary].outcomes)
    until = matured_until(plan, services.clock(), log.calendar)
    return segment_effects(log.campaign_segment_totals(campaign_id, until, column, products), plan)

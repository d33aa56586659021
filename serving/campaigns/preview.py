"""What a plan would need and could show, and which other campaigns it would share customers with."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from experiments.campaign import LAUNCHED, Plan, Status
from experiments.plan_document import parse_plan, stored_plan
from experiments.treatment import audience_of, check_plan, offers_of
from recsys.catalogue import Catalogue
from recsys.domain.errors import CampaignInvalid, RuleError
from recsys.rules import ValueType, parse_rule
from recsys.rules.vocabulary import Vocabulary
from recsys.storage.campaign_log import SavedCampaign
from recsys.storage.event_log import EventLog
from serving.campaigns.schemas import BaselineBody, ConflictBody, PreviewBody, ReachBody
from serving.campaigns.sizing import baseline, days, reach, smallest_effect, units_a_day, units_needed
from serving.in_force import conventions, uncounted, vocabulary
from serving.wiring import Services

_ASKED_FOR = 2
"""Units of a plan whose number is what the preview is asked for; any number will do."""


def preview(services: Services, document: object) -> PreviewBody:
    """Return what the event log says of a plan, whose planned units may still be open; raises `CampaignInvalid`."""
    is_planned = True
    if isinstance(document, Mapping) and document.get("planned_units") is None:
        document, is_planned = {**document, "planned_units": _ASKED_FOR}, False
    now = services.clock()
    with services.database.read() as log:
        in_force = services.catalogue.current(log), services.policy.current(log)
        plan = parse_plan(document, conventions(log, in_force[1]))
        known = vocabulary(log)
        check_plan(plan, *in_force, known)
        customers = log.customers_count()
        try:
            audience = _size(log, plan.audience, known, in_force[0])
        except RuleError as error:
            raise CampaignInvalid([("audience", error.reason)]) from error
        a_day = units_a_day(log, plan, audience / customers if customers else 0.0, now)
        found = baseline(log, plan, in_force, offers_of(plan, in_force[0]), now)
        conflicts = list(_conflicts(log, plan, in_force[0], known))
    needed = units_needed(plan, found)
    planned = plan.planned_units if is_planned else None
    return PreviewBody(
        audience=audience,
        customers=customers,
        units_a_day=round(a_day, 2),
        baseline=BaselineBody(
            customers=found.customers, mean=_known(found.mean), standard_deviation=_known(found.variance**0.5)
        ),
        units_needed=needed,
        units_needed_at_any_look=units_needed(plan, found, at_any_look=True),
        days_needed=days(plan, needed, a_day),
        smallest_effect_of_planned_units=smallest_effect(plan, found, planned) if planned else None,
        smallest_effect_at_any_look=smallest_effect(plan, found, planned, at_any_look=True) if planned else None,
        days_of_planned_units=days(plan, planned, a_day),
        reach=[ReachBody(**asdict(one)) for one in reach(plan, found, a_day)],
        conflicts=conflicts,
    )


def _size(log: EventLog, rule: str | None, known: Vocabulary, catalogue: Catalogue) -> int:
    if rule is None:
        return log.customers_count()
    not_sales = [offer.offer_id for offer in catalogue.offers if not offer.is_sale]
    parsed = parse_rule(rule, known, ValueType.BOOLEAN)
    if (why := uncounted(log, parsed)) is not None:
        raise RuleError(why)
    return log.audience_size(parsed, not_sales=not_sales)


def _conflicts(log: EventLog, plan: Plan, catalogue: Catalogue, known: Vocabulary) -> Iterator[ConflictBody]:
    """Yield the approved and launched campaigns with which customers are shared, unless a layer keeps them apart."""
    about = offers_of(plan, catalogue)
    for other in log.campaigns():
        if other.status not in LAUNCHED | {Status.APPROVED}:
            continue
        theirs = stored_plan(other.plan)
        if plan.layer and theirs.layer and plan.layer.name == theirs.layer.name:
            if plan.layer.overlaps(theirs.layer):
                yield _conflict(other, "layer_slots", None)
            continue
        shared = _shared(log, (plan, theirs), known, catalogue)
        if shared != 0 and about & offers_of(theirs, catalogue):
            yield _conflict(other, "same_offers", shared)


def _shared(log: EventLog, plans: tuple[Plan, Plan], known: Vocabulary, catalogue: Catalogue) -> int | None:
    """Return how many customers are in both audiences, None where the two rules together are too long to ask."""
    rules = [f"({plan.audience})" for plan in plans if plan.audience is not None and audience_of(plan, known)]
    try:
        return _size(log, " AND ".join(rules) or None, known, catalogue)
    except RuleError:
        return None


def _conflict(other: SavedCampaign, kind: str, customers: int | None) -> ConflictBody:
    name: Any = other.plan["name"]
    return ConflictBody(campaign_id=other.campaign_id, name=name, kind=kind, customers=customers)


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number

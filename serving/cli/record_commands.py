"""`nbo decisions show` and `nbo customer show`: what the event log holds about a decision or a person."""

from typing import Annotated

import orjson
import typer

from recsys.domain.clock import system_clock
from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, emit


def show_decision(
    decision_id: Annotated[str, typer.Argument(help="The decision's id.")], as_json: JsonOption = False
) -> None:
    """Show a stored decision: its inputs, its list with reasons, and what was held back and why."""
    from recsys.storage.database import open_database
    from serving.decisions.rendering import rendered
    from serving.in_force import CatalogueInService

    database = open_database(current_settings().event_log_url)
    with database.read() as log:
        record = log.decision(decision_id)
        body = rendered(record, "en", CatalogueInService().current(log))
    database.close()
    lines = [
        f"decision   {body.decision_id}, {body.made_at:%Y-%m-%d %H:%M:%S} UTC, customer {body.customer_id}",
        f"versions   model {body.model_version}, catalogue {body.catalogue_version}, policy {body.policy_version}",
        *(["degraded   " + ", ".join(body.degraded_reasons)] if body.degraded else []),
    ]
    for offer in body.offers:
        lines.append(f"\n{offer.position}. {offer.title}  ({offer.offer_id})")
        lines.append(f"   priority {offer.priority:.3f} = P {offer.propensity:.3f} × value {offer.net_value:.2f}")
        lines += [f"   {reason.contribution:+.3f}  {reason.text}" for reason in offer.reasons]
    lines.append(f"\nheld back: {len(body.held_back)}")
    lines += [f"   {one.offer_id:<28} {one.text}" for one in body.held_back]
    emit(record, as_json, "\n".join(lines))


def show_customer(
    customer_id: Annotated[str, typer.Argument(help="The customer's id.")], as_json: JsonOption = False
) -> None:
    """Show the single customer view."""
    from recsys.storage.database import open_database
    from serving.contacts.schemas import CustomerBody
    from serving.contacts.situation import look_up
    from serving.contacts.views import customer_json
    from serving.in_force import CatalogueInService

    database = open_database(current_settings().event_log_url)
    with database.read() as log:
        found = customer_json(look_up(log, customer_id, system_clock()), CatalogueInService().current(log), "en")
    body = CustomerBody.model_validate_json(orjson.dumps(found))
    database.close()
    consents = ", ".join(f"{purpose} {_said(given)}" for purpose, given in body.consents.items())
    lines = [
        f"{body.customer_id}  {body.kind}, segment {body.segment or '—'}, risk level {body.risk_level or '—'}",
        f"consents   {consents}",
        "products   " + (", ".join(product.title for product in body.products) or "none"),
        *(f"answered   {past.answered_at:%Y-%m-%d} {past.answer:<10} {past.title}" for past in body.answers),
        *(f"contact    {one.opened_at:%Y-%m-%d %H:%M} {one.channel:<9} {one.reason or ''}" for one in body.contacts),
    ]
    emit(body.model_dump(mode="json"), as_json, "\n".join(lines))


def _said(given: bool | None) -> str:
    return "never asked" if given is None else ("yes" if given else "no")

"""`nbo decisions show` and `nbo customer show`: what the event log holds about a decision or a person."""

from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from recsys.domain.clock import system_clock
from recsys.domain.identifier import parse_identifier
from recsys.domain.protection import FLAGS
from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, emit

if TYPE_CHECKING:
    from serving.customers.schemas import StatementBody


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
    customer_id: Annotated[str, typer.Argument(help="The customer's id.", parser=parse_identifier)],
    as_json: JsonOption = False,
) -> None:
    """Show the single customer view, the flags that hold, and the ledger of flags and consents."""
    from recsys.storage.database import open_database
    from serving.contacts.schemas import CustomerBody
    from serving.contacts.situation import look_up
    from serving.contacts.views import customer_json
    from serving.customers.schemas import ledger_body
    from serving.in_force import CatalogueInService

    database = open_database(current_settings().event_log_url)
    with database.read() as log:
        found = customer_json(look_up(log, customer_id, system_clock()), CatalogueInService().current(log), "en")
        ledger = ledger_body(customer_id, log.statements(customer_id))
    body = CustomerBody.model_validate_json(orjson.dumps(found))
    database.close()
    consents = ", ".join(f"{purpose} {_said(given)}" for purpose, given in body.consents.items())
    lines = [
        f"{body.customer_id}  {body.kind}, segment {body.segment or '—'}, risk level {body.risk_level or '—'}",
        "flags      " + (", ".join(name for name in FLAGS if getattr(body, name)) or "none"),
        f"consents   {consents}",
        "products   " + (", ".join(product.title for product in body.products) or "none"),
        *(f"answered   {past.answered_at:%Y-%m-%d} {past.answer:<10} {past.title}" for past in body.answers),
        *(f"contact    {one.opened_at:%Y-%m-%d %H:%M} {one.channel:<9} {one.reason or ''}" for one in body.contacts),
        *(["ledger     newest first; * in force"] if ledger.statements else []),
        *map(_line, ledger.statements),
    ]
    protections = ledger.model_dump(mode="json")["statements"]
    emit({**body.model_dump(mode="json"), "protections": protections}, as_json, "\n".join(lines))


def _line(one: "StatementBody") -> str:
    since = f"since {one.as_of:%Y-%m-%d %H:%M}" if one.as_of else "no date"
    told = f"{one.recorded_at:%Y-%m-%d %H:%M} by {one.actor or one.source}"
    why = f": {one.why}" if one.why else ""
    return f"  {'*' if one.in_force else ' '} {one.subject:<22} {'yes' if one.value else 'no':<4} {since}, {told}{why}"


def _said(given: bool | None) -> str:
    return "never asked" if given is None else ("yes" if given else "no")

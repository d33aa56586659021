"""A rule while it is being written: what is wrong with it and where, or how many customers it is true for and who."""

from typing import Any

from recsys.domain.errors import RuleError
from recsys.rules import Rule, ValueType, parse_rule
from recsys.rules.vocabulary import Vocabulary
from recsys.storage.audience_log import CONTACT_FACTS
from recsys.storage.event_log import EventLog
from serving.decisions.schemas import Body
from serving.in_force import uncounted, vocabulary
from serving.offers.schemas import DifferenceBody
from serving.wiring import Services

SAMPLES = 3


class SampleBody(Body):
    """A customer whom a rule is true for, with what the rule asks about them; null where that is unknown."""

    customer_id: str
    name: str | None
    facts: dict[str, Any]


class Validation(Body):
    """Whether it could be saved, what is in the way, and what would then differ from the catalogue in service.

    `audience` says of a valid rule how many of all `customers` it is true for, `samples` names some of them; null
    for an offer, for a rule that asks about the contact, which no customer has by itself, and for one that names
    features of the bank's own, which are not in the event log.
    """

    valid: bool
    problems: list[dict[str, Any]]
    audience: int | None = None
    customers: int | None = None
    samples: list[SampleBody] | None = None
    differences: tuple[DifferenceBody, ...] = ()


class RuleName(Body):
    """A name that rules may use, the type of its values, and whether it is about the contact or the customer."""

    name: str
    type: str
    about: str


def rule_names(log: EventLog) -> list[RuleName]:
    """Return every name that a rule may use, in alphabetical order."""
    return [
        RuleName(name=name, type=kind, about="contact" if name in CONTACT_FACTS else "customer")
        for name, kind in sorted(vocabulary(log).items())
    ]


def check_rule(services: Services, text: str, *, about_customer: bool = False) -> Validation:
    """Return what can be said of a condition; one `about_customer` may not ask about the contact."""
    with services.database.read() as log:
        known = vocabulary(log)
        try:
            rule = parse_rule(text, _of_customers(known) if about_customer else known, ValueType.BOOLEAN)
        except RuleError as error:
            problem = {"field": "rule", "reason": error.reason, "line": error.line, "column": error.column}
            return Validation(valid=False, problems=[problem])
        if rule.names & CONTACT_FACTS or uncounted(log, rule):
            return Validation(valid=True, problems=[])
        return _counted(services, log, rule)


def _of_customers(known: Vocabulary) -> Vocabulary:
    return {name: kind for name, kind in known.items() if name not in CONTACT_FACTS}


def _counted(services: Services, log: EventLog, rule: Rule) -> Validation:
    not_sales = [offer.offer_id for offer in services.catalogue.current(log).offers if not offer.is_sale]
    found = log.audience_samples(rule, SAMPLES, not_sales)
    return Validation(
        valid=True,
        problems=[],
        audience=log.audience_size(rule, not_sales=not_sales),
        customers=log.customers_count(),
        samples=[SampleBody(customer_id=one.customer_id, name=one.name, facts=dict(one.facts)) for one in found],
    )

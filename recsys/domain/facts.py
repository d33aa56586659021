"""What is known of a customer or an offer, as plain values by name: what models learn from beside interactions."""

from collections.abc import Collection, Mapping

from recsys.domain.customer import AttributeValue, Customer
from recsys.domain.offer import Offer

FactValue = AttributeValue
Facts = Mapping[str, AttributeValue | Collection[str]]


def customer_facts(customer: Customer) -> dict[str, AttributeValue]:
    """Return the facts that models may use, by the names they have in rules; protection flags are none of them."""
    return {
        **customer.attributes,
        "kind": customer.kind.value,
        "language": customer.language,
        "segment": customer.segment,
        "risk_level": customer.risk_level,
    }


def offer_facts(offer: Offer) -> dict[str, AttributeValue | Collection[str]]:
    """Return the facts by which a new offer resembles older ones; nothing that differs by customer or moment."""
    return {
        "kind": offer.kind.value,
        "family": offer.family,
        "risk_level": offer.risk_level,
        "margin": offer.margin,
        "handling_seconds": offer.handling_seconds,
        "channels": offer.channels,
        "intents": offer.intents,
    }

"""What features describe: a customer, by the bank's opaque id, and an offer."""

from feast import Entity
from feast.value_type import ValueType

customer = Entity(
    name="customer",
    join_keys=["customer_id"],
    value_type=ValueType.STRING,
    description="A person the contact centre serves, by the opaque id the bank uses.",
)
offer = Entity(
    name="offer",
    join_keys=["offer_id"],
    value_type=ValueType.STRING,
    description="One entry of the catalogue.",
)

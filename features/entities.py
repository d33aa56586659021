"""What features describe: a customer, by the bank's opaque id, an offer, and a channel."""

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
channel = Entity(
    name="channel",
    join_keys=["channel"],
    value_type=ValueType.STRING,
    description="Where a contact takes place: one that ships, or one of the bank's own.",
)

"""The names a rule may use and the type of each."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from recsys.domain.protection import DELIVERED_FLAGS


class ValueType(StrEnum):
    """What a name stands for or an expression gives; every type includes NULL."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"


Vocabulary = Mapping[str, ValueType]

BUILT_IN: Vocabulary = MappingProxyType(
    {
        "kind": ValueType.TEXT,
        "language": ValueType.TEXT,
        "segment": ValueType.TEXT,
        "channel": ValueType.TEXT,
        "direction": ValueType.TEXT,
        "risk_level": ValueType.NUMBER,
        "sentiment": ValueType.NUMBER,
        "held_count": ValueType.NUMBER,
        **dict.fromkeys(DELIVERED_FLAGS, ValueType.BOOLEAN),
    }
)

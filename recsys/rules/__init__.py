"""The one rule language: boolean and value SQL expressions, checked when saved and fast when decided."""

from recsys.rules.rule import Rule, parse_rule
from recsys.rules.vocabulary import BUILT_IN, ValueType

__all__ = ["BUILT_IN", "Rule", "ValueType", "parse_rule"]

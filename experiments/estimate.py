"""An estimated effect with its two intervals: for one look at the planned end, and for looks at any time."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed before the first outcome: the two-sided level α, and the units planned over all arms."""

    planned_n: int
    alpha: float = 0.05


@dataclass(frozen=True, slots=True)
class FixedInterval:
    """For a single look at the planned end; an infinite bound is one that the data do not give."""

    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class AlwaysValidInterval:
    """For looks at any time, as often as wanted; an infinite bound is one that the data do not give."""

    low: float
    high: float
    p_value: float
    planned_n: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """An effect, treatment against control, in the metric's unit or as a share of the control's mean."""

    estimate: float
    standard_error: float
    fixed: FixedInterval
    always_valid: AlwaysValidInterval

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as the contract writes it; bounds that are not there are null."""
        document: dict[str, Any] = json_values(asdict(self))
        return document


def json_values(value: Any) -> Any:
    """Return the value with None where JSON has no number: for what is infinite or not a number."""
    if isinstance(value, Mapping):
        return {key: json_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value

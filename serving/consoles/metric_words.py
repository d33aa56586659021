"""How a campaign's metrics read to a marketer: their names, their units, and amounts of them."""

from collections.abc import Mapping

from experiments.comparison import MetricKind
from experiments.metrics import METRICS
from serving.campaigns.words import METRIC_NAMES
from serving.consoles import formats
from serving.consoles.wording import WORDING, Say

SHARES = frozenset({name for name, metric in METRICS.items() if metric.kind is MetricKind.BINARY} | {"acceptance_rate"})
"""Metrics whose amounts are shown and typed in percent."""
SMALLEST_EFFECTS: Mapping[str, float] = {
    "accepted": 0.01, "sold": 0.01, "sales": 0.02, "acceptances": 0.02, "value": 5.0, "acceptance_rate": 0.02,
    "declined": 0.01, "csat": 0.05, "complained": 0.005, "handling_seconds": 10.0, "contacts": 0.05,
}  # fmt: skip
"""Where a plan begins: the smallest effect worth having, until somebody says what it is."""
MARGINS: Mapping[str, float] = {name: 2 * effect for name, effect in SMALLEST_EFFECTS.items()} | {
    "csat": 0.1, "complained": 0.005,
}  # fmt: skip
"""By how much a guardrail may get worse, until somebody says so."""
_UNITS = {"value": "unit_cny", "csat": "unit_stars", "handling_seconds": "unit_seconds"}


def metric_name(metric: str, language: str) -> str:
    """Return what a metric is called."""
    return METRIC_NAMES[metric][language]


def unit(metric: str) -> str:
    """Return the wording key of the unit that amounts of a metric are typed in."""
    return "unit_points" if metric in SHARES else _UNITS.get(metric, "unit_count")


def typed(metric: str, amount: float) -> str:
    """Return an amount as it stands in a form: in percent for a share."""
    shown = amount * 100 if metric in SHARES else amount
    return f"{shown:.4f}".rstrip("0").rstrip(".")


def amount_of(metric: str, text: str) -> object:
    """Return the amount that was typed, or the text itself where it is no number, for the service to refuse."""
    try:
        number = float(text.replace("%", "").replace("¥", "").replace(",", "").strip())
    except ValueError:
        return text
    return number / 100 if metric in SHARES else number


def level(metric: str, amount: float, say: Say) -> str:
    """Return a metric's level with its unit, as in "8.3 %"."""
    return formats.percent(amount) if metric in SHARES else _with_unit(metric, amount, say)


def change(metric: str, amount: float, say: Say) -> str:
    """Return a difference of a metric with its unit, as in "1.2 points"."""
    return _with_unit(metric, amount * 100 if metric in SHARES else amount, say)


def _with_unit(metric: str, amount: float, say: Say) -> str:
    digits = 0 if abs(amount) >= 100 else 1 if abs(amount) >= 1 else 2
    shown = f"{amount:,.{digits}f}"
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    key = unit(metric)
    return say(f"{key}_one" if shown == "1" and f"{key}_one" in WORDING else key, n=shown)

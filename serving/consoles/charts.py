"""The document that a chart is drawn from, and its figures as the table that stands beside every chart."""

from collections.abc import Iterator, Sequence
from typing import Literal, NotRequired, TypedDict

from serving.consoles.wording import Say

Unit = Literal["percent", "points", "number"]
"""Shares of 1 shown in percent, differences of shares shown in percentage points with their sign, and plain numbers."""


class Series(TypedDict):
    """One line or set of bars, None where nothing is known; `low` and `high` are intervals around it.

    The interval is a band, of a dashed line two dashed bounds, of a single point or single set of bars strokes.
    """

    name: str
    y: Sequence[float | None]
    low: NotRequired[Sequence[float | None]]
    high: NotRequired[Sequence[float | None]]
    dashed: NotRequired[bool]


class Mark(TypedDict):
    """A dotted line across the chart at a value of one axis."""

    axis: Literal["x", "y"]
    at: float | str
    name: str


class Chart(TypedDict):
    """What to draw; x are texts, ISO dates or numbers by `x_kind`; `zero`: the vertical axis reaches down to 0.

    `description` is what a screen reader says instead of the drawing.
    """

    kind: Literal["lines", "bars"]
    x: Sequence[str | float]
    x_kind: Literal["category", "time", "value"]
    x_name: str
    y_name: str
    unit: Unit
    zero: bool
    series: Sequence[Series]
    marks: NotRequired[Sequence[Mark]]
    description: str


def is_empty(chart: Chart) -> bool:
    """Return whether there is nothing to draw."""
    return all(value is None for one in chart["series"] for value in (*one["y"], *one.get("low", ())))


def rows(chart: Chart, say: Say) -> Iterator[tuple[str, list[str]]]:
    """Yield each place on the horizontal axis with every series' value and interval there."""
    for place, x in enumerate(chart["x"]):
        yield _place(x), [_cell(one, place, chart["unit"], say) for one in chart["series"]]


def figure(value: float | None, unit: Unit, say: Say) -> str:
    """Return a value in its unit with about three digits, "–" where it is unknown."""
    if value is None:
        return "–"
    if unit == "number":
        return f"{value:,.{_decimals(value)}f}"
    value *= 100
    sign = "+" if unit == "points" and value > 0 else ""
    return f"{sign}{value:,.{_decimals(value)}f} {'%' if unit == 'percent' else say('points')}"


def _cell(series: Series, place: int, unit: Unit, say: Say) -> str:
    value = figure(series["y"][place], unit, say)
    low, high = series.get("low", ()), series.get("high", ())
    if not low or not high or low[place] is high[place] is None:
        return value
    return f"{value} [{figure(low[place], unit, say)}, {figure(high[place], unit, say)}]"


def _place(x: str | float) -> str:
    if isinstance(x, str):
        return x
    return f"{x:,.{_decimals(x)}f}"


def _decimals(value: float) -> int:
    size = abs(value)
    if size >= 100 or value == round(value):
        return 0
    return next(digits for digits, least in ((1, 10.0), (2, 1.0), (3, 0.1), (5, 0.0)) if size >= least)

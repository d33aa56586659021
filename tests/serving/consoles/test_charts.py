"""The table that stands beside a chart, and when there is nothing to draw."""

from typing import Any

import pytest

from serving.consoles.charts import Chart, Unit, figure, is_empty, rows
from serving.consoles.wording import speaker

SAY = speaker("en")


def a_chart(**changes: Any) -> Chart:
    words = {"x_name": "Day", "y_name": "Effect", "description": "What it shows."}
    kinds = {"kind": "lines", "x": ["a", "b"], "x_kind": "category", "unit": "points", "zero": True}
    chart: Chart = {**words, **kinds, "series": [{"name": "one", "y": [0.01, None]}], **changes}  # type: ignore[typeddict-item]
    return chart


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, "percent", "–"),
        (0.1234, "percent", "12.3 %"),
        (-0.0203, "points", "-2.03 pp"),
        (0.0203, "points", "+2.03 pp"),
        (0.0, "points", "0 pp"),
        (12345.6, "number", "12,346"),
        (0.00123, "number", "0.00123"),
        (2.0, "number", "2"),
    ],
)
def test_a_figure_has_its_unit_and_about_three_digits(value: float | None, unit: Unit, said: str) -> None:
    assert figure(value, unit, SAY) == said


def test_the_table_has_every_series_with_its_interval_at_every_place() -> None:
    series = [
        {"name": "one", "y": [0.01, None], "low": [-0.02, None], "high": [0.04, None]},
        {"name": "two", "y": [0, 1]},
    ]
    assert list(rows(a_chart(series=series), SAY)) == [
        ("a", ["+1 pp [-2 pp, +4 pp]", "0 pp"]),
        ("b", ["–", "+100 pp"]),
    ]


def test_a_chart_without_any_known_value_is_empty() -> None:
    assert is_empty(a_chart(x=[], series=[]))
    assert is_empty(a_chart(series=[{"name": "one", "y": [None, None]}]))
    assert not is_empty(a_chart())

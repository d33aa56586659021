"""Charts in a real browser: drawn where the figures say, also below 0, in either theme, with gaps and single points."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader
from playwright.sync_api import Page

from serving import consoles
from serving.consoles import charts
from serving.consoles.wording import speaker
from tests.journeys.agent_page import axe_violations, browser, complaints, open_page

__all__ = ["browser", "complaints", "open_page"]

Opener = Callable[..., Page]
DAYS = ["2026-11-01", "2026-11-02", "2026-11-03"]


def a_chart(**changes: Any) -> Any:
    series = {"name": "Effect", "y": [2.0, 2.0, 2.0], "low": [-7.0, -7.0, -7.0], "high": [12.0, 12.0, 12.0]}
    words = {"x_name": "Day", "y_name": "Effect", "description": "The effect lies between -7 and 12."}
    kinds = {"kind": "lines", "x": DAYS, "x_kind": "time", "unit": "number", "zero": True}
    return {**words, **kinds, "series": [series], **changes}


def as_html(document: Any) -> str:
    """Return the chart as a page of the consoles has it."""
    folder = Path(consoles.__file__).parent / "templates"
    template = Environment(loader=FileSystemLoader(folder), autoescape=True).from_string(
        "{% from '_chart.html' import chart with context %}{{ chart('tried', document, 'Effect') }}"
    )
    return template.render(document=document, charts=charts, say=speaker("en"))


def put(page: Page, document: Any) -> None:
    """Put the chart on a page that has none."""
    page.evaluate("html => { document.querySelector('main').innerHTML = html; }", as_html(document))


def draw(page: Page, document: Any) -> None:
    """Put the chart on a page that has none and wait until it is drawn."""
    put(page, document)
    page.evaluate(
        """() => new Promise((done) => document.head.append(Object.assign(
            document.createElement("link"), { rel: "stylesheet", href: "/static/charts.css", onload: done })))"""
    )
    page.add_script_tag(url="/static/vendor/echarts.min.js")
    page.add_script_tag(url="/static/charts.js")
    page.locator("#tried-drawing svg").wait_for()
    page.wait_for_timeout(400)  # the animation has ended


def value_scale(page: Page) -> Callable[[float], float]:
    """Return what turns a value into pixels from the page's top, read off the axis labels as a reader does."""
    found: list[tuple[str, float]] = page.evaluate(
        """() => [...document.querySelectorAll("#tried-drawing svg text[text-anchor=end]")].map((text) => {
            const box = text.getBoundingClientRect();
            return [text.textContent, box.top + box.height / 2];
        })"""
    )
    ticks = sorted((float(text), at) for text, at in found if re.fullmatch(r"-?\d+(\.\d+)?", text))
    (low, bottom), (high, top) = ticks[0], ticks[-1]
    return lambda value: bottom + (value - low) * (top - bottom) / (high - low)


def shapes(page: Page, condition: str) -> list[dict[str, float]]:
    """Return the boxes of the drawn paths for which a condition about `path` holds."""
    boxes: list[dict[str, float]] = page.evaluate(
        f"""() => [...document.querySelectorAll("#tried-drawing svg path")]
            .filter((path) => {condition}).map((path) => {{
                const {{ top, bottom, left, right }} = path.getBoundingClientRect();
                return {{ top, bottom, left, right }};
            }})"""
    )
    return boxes


@pytest.mark.parametrize(("x", "x_kind"), [(DAYS, "time"), ([0, 50, 90], "value"), (["a", "b", "c"], "category")])
def test_a_band_from_minus_7_to_12_is_drawn_from_minus_7_to_12(open_page: Opener, x: Any, x_kind: str) -> None:
    page = open_page("/marketing/catalogue")
    draw(page, a_chart(x=x, x_kind=x_kind))
    at = value_scale(page)
    (band,) = shapes(page, "path.getAttribute('fill-opacity') === '0.18'")
    assert [band["top"], band["bottom"]] == pytest.approx([at(12), at(-7)], abs=2)
    assert band["bottom"] - at(0) > 20


def test_the_interval_of_a_single_point_is_a_stroke_over_its_whole_length(open_page: Opener) -> None:
    page = open_page("/marketing/catalogue")
    series = {"name": "Effect", "y": [None, 2.0, None], "low": [None, -7.0, None], "high": [None, 12.0, None]}
    draw(page, a_chart(series=[series]))
    at = value_scale(page)
    seen = "path.getAttribute('stroke-opacity') !== '0'"
    drawn = shapes(page, f"{seen} && path.getBoundingClientRect().width < 3")
    (upright,) = [one for one in drawn if one["bottom"] - one["top"] > 20]
    assert [upright["top"], upright["bottom"]] == pytest.approx([at(12), at(-7)], abs=2)


def test_a_gap_is_left_where_nothing_is_known(open_page: Opener) -> None:
    page = open_page("/marketing/catalogue")
    draw(page, a_chart(x=["a", "b", "c", "d", "e"], x_kind="category", series=[{"name": "a", "y": [1, 2, None, 2, 1]}]))
    (drawn,) = page.evaluate(
        """() => [...document.querySelectorAll("#tried-drawing svg path")]
            .filter((path) => path.getAttribute("stroke-width") === "2").map((path) => path.getAttribute("d"))"""
    )
    assert drawn.count("M") == 2


def test_bars_reach_from_zero_to_their_value(open_page: Opener) -> None:
    page = open_page("/marketing/catalogue")
    series = [{"name": "control", "y": [100, 0]}, {"name": "new", "y": [80, 40]}]
    draw(page, a_chart(kind="bars", x=["Assigned", "Pitched"], x_kind="category", series=series))
    at = value_scale(page)
    tints = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--chart-2').trim()")
    drawn = shapes(page, f"path.getAttribute('fill') === '{tints}'")
    assert [one["top"] for one in drawn] == pytest.approx([at(80), at(40)], abs=2)
    assert [one["bottom"] for one in drawn] == pytest.approx([at(0), at(0)], abs=2)


def test_a_chart_takes_the_colours_of_the_theme_and_the_width_of_its_place(open_page: Opener) -> None:
    page = open_page("/marketing/catalogue")
    draw(page, a_chart())

    def tint() -> tuple[int, str]:
        wanted = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--chart-1').trim()")
        return len(shapes(page, f"path.getAttribute('stroke') === '{wanted}'")), wanted

    before = tint()
    page.locator("[data-theme-toggle]").click()
    page.wait_for_timeout(400)
    after = tint()
    assert before[0] == after[0] > 0
    assert before[1] != after[1]
    page.set_viewport_size({"width": 320, "height": 700})
    page.wait_for_timeout(400)
    assert page.locator("#tried-drawing svg").bounding_box()["width"] < 320  # type: ignore[index]
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chart_is_described_and_tabled_and_offends_no_policy(
    open_page: Opener, complaints: list[str], scheme: str
) -> None:
    page = open_page("/marketing/catalogue", color_scheme=scheme)
    draw(page, a_chart(marks=[{"axis": "y", "at": 0, "name": ""}, {"axis": "x", "at": "2026-11-09", "name": "end"}]))
    page.get_by_role("img", name="The effect lies between -7 and 12.").hover()
    page.wait_for_timeout(300)
    page.get_by_text("Figures as a table").click()
    assert page.locator("#tried-figures tbody tr").first.inner_text().split("\t") == ["2026-11-01", "2 [-7, 12]"]
    assert axe_violations(page) == []
    assert complaints == []


def test_nothing_to_draw_is_said(open_page: Opener) -> None:
    page = open_page("/marketing/catalogue")
    put(page, a_chart(x=[], series=[{"name": "a", "y": []}]))
    assert page.locator("#tried .chart-empty").inner_text() == "Nothing to draw yet."

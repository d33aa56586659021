"""The pictures of a campaign, in two languages and two themes."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from experiments.plots import THEMES, Colours, EffectOverTime, EffectWords, QiniWords, draw_effect, draw_qini
from experiments.uplift import qini

ENGLISH = EffectWords(
    title="Acceptance, treatment minus control",
    at="days since launch",
    effect="effect, percentage points",
    estimate="Estimate",
    always_valid="Always-valid 95 % interval: may be read on any day",
    fixed="Fixed-horizon 95 % interval: misleading before the planned end",
    horizon="planned end",
)
CHINESE = EffectWords(
    title="接受率：实验组减对照组",
    at="上线天数",
    effect="效果（百分点）",
    estimate="估计值",
    always_valid="始终有效的 95 % 区间：任何一天都可以读",
    fixed="固定样本 95 % 区间：计划结束前会误导",
    horizon="计划结束",
)
QINI = QiniWords("Who is moved", "share treated", "gain per customer", "By rank", "95 % interval", "At random")


def an_effect(looks: int = 21) -> EffectOverTime:
    days = np.arange(1.0, looks + 1)
    estimate, half = 1 + np.sin(days) / days, 9 / np.sqrt(days)
    low, high = estimate - half, estimate + half
    return EffectOverTime(days, estimate, low, high, estimate - half / 1.5, estimate + half / 1.5, horizon=28)


def draw(directory: Path) -> None:
    curve = qini(np.arange(40.0) % 7, np.arange(40.0), np.random.default_rng(0), resamples=20)
    for theme in THEMES:
        draw_effect(an_effect(), ENGLISH, directory / f"effect_{theme}", theme)
        draw_qini(curve, QINI, directory / f"qini_{theme}", theme)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pictures")
    draw(directory)
    return directory


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1–21 (WCAG 2.2)."""
    levels = []
    for colour in (one, other):
        parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        levels.append(float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)
    return max(levels) / min(levels)


def test_every_picture_is_there_as_png_and_as_svg(pictures: Path) -> None:
    names = {f"{picture}_{theme}.{kind}" for picture in ("effect", "qini") for theme in ("light", "dark")
             for kind in ("png", "svg")}  # fmt: skip
    assert {path.name for path in pictures.iterdir()} == names
    assert imread(pictures / "effect_light.png").shape[:2] == (768, 1200)


def test_the_same_figures_give_the_same_bytes(pictures: Path, tmp_path: Path) -> None:
    for path in draw_effect(an_effect(), ENGLISH, tmp_path / "effect_light"):
        assert path.read_bytes() == (pictures / path.name).read_bytes()


@pytest.mark.parametrize("words", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_every_word_of_the_caller_stands_in_the_picture_as_text(words: EffectWords, tmp_path: Path) -> None:
    svg, *_ = draw_effect(an_effect(), words, tmp_path / "effect")
    text = svg.read_text(encoding="utf-8")
    assert [word for word in (getattr(words, name) for name in words.__slots__) if word not in text] == []


def test_a_picture_with_characters_that_no_font_has_is_an_svg_alone(tmp_path: Path) -> None:
    """A PNG would show boxes; a browser finds fonts of its own for the SVG."""
    nowhere = replace(ENGLISH, title="\U000f0000 Acceptance")
    assert [path.name for path in draw_effect(an_effect(), nowhere, tmp_path / "a.b")] == ["a.b.svg"]
    assert not (tmp_path / "a.b.png").exists()


@pytest.mark.parametrize("theme", list(THEMES.values()), ids=list(THEMES))
def test_words_and_lines_stand_out_from_the_page(theme: Colours) -> None:
    assert min(contrast(theme.page, words) for words in (theme.ink, theme.muted)) >= 4.5
    assert min(contrast(theme.page, line) for line in (theme.main, theme.warning)) >= 3


def test_each_theme_fills_its_page(pictures: Path) -> None:
    for name, colours in THEMES.items():
        corner = imread(pictures / f"effect_{name}.png")[0, 0, :3] * 255
        assert "#" + "".join(f"{round(part):02x}" for part in corner) == colours.page


def test_the_wide_early_band_does_not_flatten_the_rest(tmp_path: Path) -> None:
    calm = an_effect()
    wild = replace(calm, low=np.where(calm.at < 3, -1e4, calm.low), high=np.where(calm.at < 3, np.inf, calm.high))
    svg, *_ = draw_effect(wild, ENGLISH, tmp_path / "wild")
    assert "10000" not in svg.read_text(encoding="utf-8").replace(",", "")


def test_one_look_and_looks_without_an_interval_can_be_drawn(tmp_path: Path) -> None:
    nothing = np.full(21, np.nan)
    unknown = replace(an_effect(), low=nothing, high=nothing, fixed_low=nothing, fixed_high=nothing)
    for name, effect in (("one", an_effect(1)), ("unknown", unknown)):
        assert len(draw_effect(effect, ENGLISH, tmp_path / name)) == 2


def test_the_words_do_not_lie_upon_each_other(pictures: Path) -> None:
    """Lines of the key stand a line apart, below the axis."""
    text = (pictures / "effect_light.svg").read_text(encoding="utf-8")
    words = (ENGLISH.at, ENGLISH.estimate, ENGLISH.always_valid, ENGLISH.fixed)
    places = [float(re.search(rf'y="([\d.]+)"[^>]*>{re.escape(word)}<', text).group(1)) for word in words]  # type: ignore[union-attr]
    assert all(below - above > 10 for above, below in pairwise(places))


def test_shares_can_be_drawn_in_percentage_points_and_many_units_are_easily_read(tmp_path: Path) -> None:
    shares = {name: getattr(an_effect(), name) / 100 for name in ("estimate", "low", "high", "fixed_low", "fixed_high")}
    effect = replace(an_effect(), **shares, at=an_effect().at * 1_000, horizon=28_000)
    svg, *_ = draw_effect(effect, ENGLISH, tmp_path / "points", in_points=True)
    text = svg.read_text(encoding="utf-8")
    assert [tick for tick in (">−2<", ">0<", ">4<", ">20,000<") if tick not in text] == []

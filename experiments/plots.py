"""The pictures of a campaign: the effect as it became known, and the Qini curve; PNG and SVG, light and dark."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments.arm_totals import FloatArray
from experiments.estimate import Estimate
from experiments.uplift import Qini

Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of a theme; `warning` is that of lines which are easily misread."""

    page: str
    ink: str
    muted: str
    grid: str
    main: str
    warning: str


THEMES: dict[Theme, Colours] = {
    "light": Colours("#ffffff", "#1a1d21", "#5f6670", "#e3e6ea", "#0072b2", "#b84a00"),
    "dark": Colours("#15181d", "#eceef1", "#a3abb6", "#31363e", "#56b4e9", "#e69f00"),
}
"""Blue and orange are told apart by the colour-blind (Okabe, Ito 2008); lines differ in their dashes too."""

_FONTS = (
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Hiragino Sans GB",
    "Microsoft YaHei", "WenQuanYi Micro Hei", "SimHei", "Noto Sans CJK JP",
)  # fmt: skip
"""Each gives the characters that those before it lack."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectOverTime:
    """The effect at n looks, each array (n,), `at` growing: days or units; `horizon` is on the same scale.

    `low` and `high` are the always-valid interval, `fixed_low` and `fixed_high` that of the fixed horizon; what is not
    finite is not drawn.
    """

    at: FloatArray
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    fixed_low: FloatArray
    fixed_high: FloatArray
    horizon: float

    @classmethod
    def of(cls, at: Sequence[float], effects: Sequence[Estimate], horizon: float) -> "EffectOverTime":
        """Return the effects as they were known at each look."""
        columns = [
            (one.estimate, one.always_valid.low, one.always_valid.high, one.fixed.low, one.fixed.high)
            for one in effects
        ]
        estimate, low, high, fixed_low, fixed_high = np.array(columns, dtype=np.float64).T
        return cls(np.array(at, dtype=np.float64), estimate, low, high, fixed_low, fixed_high, float(horizon))


@dataclass(frozen=True, slots=True)
class EffectWords:
    """All that is written in the picture of an effect over time, in the reader's language.

    `fixed` is to warn that this interval holds at the horizon alone.
    """

    title: str
    at: str
    effect: str
    estimate: str
    always_valid: str
    fixed: str
    horizon: str


@dataclass(frozen=True, slots=True)
class QiniWords:
    """All that is written in the picture of a Qini curve, in the reader's language."""

    title: str
    share: str
    gain: str
    ranked: str
    interval: str
    at_random: str


def draw_effect(
    effect: EffectOverTime, words: EffectWords, path: Path, theme: Theme = "light", *, in_points: bool = False
) -> tuple[Path, ...]:
    """Draw the estimate in its always-valid band as `path`.svg and .png; return the files written.

    `in_points` labels the axis of shares with percentage points, which the words then are to say.
    The PNG is left out when no font on this machine has all the characters; browsers find their own for the SVG.
    """
    colours = THEMES[theme]
    written: list[Path] = []
    with _figure(path, " ".join(asdict(words).values()), colours, written) as axes:
        axes.axhline(0, color=colours.ink, linewidth=1, zorder=2)
        axes.plot(effect.at, effect.estimate, color=colours.main, linewidth=2.2, label=words.estimate, zorder=3)
        axes.plot(effect.at[-1], effect.estimate[-1], "o", color=colours.main, markersize=6)
        band = {"color": colours.main, "alpha": 0.2, "linewidth": 0}
        axes.fill_between(effect.at, effect.low, effect.high, label=words.always_valid, **band)
        for bound in (effect.low, effect.high):
            axes.plot(effect.at, bound, color=colours.main, linewidth=0.8, alpha=0.7)
        fixed = {"color": colours.warning, "linewidth": 1.1, "linestyle": (0, (4, 3))}
        axes.plot(effect.at, effect.fixed_low, label=words.fixed, **fixed)
        axes.plot(effect.at, effect.fixed_high, **fixed)
        axes.set_xlim(0, max(effect.horizon, float(effect.at[-1])) * 1.02)
        axes.set_ylim(*_limits(effect))
        axes.axvline(effect.horizon, color=colours.muted, linewidth=1.2, linestyle=":")
        mark = {
            "xytext": (0, 10),
            "textcoords": "offset points",
            "ha": "right",
            "va": "baseline",
            "color": colours.muted,
        }
        axes.xaxis.set_major_formatter("{x:,.10g}")
        axes.annotate(words.horizon, (effect.horizon, 1), xycoords=("data", "axes fraction"), **mark)
        _label(axes, words.title, words.at, words.effect)
        if in_points:
            axes.yaxis.set_major_formatter(_points)
    return tuple(written)


def draw_qini(
    qini: Qini, words: QiniWords, path: Path, theme: Theme = "light", *, in_points: bool = False
) -> tuple[Path, ...]:
    """Draw the curve in its band against treating at random as `path`.svg and .png, as `draw_effect` does."""
    from matplotlib.ticker import PercentFormatter

    colours = THEMES[theme]
    written: list[Path] = []
    with _figure(path, " ".join(asdict(words).values()), colours, written) as axes:
        axes.plot(qini.shares, qini.gains, color=colours.main, linewidth=2.2, label=words.ranked, zorder=3)
        band = {"color": colours.main, "alpha": 0.2, "linewidth": 0}
        axes.fill_between(qini.shares, qini.low, qini.high, label=words.interval, **band)
        at_random = {"color": colours.warning, "linewidth": 1.4, "linestyle": (0, (4, 3))}
        axes.plot([0, 1], [0, qini.gains[-1]], label=words.at_random, **at_random)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        _label(axes, words.title, words.share, words.gain)
        if in_points:
            axes.yaxis.set_major_formatter(_points)
    return tuple(written)


def _points(share: float, _: int | None) -> str:
    return f"{round(100 * share, 9) + 0.0:.6g}".replace("-", "−")


def _limits(effect: EffectOverTime) -> tuple[float, float]:
    """Return the effects to show: zero, and the band but for its first fifth, which is so wide that it hides the rest.

    What is not finite does not count.
    """
    later = slice(len(effect.at) // 5, None)
    shown = np.concatenate([effect.low[later], effect.high[later], effect.estimate[later], [0.0]])
    shown = shown[np.isfinite(shown)]
    low, high = float(shown.min()), float(shown.max())
    room = 0.08 * ((high - low) or 1.0)
    return low - room, high + room


def _label(axes: Any, title: str, across: str, up: str) -> None:
    """Write the words; what the axis upwards means stands level above it, which is easier to read than turned."""
    axes.figure.suptitle(title, x=0.016, ha="left", fontweight="bold", fontsize=13)
    axes.set_title(up, loc="left", fontsize=10.5, pad=10)
    axes.set_xlabel(across, labelpad=6)
    handles, labels = axes.get_legend_handles_labels()
    axes.figure.legend(handles, labels, loc="outside lower left", ncols=1, borderaxespad=0.8)


@contextmanager
def _figure(path: Path, text: str, colours: Colours, written: list[Path]) -> Iterator[Any]:
    """Give the axes of one figure and write it, without the time and the tool's name: same figures, same bytes."""
    import warnings

    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    path.parent.mkdir(parents=True, exist_ok=True)
    fonts, complete = _fonts(text)
    with mpl.rc_context(_style(colours, fonts)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ ")  # the browser that shows the SVG has fonts of its own
        figure = Figure(figsize=(7.5, 4.8), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1))
        yield figure.subplots()
        written.append(path.with_name(f"{path.name}.svg"))
        figure.savefig(written[-1], metadata={"Date": None, "Creator": None})
        if complete:
            written.append(path.with_name(f"{path.name}.png"))
            figure.savefig(written[-1], dpi=160, metadata={"Software": None})


def _fonts(text: str) -> tuple[list[str], bool]:
    """Return which of the fonts are installed, and whether they have all characters of `text` between them."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    installed = set(fontManager.get_font_names())
    fonts = [font for font in _FONTS if font in installed]
    drawn: set[int] = set()
    for font in fonts:
        drawn |= get_font(findfont(FontProperties(family=font))).get_charmap().keys()
    return fonts, {ord(character) for character in text} <= drawn


def _style(colours: Colours, fonts: list[str]) -> Any:
    return {
        "svg.hashsalt": "nbo",
        "svg.fonttype": "none",
        "text.parse_math": False,  # "$100 - $200" is the name of a segment, not a formula
        "font.family": fonts,
        "font.size": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "axes.edgecolor": colours.muted,
        "axes.labelcolor": colours.muted,
        "axes.titlecolor": colours.muted,
        "axes.facecolor": colours.page,
        "figure.facecolor": colours.page,
        "grid.color": colours.grid,
        "text.color": colours.ink,
        "xtick.color": colours.muted,
        "ytick.color": colours.muted,
        "ytick.left": False,
        "legend.frameon": False,
    }

"""The pictures of a training run: PNG and SVG, the same bytes for the same figures, told apart without colour."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.exposure import gini, lorenz_curve
from recsys.evaluation.intervals import Interval

_COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#5D5D5D")
"""Safe for the colour-blind (Okabe, Ito 2008) without the yellow, which is too light on white."""

_MARKERS = "osD^vPX*"
_LINES = ("-", "--", "-.", ":")
_STYLE: Any = {
    "svg.hashsalt": "nbo",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def draw_recall(curves: Mapping[str, Mapping[int, Interval]], directory: Path) -> None:
    """Draw name → k → recall with its interval as `recall.png` and `.svg`."""
    with _figure(directory / "recall") as axes:
        for place, (name, curve) in enumerate(curves.items()):
            ks, points = list(curve), list(curve.values())
            shifted = np.array(ks) * 1.02 ** (place - (len(curves) - 1) / 2)  # so that intervals stay apart
            means = np.array([point.mean for point in points])
            axes.errorbar(shifted, means, yerr=_errors(points), label=name, capsize=2, **_look(place))
        axes.set_xscale("log")
        ticks = list(next(iter(curves.values())))
        axes.set_xticks(ticks, [str(k) for k in ticks])
        axes.minorticks_off()
        axes.set(xlabel="length of the list, k", ylabel="recall@k, with 95 % interval", title="Recall by list length")
        axes.set_ylim(bottom=0)
        axes.legend()


def draw_against_popularity(differences: Mapping[str, Interval], metric: str, directory: Path) -> None:
    """Draw name → paired difference against popularity as `against_popularity.png` and `.svg`, a forest plot."""
    with _figure(directory / "against_popularity", height=1.2 + 0.45 * max(len(differences), 1)) as axes:
        axes.axvline(0, color="black", linewidth=1)
        for place, (name, interval) in enumerate(differences.items()):
            errors = _errors([interval])
            axes.errorbar([interval.mean], [name], xerr=errors, capsize=3, **(_look(place + 1) | {"linestyle": ""}))
        axes.invert_yaxis()
        axes.margins(y=0.2)
        axes.set(
            xlabel=f"{metric} − popularity's, with paired 95 % interval",
            ylabel="family",
            title="Right of 0: better than popularity",
        )


def draw_exposure(shown: Mapping[str, NDArray[np.int64]], length: int, directory: Path) -> None:
    """Draw name → how often each offer was shown in lists of `length` as Lorenz curves, `exposure.png` and `.svg`."""
    with _figure(directory / "exposure") as axes:
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, label="every offer alike")
        for place, (name, counts) in enumerate(shown.items()):
            offers, places = lorenz_curve(counts)
            look = _look(place) | {"markevery": max(1, len(offers) // 8)}
            axes.plot(offers, places, label=f"{name} (Gini {gini(counts):.2f})", **look)
        axes.set(
            xlabel="share of offers, the least shown first",
            ylabel=f"share of the places in lists of {length}",
            title="How evenly lists show the offers",
        )
        axes.legend(loc="upper left")


def draw_parity(overlap: Interval, fold_in: Interval, refit: Interval, length: int, directory: Path) -> None:
    """Draw the overlap of lists and both NDCG@5 as bars, `parity.png` and `.svg`."""
    bars = {f"overlap@{length}": overlap, "NDCG@5, fold-in": fold_in, "NDCG@5, refit": refit}
    with _figure(directory / "parity", width=5) as axes:
        means = [interval.mean for interval in bars.values()]
        axes.bar(list(bars), means, color=_COLOURS[1:4], hatch=["", "//", ".."], edgecolor="black", width=0.6)
        axes.errorbar(list(bars), means, yerr=_errors(list(bars.values())), fmt="none", ecolor="black", capsize=4)
        axes.set(
            ylim=(0, 1.05), ylabel="mean, with 95 % interval", title="People unknown in training, and after a refit"
        )
        axes.grid(visible=False, axis="x")


def draw_search(values: Sequence[float], best_so_far: Sequence[float], names: tuple[str, str], directory: Path) -> None:
    """Draw the trials of one search as `search.png` and `.svg`; `names` are family and metric."""
    with _figure(directory / "search") as axes:
        places = np.arange(1, len(values) + 1)
        axes.plot(places, values, **(_look(1) | {"linestyle": ""}), label="trial")
        axes.step(places, best_so_far, where="post", color=_COLOURS[2], label="best so far")
        axes.set(xlabel="trial; 1 has the defaults", ylabel=f"{names[1]} on the validation window",
                 title=f"Search for hyper-parameters of {names[0]}")  # fmt: skip
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()


def draw_reliability(curves: Mapping[str, Sequence[NDArray[np.float64]]], directory: Path) -> None:
    """Draw name → (mean probability, share that accepted, …) by bin as `reliability.png` and `.svg`."""
    with _figure(directory / "reliability", width=5.5, height=5) as axes:
        highest = max(float(values.max()) for curve in curves.values() for values in curve[:2])
        axes.plot([0, highest], [0, highest], color="#999999", linewidth=1, label="as often as said")
        for place, (name, (said, came, *_)) in enumerate(curves.items()):
            axes.plot(said, came, label=name, **_look(place + 1))
        axes.set(
            xlabel="chance of acceptance that was given, mean of the bin",
            ylabel="share that accepted",
            title="How true the chances are, in bins of equally many",
        )
        axes.legend()


def draw_movers(places: Mapping[str, tuple[int, int]], scenario: str, path: Path) -> None:
    """Draw offer → lists it stands on (today, in the scenario) as pairs of bars, `path`.png and `.svg`."""
    with _figure(path, height=1.4 + 0.4 * max(len(places), 1)) as axes:
        rows = np.arange(len(places))
        for side, (label, hatch) in enumerate((("today", ""), (scenario, "//"))):
            counts = [pair[side] for pair in places.values()]
            look: Any = {"color": _COLOURS[side + 1], "edgecolor": "black", "hatch": hatch, "linewidth": 0.6}
            axes.barh(rows + 0.4 * side - 0.2, counts, height=0.38, label=label, **look)
        axes.set_yticks(rows, list(places))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="customers who are shown the offer", title="The offers whose places change most")
        axes.legend(loc="lower right")


@contextmanager
def _figure(path: Path, width: float = 7, height: float = 4.5) -> Iterator[Any]:
    """Give the axes of one figure and write it as `path`.png and `path`.svg, without the time and the tool's name."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure.subplots()
        figure.savefig(path.with_suffix(".png"), dpi=144, metadata={"Software": None})
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None, "Creator": None})


def _look(place: int) -> dict[str, Any]:
    """Return colour, marker and line of the series at `place`."""
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linestyle": _LINES[place % len(_LINES)],
        "markersize": 5,
    }


def _errors(intervals: Sequence[Interval]) -> NDArray[np.float64]:
    """Return (2, n) how far each interval reaches below and above its mean."""
    below = [max(0.0, interval.mean - interval.low) for interval in intervals]
    above = [max(0.0, interval.high - interval.mean) for interval in intervals]
    return np.array([below, above])

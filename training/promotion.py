"""The gates between a challenger and the alias `champion`; every refusal names its gate and figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.intervals import Interval, bootstrap


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition for promotion, whether it holds, and the figure it was judged by."""

    name: str
    is_passed: bool
    figure: str

    def __str__(self) -> str:
        return f"{self.name}: {self.figure}"


@dataclass(frozen=True, slots=True)
class Rivals:
    """The headline metric (tasks,) of the challenger and of those it must stand up to, on the same tasks.

    `popularity` is None when the challenger is popularity itself, `champion` when there is none.
    """

    challenger: NDArray[np.float64]
    popularity: NDArray[np.float64] | None
    champion: NDArray[np.float64] | None
    customers: NDArray[np.intp]


def difference(
    challenger: NDArray[np.float64],
    rival: NDArray[np.float64],
    customers: NDArray[np.intp],
    rng: np.random.Generator,
) -> Interval:
    """Return the paired-bootstrap interval of challenger − rival."""
    return bootstrap({"difference": challenger - rival}, customers, rng)["difference"]


def judge(rivals: Rivals, metric: str, tolerance: float, rng: np.random.Generator) -> list[Gate]:
    """Return every gate that applies: better than popularity, and not worse than the champion.

    Better means that the whole interval lies above 0; not worse, that its low end lies above
    −`tolerance` × the champion's mean (a non-inferiority margin).
    """
    gates = []
    if rivals.popularity is not None:
        against = difference(rivals.challenger, rivals.popularity, rivals.customers, rng)
        gates.append(Gate("better than popularity", against.low > 0, _said(metric, against, "must lie above 0")))
    if rivals.champion is not None:
        against = difference(rivals.challenger, rivals.champion, rivals.customers, rng)
        margin = -tolerance * float(rivals.champion.mean())
        passed = against.low > margin or against.low == against.high == 0.0
        figure = _said(metric, against, f"must lie above {margin:.4f}")
        gates.append(Gate("not worse than the champion", passed, figure))
    return gates


def refusals(gates: Sequence[Gate]) -> list[str]:
    """Return what each gate that does not hold says."""
    return [str(gate) for gate in gates if not gate.is_passed]


def _said(metric: str, against: Interval, condition: str) -> str:
    return f"{metric} differs by {against.mean:+.4f} [{against.low:+.4f}, {against.high:+.4f}], {condition}"

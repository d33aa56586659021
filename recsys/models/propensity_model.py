"""The trained propensity model: calibrated log-odds of acceptance, and what each signal adds to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.models.calibration import Calibration

BASE, RELEVANCE = "base_log_odds", "relevance"
LINEAR = (BASE, RELEVANCE)
"""The signals that enter as they are: coefficient 1, and one learned coefficient of at least 0."""


@dataclass(frozen=True)
class PropensityModel:
    """One model version in use; nothing is added but log-odds, so that contributions are exact.

    log-odds = calibration(base_log_odds + w·relevance + trees(the other signals)). `signals` names the columns it
    reads, the two linear ones first; `booster` is LightGBM's, over the others in their order. `unknown_base` stands in
    where the base is unknown, 0 where the relevance is.
    """

    version: str
    signals: tuple[str, ...]
    booster: Any
    relevance_weight: float
    unknown_base: float
    calibration: Calibration
    manifest: Mapping[str, Any]

    @property
    def model_name(self) -> str:
        """The name of the family in the registry."""
        return "propensity"

    @property
    def relevance_version(self) -> str | None:
        """The relevance version whose signals it was trained on; None where an older program did not write it down."""
        version: str | None = self.manifest.get("training", {}).get("relevance")
        return version

    def log_odds(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibrated log-odds (n,) of rows (n, signals); NaN and infinity are unknown.

        Raises ValueError when the table has another width.
        """
        return self.calibration.apply(self.raw_log_odds(table))

    def raw_log_odds(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds (n,) before calibration."""
        known = self._known(table)
        linear: NDArray[np.float64] = self._linear(known).sum(axis=1)
        if len(known) == 0:
            return linear
        return np.asarray(linear + self.booster.predict(known[:, len(LINEAR) :], raw_score=True, num_threads=1))

    def contributions(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, signals + 2) what each signal adds, then "calibration", then "rest"; rows sum to `log_odds`.

        A signal's share of the trees is its SHAP value (Lundberg et al. 2020, TreeSHAP, path-dependent); the rest is
        what the trees expect of nobody in particular. Calibration adds the difference of log-odds it makes.
        """
        known = self._known(table)
        parts = np.zeros((len(known), len(self.signals) + 2))
        if len(known) == 0:
            return parts
        parts[:, : len(LINEAR)] = self._linear(known)
        shares = self.booster.predict(known[:, len(LINEAR) :], pred_contrib=True, num_threads=1)
        parts[:, len(LINEAR) : -2], parts[:, -1] = shares[:, :-1], shares[:, -1]
        parts[:, -2] = self.log_odds(table) - parts.sum(axis=1)
        return parts

    @cached_property
    def _column(self) -> dict[str, int]:
        return {signal: place for place, signal in enumerate(self.signals)}

    def table(self, rows: list[Mapping[str, float | None]]) -> NDArray[np.float64]:
        """Return (n, signals) of rows by name; what is not named or None is unknown, other names are left out."""
        table = np.full((len(rows), len(self.signals)), np.nan)
        for place, row in enumerate(rows):
            for name, value in row.items():
                column = self._column.get(name)
                if column is not None and value is not None:
                    table[place, column] = value
        return table

    def _known(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        if table.ndim != 2 or table.shape[1] != len(self.signals):
            raise ValueError(f"the table must have the {len(self.signals)} columns of `signals`")
        return np.where(np.isfinite(table), table, np.nan)

    def _linear(self, known: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, 2) what base and relevance add."""
        base = np.where(np.isnan(known[:, 0]), self.unknown_base, known[:, 0])
        relevance = np.where(np.isnan(known[:, 1]), 0.0, known[:, 1])
        return np.stack([base, self.relevance_weight * relevance], axis=1)

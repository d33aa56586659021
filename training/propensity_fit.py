"""Fits the propensity model: relevance's coefficient, boosted trees on the other signals, and the calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.models.calibration import Calibration, identity
from recsys.models.propensity_folder import PropensityParts, unsealed_model
from recsys.models.propensity_model import LINEAR
from recsys.models.tree_text import saved_text
from training.calibration_fit import choose_calibration, fit_calibration
from training.logistic import fit_logistic

DECLARED_MONOTONE: Mapping[str, int] = {
    "intent_match": 1,
    "times_declined": -1,
    "declined_count_90d": -1,
    "days_since_declined": 1,
}
"""What may only raise (1) or lower (−1) the chance, whatever the answers seem to say."""

_CANARIES = 200


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How the trees grow: few leaves, many rows in each, strong shrinkage; rounds are chosen on later data.

    `rounds_share` and `calibration_share` (0–1) are the latest rows that choose the rounds and that calibrate.
    """

    leaves: int = 4
    learning_rate: float = 0.05
    least_rows_in_leaf: int = 20
    l2: float = 10.0
    most_rounds: int = 400
    patience: int = 40
    rounds_share: float = 0.15
    calibration_share: float = 0.15
    seed: int = 7
    monotone: Mapping[str, int] = field(default_factory=lambda: DECLARED_MONOTONE)


@dataclass(frozen=True, slots=True)
class PropensityFit:
    """What was fitted: the parts of the model, and the losses by which its calibration was chosen."""

    parts: PropensityParts
    calibration_losses: Mapping[str, float]
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Rows:
    others: NDArray[np.float64]
    linear: NDArray[np.float64]
    answers: NDArray[np.float64]


def fit_propensity(
    signals: Sequence[str], table: NDArray[np.float64], answers: NDArray[np.float64], options: FitOptions
) -> PropensityFit:
    """Fit on rows (n, signals) in time order, NaN unknown, and answers (n,) of 0 and 1; all chance is seeded.

    The trees learn from the earliest rows, the next choose how many, both together grow them again, and the last
    choose and fit the calibration. `signals` begin with the two linear ones.
    """
    n = len(answers)
    calibrated_from = n - round(n * options.calibration_share)
    rounds_from = calibrated_from - round(n * options.rounds_share)
    raw = fit_raw(signals, table[:calibrated_from], answers[:calibrated_from], options, rounds_from)
    log_odds = unsealed_model(raw).raw_log_odds(table[calibrated_from:])
    family, losses = choose_calibration(log_odds, answers[calibrated_from:])
    calibration = fit_calibration(family, log_odds, answers[calibrated_from:])
    sizes = {"fitted": rounds_from, "rounds chosen on": calibrated_from - rounds_from}
    sizes["calibrated on"] = n - calibrated_from
    return PropensityFit(_calibrated(raw, calibration), losses, sizes)


def fit_raw(
    signals: Sequence[str], table: NDArray[np.float64], answers: NDArray[np.float64], options: FitOptions,
    rounds_from: int,
) -> PropensityParts:  # fmt: skip
    """Return the uncalibrated model of all rows, its rounds chosen on the rows from `rounds_from` on."""
    unknown_base = _rate_log_odds(answers)
    base = np.where(np.isfinite(table[:, 0]), table[:, 0], unknown_base)
    relevance = np.where(np.isfinite(table[:, 1]), table[:, 1], 0.0)
    weight = _relevance_weight(base, relevance, answers)
    rows = _Rows(table[:, len(LINEAR) :], base + weight * relevance, answers)
    parameters = _parameters(signals[len(LINEAR) :], options)
    rounds = _best_rounds(rows, rounds_from, parameters, options)
    booster = _grow(rows, parameters, rounds)
    return PropensityParts(
        signals=tuple(signals),
        trees=saved_text(booster),
        tree_count=booster.num_trees(),
        relevance_weight=weight,
        unknown_base=unknown_base,
        calibration=identity(),
        canary=_canary(table, options.seed),
        parameters={**asdict(options), "rounds": rounds, "relevance_weight": round(weight, 6)},
    )


def _calibrated(raw: PropensityParts, calibration: Calibration) -> PropensityParts:
    return replace(raw, calibration=calibration, parameters={**raw.parameters, "calibration": calibration.family})


def _relevance_weight(base: NDArray[np.float64], relevance: NDArray[np.float64], answers: NDArray[np.float64]) -> float:
    """Return the coefficient of relevance beside the offers' own rates; the intercept is left to the trees."""
    fitted = fit_logistic(relevance[:, None], answers, offset=base, ridge=1.0, lowest=0.0)
    return float(fitted.coefficients[0])


def _parameters(names: Sequence[str], options: FitOptions) -> dict[str, Any]:
    return {
        "objective": "binary",
        "num_leaves": options.leaves,
        "learning_rate": options.learning_rate,
        "min_data_in_leaf": options.least_rows_in_leaf,
        "lambda_l2": options.l2,
        "monotone_constraints": [options.monotone.get(name, 0) for name in names],
        "seed": options.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def _best_rounds(rows: _Rows, rounds_from: int, parameters: Mapping[str, Any], options: FitOptions) -> int:
    """Return how many rounds give the least log-loss on the rows from `rounds_from` on; at least one."""
    import lightgbm

    early, late = _dataset(rows, slice(0, rounds_from)), _dataset(rows, slice(rounds_from, None))
    booster = lightgbm.train(
        {**parameters, "metric": "binary_logloss"},
        early,
        options.most_rounds,
        valid_sets=[late],
        callbacks=[lightgbm.early_stopping(options.patience, verbose=False)],
    )
    return max(1, booster.best_iteration)


def _grow(rows: _Rows, parameters: Mapping[str, Any], rounds: int) -> Any:
    import lightgbm

    return lightgbm.train(dict(parameters), _dataset(rows, slice(None)), rounds)


def _dataset(rows: _Rows, part: slice) -> Any:
    import lightgbm

    return lightgbm.Dataset(
        rows.others[part], rows.answers[part], init_score=rows.linear[part], params={"verbosity": -1, "num_threads": 1}
    )


def _canary(table: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).choice(len(table), min(_CANARIES, len(table)), replace=False)
    return table[np.sort(drawn)]


def _rate_log_odds(answers: NDArray[np.float64]) -> float:
    rate = (answers.sum() + 0.5) / (len(answers) + 1)
    return float(np.log(rate / (1 - rate)))

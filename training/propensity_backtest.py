"""The propensity model's fitting held against any table of answers in time order, recalibrated as answers come in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import ImportInvalid
from recsys.evaluation.intervals import Interval
from recsys.evaluation.probability_metrics import BINS, Forecasts, measure
from recsys.models.propensity_folder import unsealed_model
from recsys.models.propensity_model import LINEAR
from training.answer_table import AnswerTable, read_answer_table, running_rate, tells_the_time
from training.calibration_fit import Recalibration, choose_recalibration
from training.config import Progress
from training.logistic import LogisticBaseline, probability
from training.propensity_fit import FitOptions, fit_raw

UNCALIBRATED, CALIBRATED, BASELINE = "uncalibrated", "calibrated", "logistic regression"
BASELINE_RECALIBRATED = f"{BASELINE}, recalibrated"
_LEAST_ACCEPTED = 30


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """Which file, and the protocol: its defaults were chosen on the training part of one file, see decision 10.

    The first `train_share` (0–1) of the rows are learned from. `batch` is how many rows are calibrated at a time, on
    answers before them; answers to the `rate_half_life` last rows weigh half as much in the base rate. Columns whose
    AUC for later against earlier rows is further than `most_time` from .5 are left to the baseline.
    """

    path: Path
    answer: str
    yes: str = "yes"
    without: tuple[str, ...] = ()
    train_share: float = 0.67
    batch: int = 100
    rate_half_life: float = 1_000.0
    most_time: float = 0.25
    options: FitOptions = field(default_factory=FitOptions)


@dataclass(frozen=True, slots=True)
class _Split:
    """Where the rows change from fitting to choosing the rounds, to calibrating, to the test."""

    rounds: int
    calibration: int
    test: int


def backtest_propensity(request: BacktestRequest, progress: Progress) -> dict[str, Any]:
    """Return the figures of the test part, before and after calibration and beside a logistic regression, as JSON.

    Nothing of the test part is used but the answers before each batch, for calibrating that batch. Raises
    ImportInvalid when the file cannot be read, or has too few answers of a kind.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # threads only wait for each other on tables this narrow
        return _backtest(request, progress)


def _backtest(request: BacktestRequest, progress: Progress) -> dict[str, Any]:
    known = read_answer_table(request.path, request.answer, request.yes, request.without, request.train_share)
    split = _split(known, request)
    progress("back-test", 0, 3)
    is_time = tells_the_time(known.table[: split.test], request.most_time)
    raw, rounds = _raw(known, is_time, split, request)
    progress("back-test", 1, 3)
    baseline = LogisticBaseline.fit(known.table[: split.test], known.answers[: split.test]).log_odds(known.table)
    recent, start = slice(split.calibration, split.test), (split.test - split.calibration) // 2
    chosen, losses = choose_recalibration(raw[recent], known.answers[recent], start, request.batch)
    log_odds = {
        UNCALIBRATED: raw[split.test :],
        CALIBRATED: _recalibrated(chosen, raw, known, split),
        BASELINE: baseline[split.test :],
        BASELINE_RECALIBRATED: _recalibrated(chosen, baseline, known, split),
    }
    progress("back-test", 2, 3)
    answers = known.answers[split.test :]
    forecasts = {name: Forecasts.of(probability(values), answers) for name, values in log_odds.items()}
    rng = np.random.default_rng(request.options.seed)
    measured = measure(forecasts, np.arange(len(answers)), rng, against=BASELINE)
    progress("back-test", 3, 3)
    return {
        "rows": {"fitted": split.rounds, "rounds chosen on": split.calibration - split.rounds,
                 "calibrated on": split.test - split.calibration, "test": len(answers)},
        "accepted": {"train": round(float(known.answers[: split.test].mean()), 6),
                     "test": round(float(answers.mean()), 6)},
        "left_out_as_telling_the_time": [name for name, is_out in zip(known.names, is_time, strict=True) if is_out],
        "rounds": rounds,
        "recalibration": {"family": chosen.family, "window": chosen.window, "batch": chosen.batch,
                          "tried": {name: round(loss, 6) for name, loss in losses.items()}},
        "bins": BINS,
        "models": {name: {metric: one.rounded() for metric, one in found.items()} for name, found in measured.items()},
        "bounds": _bounds(measured),
    }  # fmt: skip


def _split(known: AnswerTable, request: BacktestRequest) -> _Split:
    test = int(len(known.answers) * request.train_share)
    calibration = test - round(test * request.options.calibration_share)
    rounds = calibration - round(test * request.options.rounds_share)
    for first, last, what in ((0, test, "to learn from"), (test, len(known.answers), "to test on")):
        accepted = int(known.answers[first:last].sum())
        if min(accepted, last - first - accepted) < _LEAST_ACCEPTED:
            raise ImportInvalid(f"{request.path.name} has {accepted} accepted of {last - first} rows {what}; "
                                f"{_LEAST_ACCEPTED} of each kind are needed.")  # fmt: skip
    return _Split(rounds, calibration, test)


def _raw(
    known: AnswerTable, is_time: NDArray[np.bool_], split: _Split, request: BacktestRequest
) -> tuple[NDArray[np.float64], int]:
    """Return the uncalibrated log-odds of every row, by trees of the rows before the calibration's, and the rounds."""
    rates = running_rate(known.answers[: split.test], request.rate_half_life)
    base = np.append(rates[:-1], np.full(len(known.answers) - split.test, rates[-1]))
    names = [name for name, is_out in zip(known.names, is_time, strict=True) if not is_out]
    if not names:
        raise ImportInvalid(f"Every column of {request.path.name} tells the time only; there is nothing to learn.")
    table = np.column_stack([base, np.zeros(len(base)), known.table[:, ~is_time]])
    seen = slice(0, split.calibration)
    parts = fit_raw((*LINEAR, *names), table[seen], known.answers[seen], request.options, split.rounds)
    return unsealed_model(parts).raw_log_odds(table), parts.tree_count


def _recalibrated(
    chosen: Recalibration, log_odds: NDArray[np.float64], known: AnswerTable, split: _Split
) -> NDArray[np.float64]:
    late = slice(split.calibration, None)
    return chosen.run(log_odds[late], known.answers[late], split.test - split.calibration)


def _bounds(measured: Mapping[str, Mapping[str, Interval]]) -> dict[str, Any]:
    """Return whether calibration halves the calibration error, and whether the order is not below the baseline's."""
    errors = [measured[name]["ECE"].mean for name in (UNCALIBRATED, CALIBRATED)]
    aucs = [measured[name]["AUC"].mean for name in (UNCALIBRATED, CALIBRATED, BASELINE)]
    return {
        "calibration_error_ratio": round(errors[1] / errors[0], 4) if errors[0] else None,
        "calibration_error_halved": errors[1] <= errors[0] / 2,
        "auc_not_below_baseline": {UNCALIBRATED: aucs[0] >= aucs[2], CALIBRATED: aucs[1] >= aucs[2]},
    }

"""The model card of a propensity version: what it learned from, how true its chances are, where not to trust it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recsys.evaluation.probability_metrics import BINS, METRICS
from training.gates import Gate
from training.propensity_data import EVALUATION_SHARE
from training.propensity_evaluation import LEAST_EVALUATED, Fitted, Measured, PropensityEvaluation

SECTIONS: Mapping[str, str] = {
    "purpose": "What it is for",
    "model": "Model",
    "data": "Data",
    "left_out": "Who and what was left out",
    "split": "How it was evaluated",
    "metrics": "Metrics on the later answers (value and 95 % interval by customer)",
    "evaluation_slice": "The customers never fitted on",
    "calibration": "Calibration",
    "signals": "What moves it (mean absolute log-odds on the later answers)",
    "limits": "Limits",
    "gates": "Promotion gates",
}
"""Every section a card must have, with its heading."""

_PURPOSE = (
    "Gives the chance that a customer accepts an offer that an agent makes now. It weighs offers against each other; "
    "permission, suitability and contact rules are decided elsewhere and always win."
)
_LIMITS = [
    "Only offers that were shown and pitched have answers: of others it knows what their signals have in common.",
    "Answers change with season, market and script. The chances are true for the time of the calibrating answers; "
    "train again when the calibration error of later answers grows.",
    "It says who accepts, not whom the offer makes accept: only an experiment shows that.",
    "A signal's part is what the model adds for it, and no cause.",
]
_PAIR = "It serves with the relevance version {} only, on whose signals it was trained."
_RESCORED = (
    "Decisions that other versions made were scored again by that relevance version, which may have learned from what "
    "these customers answered: its scores of them can be too good, and the figures on this card with them."
)


@dataclass(frozen=True, slots=True)
class PropensityAccount:
    """What a run can tell of the version it made; `made` are JSON values of who trained it, when and with what."""

    version: str
    window: Mapping[str, Any]
    fitted: Fitted
    evaluation: PropensityEvaluation
    test_share: float
    made: Mapping[str, Any]
    is_rescored: bool = False


def propensity_card(account: PropensityAccount, gates: list[Gate]) -> dict[str, Any]:
    """Return the card as JSON values, its sections in the order of `SECTIONS`."""
    parts, fitted = account.fitted.fit.parts, account.fitted
    parameters = {name: value for name, value in parts.parameters.items() if name != "monotone"}
    declared = {name: side for name, side in parts.parameters["monotone"].items() if name in parts.signals}
    return {
        "version": account.version,
        "purpose": _PURPOSE,
        "model": {
            "log-odds": "calibration(base_log_odds + w · relevance + trees of the other signals)",
            **parameters,
            "only rising (1) or falling (−1)": declared or "none of its signals",
            **account.made,
        },
        "data": dict(account.window),
        "left_out": [
            *(f"{count} answers {what}." for what, count in fitted.test.left_out.items()),
            "Offers that were not pitched, and answers too young to be used.",
            "Who refuses profiling now, and whoever was erased: nothing of theirs is read.",
        ],
        "split": {
            "split": f"by time: the last {account.test_share:.0%} of the answers are the later ones",
            **fitted.fit.sizes,
            "later answers": len(fitted.test),
            "calibration error": f"{BINS} bins of equally many rows",
        },
        "metrics": _table(account.evaluation.test),
        "evaluation_slice": _evaluation_slice(account),
        "calibration": {f"log-loss of {name}": round(loss, 6) for name, loss in fitted.fit.calibration_losses.items()}
        | {"chosen": parts.calibration.family},
        "signals": dict(account.evaluation.shares),
        "limits": [_PAIR.format(account.window["relevance"]), *_LIMITS, *([_RESCORED] if account.is_rescored else [])],
        "gates": [{"gate": gate.name, "verdict": gate.verdict.value, "figure": gate.figure} for gate in gates],
    }


def _evaluation_slice(account: PropensityAccount) -> str | list[dict[str, Any]]:
    found, rows = account.evaluation.evaluation, account.fitted.evaluation
    if found is None:
        return (
            f"{len(rows)} answers of the {EVALUATION_SHARE:.0%} of customers that are never fitted on: fewer than "
            f"{LEAST_EVALUATED}, too few to say anything."
        )
    return _table(found)


def _table(measured: Measured) -> list[dict[str, Any]]:
    return [
        {"metric": metric, **{name: found[metric].rounded() for name, found in measured.items()}} for metric in METRICS
    ]

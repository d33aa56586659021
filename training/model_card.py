"""The model card: what a version is for, what it learned from, how well it does, and where it must not be trusted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys.evaluation.exposure import by_group
from training.comparison import BASELINE, Candidate, Comparison
from training.config import HEADLINE
from training.dataset import Window
from training.folds import Split
from training.gates import Gate
from training.importance import Importance
from training.parity import Parity

SECTIONS: Mapping[str, str] = {
    "purpose": "What it is for",
    "model": "Model",
    "data": "Data",
    "left_out": "Who and what was left out",
    "split": "How it was evaluated",
    "metrics": "Metrics on the held-out purchases (mean and 95 % interval)",
    "comparison": "Every family that was tried",
    "segments": "By customer segment",
    "exposure": "Which offers its lists show",
    "facts": f"What it reads of a customer, and what that is worth ({HEADLINE} lost when it is somebody else's)",
    "fold_in": "How a customer's history is used",
    "parity": "Fold-in parity",
    "limits": "Limits",
    "gates": "Promotion gates",
}
"""Every section a card must have, with its heading."""

FOLD_IN: Mapping[str, str] = {
    "popularity": "Not at all: everybody, or everybody of a segment, gets the same scores.",
    "item_item": "Exactly: history × similarity matrix, as in training.",
    "ease": "Exactly: history × weight matrix, as in training.",
    "als": "Exact least squares on the history with the fitted item factors: the step that training itself takes.",
    "bpr": "Ridge regression of the history on the item factors, not the customer factors fitted in training.",
    "lmf": "Ridge regression of the history on the item factors, not the customer factors fitted in training.",
    "blend": "Exactly: history × weights of pairs, as in training; known purchases also switch the shift on.",
    "ranker": "Exactly: its base folds in as in training, and the trees read what the history says now.",
    "lightfm": "The customer's facts plus the mean of the history's item vectors, mapped to the fitted people's.",
}

_PURPOSE = (
    "Ranks a bank's offers by relevance to one customer, from what they hold, took and looked at. It suggests what an "
    "agent may talk about; permission, suitability and contact rules are decided elsewhere and always win."
)
_LEFT_OUT = [
    "Customers who refused profiling: nothing of theirs is in the events, and they are never scored personally.",
    "Customers without any evidence: nothing can be learned from them; they are scored by their facts where the family "
    "uses any, else by popularity.",
    "Customers who were erased: their events are no longer in the log.",
    "What a customer cancelled counts as not held from then on.",
]
_LIMITS = [
    "Offline ranking is not acceptance: it was measured by what customers bought anyway, not by what they would "
    "answer to an offer. Only an experiment shows that.",
    "Facts of customers are those known at the split, where the bank says since when it knows them; else they are as "
    "of the import. Offers are as of now: offers launched or ended since weigh on the figures.",
    "An offer that nobody has taken yet has no evidence; it is found by its facts where the family uses them, "
    "else not at all.",
    "On small catalogues popularity is hard to beat; differences whose interval includes 0 mean nothing.",
]


@dataclass(frozen=True, slots=True)
class Account:
    """What a training run can tell of the version it made; `learned_from` says of what, with sizes."""

    version: str
    window: Window
    comparison: Comparison
    parity: Parity | None
    importance: Importance
    learned_from: Mapping[str, Any]
    code_version: str


def model_card(account: Account, gates: list[Gate]) -> dict[str, Any]:
    """Return the card as JSON values, its sections in the order of `SECTIONS`."""
    comparison = account.comparison
    best = comparison.best
    return {
        "version": account.version,
        "purpose": _PURPOSE,
        "model": _model(account, best),
        "data": {**account.window.described(), **account.learned_from},
        "left_out": _LEFT_OUT,
        "split": _split(comparison),
        "metrics": _metrics(comparison, best),
        "comparison": [_tried(candidate) for candidate in comparison.candidates],
        "segments": _segments(comparison, best),
        "exposure": _exposure(best),
        "facts": _facts(account.importance),
        "fold_in": FOLD_IN.get(best.name, ""),
        "parity": _parity(account.parity),
        "limits": _LIMITS,
        "gates": [{"gate": gate.name, "verdict": gate.verdict.value, "figure": gate.figure} for gate in gates],
    }


def missing_sections(card: Mapping[str, Any], sections: Iterable[str] = SECTIONS) -> tuple[str, ...]:
    """Return the names of the sections that are not there or say nothing."""
    return tuple(section for section in sections if not card.get(section))


def _model(account: Account, best: Candidate) -> dict[str, Any]:
    tuned = f"the best of {len(best.search.trials)} trials" if best.search else "defaults, not searched for"
    return {
        "family": best.name,
        **{name: "none" if value == "" else value for name, value in best.parameters.items()},
        "chosen": tuned,
        "seed": account.comparison.config.seed,
        "trained by": account.comparison.config.trainer,
        "code version": account.code_version,
    }


def _split(comparison: Comparison) -> dict[str, Any]:
    config, fold = comparison.config, comparison.fold
    split, searched = (
        (
            f"by time: the last {config.test_share:.0%} of all purchases are held out",
            f"the last {config.validation_share:.0%} before them",
        )
        if fold.split is Split.TIME
        else (
            "leave-one-out: one held offer of each customer is held out, since no purchase comes after the others. It "
            "shows what people hold, not what they buy next",
            "another held offer of each customer",
        )
    )
    return {
        "split": split,
        "searched on": searched if config.tune else "nothing",
        "evaluated customers": len(fold.tasks),
        "fitted on customers": len(fold.interactions.customer_ids),
        "ranked offers": len(fold.interactions.offer_ids),
        "left out of a ranking": "what the customer held at the split",
    }


def _metrics(comparison: Comparison, best: Candidate) -> list[dict[str, Any]]:
    beside = {"this model": best, BASELINE: comparison.candidates[0]}
    if comparison.champion:
        beside["champion"] = comparison.champion
    return [
        {"metric": metric, **{name: one.intervals[metric].rounded() for name, one in beside.items()}}
        for metric in best.intervals
    ]


def _tried(candidate: Candidate) -> dict[str, Any]:
    against = candidate.against_popularity
    return {
        "family": candidate.name,
        HEADLINE: candidate.intervals[HEADLINE].rounded(),
        "against popularity": against.rounded() if against else "the baseline",
        "parameters": ", ".join(f"{name} {value}" for name, value in candidate.parameters.items() if value != ""),
        "warning": f"It {candidate.sameness}." if candidate.sameness else "",
    }


def _segments(comparison: Comparison, best: Candidate) -> str | list[dict[str, Any]]:
    segments = comparison.fold.tasks.segments
    if segments is None:
        return "No segments of the evaluated customers are known."
    found = {metric: by_group(best.evaluation.values[metric], segments, 1) for metric in (HEADLINE, "HR@5")}
    return [
        {"segment": name, "customers": share.customers, "HR@5": round(share.mean, 4),
         "ratio to everybody": round(share.ratio, 3) if np.isfinite(share.ratio) else "none",
         HEADLINE: round(found[HEADLINE][name].mean, 4)}
        for name, share in found["HR@5"].items()
    ]  # fmt: skip


def _facts(importance: Importance) -> list[dict[str, Any]]:
    read = {"the history: none at all instead of their own": importance.history, **importance.facts}
    return [{"what": name, f"{HEADLINE} lost": lost.rounded()} for name, lost in read.items()]


def _exposure(best: Candidate) -> dict[str, Any]:
    return {
        "places in a list": best.exposure.length,
        "share of offers shown to anybody": round(best.exposure.coverage, 4),
        "Gini index of exposure (0 even, 1 one offer takes all)": round(best.exposure.gini, 4),
    }


def _parity(parity: Parity | None) -> str | dict[str, Any]:
    if parity is None:
        return "Not measured: too few customers have two offers."
    return {
        "customers": parity.customers,
        "places in a list": parity.list_length,
        "measured by": "one hidden offer of each customer; lists without what the history holds",
        f"overlap@{parity.list_length} of both lists": parity.overlap.rounded(),
        "NDCG@5 of people never seen in training": parity.fold_in.rounded(),
        "NDCG@5 of the same after a full refit": parity.refit.rounded(),
        "NDCG@5, refit − fold-in": parity.difference.rounded(),
    }

"""Which hyper-parameters a search may set, by family; those not listed stay as they are."""

from collections.abc import Mapping
from dataclasses import dataclass

VERSION = 2
"""Raise it with every change of a space: trials of another version are not continued."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers from `low` to `high`, both included; on a logarithmic scale unless `is_linear`."""

    low: float
    high: float
    is_whole: bool = False
    is_linear: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    values: tuple[str, ...]


Space = Mapping[str, Numbers | Choice]

_FOLD_IN: Space = {
    "ridge": Numbers(0.01, 10.0),
    "background": Numbers(0.01, 1.0),
    "bias_weight": Numbers(0.0, 2.0, is_linear=True),
}

SPACES: Mapping[str, Space] = {
    "popularity": {"half_life_days": Numbers(30.0, 720.0)},
    "item_item": {
        "weighting": Choice(("cosine", "tfidf", "bm25", "p3alpha", "rp3beta")),
        "neighbours": Numbers(5, 300, is_whole=True),
        "hops": Numbers(1, 2, is_whole=True),
        "alpha": Numbers(0.3, 2.0),
        "beta": Numbers(0.0, 1.2, is_linear=True),
        "shrinkage": Numbers(0.0, 100.0, is_linear=True),
    },
    "ease": {"regularization": Numbers(1.0, 10_000.0)},
    "als": {
        "factors": Numbers(8, 256, is_whole=True),
        "regularization": Numbers(1e-5, 1_000.0),
        "alpha": Numbers(0.1, 200.0),
        "iterations": Numbers(5, 60, is_whole=True),
    },
    "bpr": {
        "factors": Numbers(8, 128, is_whole=True),
        "learning_rate": Numbers(0.01, 0.2),
        "regularization": Numbers(0.001, 0.1),
        "iterations": Numbers(30, 600, is_whole=True),
        "popularity_weight": Numbers(0.0, 1.0, is_linear=True),
        **_FOLD_IN,
    },
    "lmf": {
        "factors": Numbers(8, 64, is_whole=True),
        "learning_rate": Numbers(0.1, 2.0),
        "regularization": Numbers(0.05, 5.0),
        "iterations": Numbers(10, 60, is_whole=True),
        **_FOLD_IN,
    },
    "blend": {
        "half_life_days": Numbers(15.0, 720.0),
        "long_half_life_days": Numbers(60.0, 1_440.0),
        "regularization": Numbers(0.3, 100.0),
    },
    "ranker": {
        "leaves": Numbers(4, 31, is_whole=True),
        "learning_rate": Numbers(0.03, 0.15),
        "least_rows_in_leaf": Numbers(30, 500, is_whole=True),
        "l2": Numbers(1.0, 50.0),
    },
    "lightfm": {
        "factors": Numbers(8, 64, is_whole=True),
        "epochs": Numbers(5, 40, is_whole=True),
        "learning_rate": Numbers(0.01, 0.2),
        "item_alpha": Numbers(1e-6, 1e-2),
        "user_alpha": Numbers(1e-6, 1e-2),
    },
}

_WITH_SEGMENTS: Mapping[str, Space] = {
    "popularity": {"by": Choice(("", "segment")), "shrinkage": Numbers(10.0, 1_000.0)},
}


def space_of(family: str, has_segments: bool) -> Space:
    """Return the space of a family, wider where the customers' segments are known; empty for one not listed."""
    return {**SPACES.get(family, {}), **(_WITH_SEGMENTS.get(family, {}) if has_segments else {})}

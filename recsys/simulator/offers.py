"""The simulated catalogue with the hidden truth about each offer: whom it suits, and how much it is wanted when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.domain.offer import OfferKind
from recsys.simulator.chance import Generator
from recsys.simulator.data import load_yaml
from recsys.simulator.temperament import NEEDS


@dataclass(frozen=True, slots=True)
class Reason:
    """Why customers get in touch and what they say, by language."""

    name: str
    share: float
    need: int
    sentiment: float
    intents: tuple[str, ...]
    says: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class OfferTruths:
    """m offers as they really are, in catalogue order; `rows` are what an import directory may show."""

    rows: tuple[Mapping[str, Any], ...]
    ids: tuple[str, ...]
    index: Mapping[str, int]
    needs: NDArray[np.float64]
    """(m, 8) what each answers, rows of length 1 (a service action: 0)."""
    base: NDArray[np.float64]
    """(m,) log-odds that somebody of average taste says yes."""
    popularity: NDArray[np.float64]
    held: NDArray[np.float64]
    price: NDArray[np.float64]
    season: NDArray[np.float64]
    """(12, m) extra popularity by calendar month."""
    launched_days_ago: NDArray[np.float64]
    risk_level: NDArray[np.int64]
    is_service: NDArray[np.bool_]
    is_partner: NDArray[np.bool_]
    is_retention: NDArray[np.bool_]
    is_repeatable: NDArray[np.bool_]
    answers_reason: NDArray[np.bool_]
    """(r, m) whether an offer answers an intent of the reason."""


@cache
def reasons() -> tuple[Reason, ...]:
    """Return every reason to get in touch."""
    return tuple(
        Reason(
            name=name,
            share=float(row["share"]),
            need=NEEDS.index(row["need"]),
            sentiment=float(row["sentiment"]),
            intents=tuple(row["intents"]),
            says={language: tuple(sentences) for language, sentences in row["says"].items()},
        )
        for name, row in load_yaml("reasons.yaml").items()
    )


def draw_offers(now: datetime, rng: Generator) -> OfferTruths:
    """Return the catalogue as it stands at `now`; `rng` decides how far the marketers' first guess is off."""
    rows, tastes = load_yaml("catalogue.yaml"), load_yaml("tastes.yaml")
    truths = [tastes[row["offer_id"]] for row in rows]
    needs = np.array([[truth.get("needs", {}).get(need, 0.0) for need in NEEDS] for truth in truths])
    guess = np.array([row["starting_propensity"] for row in rows])
    kinds = np.array([row["kind"] for row in rows])
    return OfferTruths(
        rows=tuple(_dated(row, truth, now) for row, truth in zip(rows, truths, strict=True)),
        ids=tuple(row["offer_id"] for row in rows),
        index={row["offer_id"]: column for column, row in enumerate(rows)},
        needs=needs / np.maximum(np.linalg.norm(needs, axis=1, keepdims=True), 1e-9),
        base=np.log(guess / (1 - guess)) + rng.normal(0, 0.3, len(rows)),
        popularity=_column(truths, "popularity"),
        held=_column(truths, "held"),
        price=_column(truths, "price"),
        season=np.array([[0.6 * (month in t.get("season", ())) for t in truths] for month in range(1, 13)]),
        launched_days_ago=_column(truths, "launched_days_ago", np.inf),
        risk_level=np.array([row.get("risk_level", 1) for row in rows]),
        is_service=kinds == OfferKind.SERVICE.value,
        is_partner=kinds == OfferKind.PARTNER.value,
        is_retention=kinds == OfferKind.RETENTION.value,
        is_repeatable=np.array([bool(row.get("repeatable", False)) for row in rows]),
        answers_reason=np.array([[bool({*r.intents} & {*row["intents"]}) for row in rows] for r in reasons()]),
    )


def _column(truths: list[dict[str, Any]], name: str, default: float = 0.0) -> NDArray[np.float64]:
    return np.array([truth.get(name, default) for truth in truths], dtype=np.float64)


def _dated(row: dict[str, Any], truth: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the row with the validity dates that its launch and end give."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"valid_from": -truth.get("launched_days_ago", 0), "valid_to": truth.get("ends_in_days", 0)}
    return row | {name: (midnight + timedelta(days=offset)).isoformat() for name, offset in days.items() if offset}

"""Histories of many customers give the same evidence and holdings as of each alone."""

from datetime import timedelta

import numpy as np
import pytest

from recsys.domain.interaction import Interaction, held_offers
from recsys.interactions.history_columns import KINDS, HistoryColumns
from recsys.interactions.weights import history_weights
from recsys.ranking.people import microseconds
from tests.builders import NOW


@pytest.mark.parametrize("seed", range(10))
def test_evidence_and_holdings_are_those_of_each_customer_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 300
    rows, ages = np.sort(rng.integers(12, size=count)), rng.integers(0, 40, size=count)
    order = np.lexsort((-ages, rows))
    ages, offers, kinds = ages[order], rng.integers(5, size=count), rng.integers(len(KINDS), size=count)
    weights = rng.choice([0.5, 1.0, 2.0], count)
    events = [
        Interaction(f"c{row}", f"o{offer}", NOW - timedelta(days=int(age)), KINDS[kind], None, float(weight))
        for row, offer, age, kind, weight in zip(rows, offers, ages, kinds, weights, strict=True)
    ]
    at = np.array([microseconds(event.occurred_at) for event in events])
    columns = HistoryColumns(rows.astype(np.int32), offers.astype(np.int32), at, kinds.astype(np.int8), weights, 5)
    evidence, (held_rows, held) = columns.evidence(microseconds(NOW), 12).toarray(), columns.held()
    for row in range(12):
        own = tuple(event for event in events if event.customer_id == f"c{row}")
        found = {f"o{place}": value for place, value in enumerate(evidence[row].tolist()) if value > 0}
        assert found == pytest.approx(history_weights(own, NOW), rel=1e-12)
        assert {f"o{offer}" for offer in held[held_rows == row].tolist()} == held_offers(own)

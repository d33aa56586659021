"""A customer's history as weights of evidence."""

from datetime import UTC, datetime, timedelta

import pytest

from recsys.domain.interaction import Interaction, InteractionKind
from recsys.interactions.weights import EVIDENCE, history_weights

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def event(offer: str, kind: str, days_ago: float = 0.0, weight: float = 1.0) -> Interaction:
    return Interaction("c1", offer, NOW - timedelta(days=days_ago), InteractionKind(kind), weight=weight)


def test_every_kind_of_interaction_has_its_evidence() -> None:
    assert set(EVIDENCE) == set(InteractionKind)


def test_holdings_do_not_fade_and_signals_do() -> None:
    weights = history_weights([event("loan", "holding", 900), event("fund", "inquiry", 90)], NOW)
    assert weights == {"loan": 1.0, "fund": pytest.approx(0.25)}


def test_many_views_never_outweigh_one_holding() -> None:
    assert history_weights([event("fund", "view")] * 40, NOW) == {"fund": 1.0}


def test_a_cancelled_offer_is_no_longer_held_but_its_later_purchase_is() -> None:
    cancelled = [event("card", "holding", 9), event("card", "cancelled", 5)]
    assert history_weights(cancelled, NOW) == {}
    assert history_weights([*cancelled, event("card", "accepted", 1)], NOW) == {"card": 1.0}


def test_cancelling_leaves_the_signals() -> None:
    assert history_weights([event("card", "view"), event("card", "cancelled")], NOW) == {"card": 0.2}


def test_a_decline_is_no_evidence() -> None:
    assert history_weights([event("card", "declined")], NOW) == {}


def test_what_happens_later_is_not_known_yet() -> None:
    assert history_weights([event("card", "accepted", days_ago=-1)], NOW) == {}


def test_the_weight_of_an_event_scales_its_evidence() -> None:
    assert history_weights([event("card", "accepted", weight=0.5)], NOW) == {"card": 0.5}

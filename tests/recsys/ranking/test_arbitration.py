"""Arbitration against the plainest program that does the same."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.domain.offer import Offer, OfferKind
from recsys.domain.policy import Policy
from recsys.ranking.arbitration import arrange, best_first, is_upset, net_value, priority
from tests.builders import a_catalogue, an_offer

MONEY = st.floats(-500, 5_000)


@st.composite
def catalogues(draw: st.DrawFn) -> tuple[Offer, ...]:
    """Up to twelve offers of a few families, some of them alone, with and without a margin."""
    return tuple(
        an_offer(
            f"o{number:02d}",
            kind=draw(st.sampled_from(OfferKind)),
            family=draw(st.sampled_from(["", "a", "b", "c"])),
            margin=draw(st.none() | MONEY),
            handling_seconds=draw(st.floats(0, 3_000)),
            lever=draw(st.sampled_from([0.0, 0.5, 1.0, 3.0])),
        )
        for number in range(draw(st.integers(0, 12)))
    )


POLICIES = st.builds(
    Policy,
    default_margin=MONEY,
    service_value=MONEY,
    cost_per_second=st.floats(0, 1),
    upset_sales_weight=st.floats(0, 2),
)


def plain_value(offer: Offer, policy: Policy) -> float:
    margin = offer.margin
    if offer.kind is OfferKind.SERVICE:
        earned = policy.service_value + (margin or 0.0)
    else:
        earned = policy.default_margin if margin is None else margin
    return earned - offer.handling_seconds * policy.cost_per_second


def plain_priority(offer: Offer, propensity: float, is_upset: bool, policy: Policy) -> float:
    weight = policy.upset_sales_weight if is_upset and offer.kind is not OfferKind.SERVICE else 1.0
    return propensity * plain_value(offer, policy) * weight * offer.lever


def plain_list(offers: Sequence[Offer], length: int, sales_left: int) -> list[str]:
    shown: list[Offer] = []
    for offer in offers:
        sales = [one for one in shown if one.is_sale]
        if len(shown) == length or (offer.is_sale and len(sales) >= sales_left):
            continue
        if not offer.family or offer.family not in [one.family for one in shown]:
            shown.append(offer)
    return [offer.offer_id for offer in shown]


@given(catalogues(), POLICIES, st.booleans(), st.data())
def test_value_and_priority_are_what_their_formula_says(
    offers: tuple[Offer, ...], policy: Policy, is_upset: bool, data: st.DataObject
) -> None:
    table = a_catalogue(*offers).table
    chances = data.draw(st.lists(st.floats(0, 1), min_size=len(offers), max_size=len(offers)))
    values = net_value(table, policy)
    assert values.tolist() == pytest.approx([plain_value(offer, policy) for offer in offers])
    worth = priority(np.array(chances), values, is_upset, table, policy)
    expected = [plain_priority(o, chance, is_upset, policy) for o, chance in zip(offers, chances, strict=True)]
    assert worth.tolist() == pytest.approx(expected)


@given(catalogues(), st.booleans(), st.data())
def test_the_best_come_first_ties_go_by_id_and_service_leads_when_upset(
    offers: tuple[Offer, ...], is_upset: bool, data: st.DataObject
) -> None:
    table = a_catalogue(*offers).table
    few = st.sampled_from([-2.0, 0.0, 1.0, 1.5, math.inf])
    worth = np.array(data.draw(st.lists(few, min_size=len(offers), max_size=len(offers))), dtype=float)
    columns = data.draw(st.permutations(range(len(offers))))[: data.draw(st.integers(0, len(offers)))]
    ordered = best_first(np.array(columns, dtype=np.intp), worth, is_upset, table)
    plain = sorted(columns, key=lambda c: (is_upset and offers[c].is_sale, -worth[c], offers[c].offer_id))
    assert ordered.tolist() == plain


@given(catalogues(), st.integers(1, 8), st.integers(0, 8), st.data())
def test_the_list_is_that_of_the_plainest_program(
    offers: tuple[Offer, ...], length: int, sales_left: int, data: st.DataObject
) -> None:
    table = a_catalogue(*offers).table
    order = data.draw(st.permutations(range(len(offers))))
    shown = [table.offer_ids[column] for column in arrange(order, table, length, sales_left)]
    assert shown == plain_list([offers[column] for column in order], length, sales_left)


@pytest.mark.parametrize("has_complaint", [False, True])
@pytest.mark.parametrize(("sentiment", "is_bad"), [(None, False), (-0.41, True), (-0.4, False), (0.0, False)])
def test_an_open_complaint_or_a_bad_mood_upsets(has_complaint: bool, sentiment: float | None, is_bad: bool) -> None:
    assert is_upset(has_complaint, sentiment, Policy(upset_below=-0.4)) is (has_complaint or is_bad)

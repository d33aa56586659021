"""What families say that a fit needs in memory, beside what a process of its own had."""

import pytest

from recsys.models.families import FAMILIES
from serving.cli.bench.memory import Plan, measure


def said_over_measured(family: str, offers: int, customers: int, parameters: dict[str, object]) -> float:
    plan = Plan((family,), (offers,), customers, 10, None, {family: parameters})
    fits = measure(plan, lambda what, done, total: None)["fits"]
    return float(fits[0]["said_over_measured"])


def test_what_als_says_is_near_what_it_needs() -> None:
    assert 1 / 1.5 < said_over_measured("als", 2_000, 100_000, {}) < 1.5


def test_nothing_that_needs_more_is_started() -> None:
    plan = Plan(("ease",), (20_000,), 10**9, 10, 2**30)
    found = measure(plan, lambda what, done, total: None)["fits"][0]
    assert found["needs_bytes"] > 2**30
    assert found["peak_bytes"] is None


CATALOGUES = (500, 5_000, 25_000)
VARIANTS: list[tuple[str, dict[str, object]]] = [
    *((family, dict[str, object]()) for family in FAMILIES),
    ("item_item", {"neighbours": 200, "hops": 2}),
    ("item_item", {"weighting": "rp3beta", "neighbours": 200}),
    ("item_item", {"weighting": "cosine", "shrinkage": 5.0}),
]


@pytest.mark.slow
@pytest.mark.parametrize("offers", CATALOGUES)
@pytest.mark.parametrize(("family", "parameters"), VARIANTS)
def test_every_family_says_what_it_needs_within_a_factor_of_one_and_a_half(
    family: str, offers: int, parameters: dict[str, object]
) -> None:
    most = FAMILIES[family].most_offers
    if most is not None and offers > most:
        pytest.skip(f"{family} is for at most {most} offers")
    customers = 12_000 if (family, offers) == ("ease", 25_000) else 100_000  # or it would take half an hour
    assert 1 / 1.5 < said_over_measured(family, offers, customers, parameters) < 1.5

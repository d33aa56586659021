"""Who lives in the simulated bank."""

import re

import numpy as np
import pytest

from tests.recsys.simulator.worlds import a_world

POPULATION = a_world().population


@pytest.mark.parametrize(
    ("column", "low", "high"),
    [("vulnerable", 0.005, 0.04), ("arrears", 0.01, 0.05), ("do_not_contact", 0.01, 0.03)],
)
def test_flags_that_protect_people_are_rare_but_there(column: str, low: float, high: float) -> None:
    assert low < getattr(POPULATION, column).mean() < high


@pytest.mark.parametrize("purpose", ["marketing", "profiling", "partner"])
def test_each_consent_is_given_by_some_refused_by_some_and_never_asked_of_others(purpose: str) -> None:
    consent = getattr(POPULATION, f"consent_{purpose}")
    assert all(np.mean(consent == value) > 0.05 for value in (1, 0, -1))


def test_about_sixty_percent_have_chinese_names_and_most_of_them_speak_chinese() -> None:
    is_chinese = np.array([re.fullmatch(r"[\u4e00-\u9fff]+", name) is not None for name in POPULATION.name])
    assert is_chinese.mean() == pytest.approx(0.6, abs=0.04)
    assert np.mean(POPULATION.language[is_chinese] == "zh") > 0.9


def test_every_segment_has_people_and_mass_is_the_largest() -> None:
    names, counts = np.unique(POPULATION.segment, return_counts=True)
    assert set(names) == {"mass", "affluent", "private", "youth", "senior", "small_business"}
    assert names[counts.argmax()] == "mass"


def test_a_prospect_has_neither_tenure_nor_balance() -> None:
    prospects = ~POPULATION.is_customer
    assert prospects.any()
    assert not POPULATION.tenure_months[prospects].any()
    assert np.isnan(POPULATION.balance_cny[prospects]).all()


def test_nobody_has_been_a_customer_since_before_they_were_fifteen() -> None:
    assert (POPULATION.tenure_months <= 12 * np.maximum(1, POPULATION.age - 15)).all()

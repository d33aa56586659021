"""Customers are spread as the weights say, each campaign by itself, and nobody moves when more take part."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from experiments.assignment import Assigner, Assignment, GlobalHoldout, assign, assigner
from experiments.campaign import HOLDOUT
from recsys.domain.chance import uniform
from tests.builders import NOW
from tests.experiments.plans import a_plan, an_assigner, arms

LEAST_P = 0.001


def arms_of(one: Assigner, units: Iterable[int], facts: dict[str, Any] | None = None) -> list[str]:
    """The arm of each customer, "" for who does not take part."""
    found = (one.assign(b"c%d" % unit, facts or {}, "phone", NOW) for unit in units)
    return [assignment.arm if assignment else "" for assignment in found]


def p_value(observed: Iterable[str], shares: dict[str, float]) -> float:
    """χ² of the counts against the designed shares."""
    counts = Counter(observed)
    expected = [share * counts.total() for share in shares.values()]
    return float(chisquare([counts[arm] for arm in shares], expected).pvalue)


def joint_p_value(first: list[str], second: list[str]) -> float:
    """χ² of independence of two campaigns' arms."""
    table: Counter[tuple[str, str]] = Counter(zip(first, second, strict=True))
    rows, columns = sorted(set(first)), sorted(set(second))
    return float(chi2_contingency(np.array([[table[row, column] for column in columns] for row in rows])).pvalue)


def check_split(customers: int) -> None:
    first = arms_of(an_assigner("k1", arms=arms(10, 20, 70)), range(customers))
    second = arms_of(an_assigner("k2", arms=arms(50, 50)), range(customers))
    assert p_value(first, {"control": 0.1, "a1": 0.2, "a2": 0.7}) > LEAST_P
    assert joint_p_value(first, second) > LEAST_P


def test_two_hundred_thousand_are_spread_by_the_weights_and_independently_of_another_campaign() -> None:
    check_split(200_000)


@pytest.mark.slow
def test_ten_million_are_spread_by_the_weights_and_independently_of_another_campaign() -> None:
    check_split(10_000_000)


def test_an_arm_is_the_hash_under_the_salt_of_the_campaign() -> None:
    found = arms_of(an_assigner("k1", arms=arms(1, 3)), range(1000))
    assert found == ["control" if uniform("k1|arm", f"c{unit}") < 0.25 else "a1" for unit in range(1000)]


def test_more_coverage_brings_new_customers_and_moves_nobody() -> None:
    small = arms_of(an_assigner(coverage=0.1, arms=arms(1, 2, 3)), range(20_000))
    large = arms_of(an_assigner(coverage=0.6, arms=arms(1, 2, 3)), range(20_000))
    assert all(before in ("", after) for before, after in zip(small, large, strict=True))
    assert 0.09 < 1 - small.count("") / 20_000 < 0.11
    assert 0.58 < 1 - large.count("") / 20_000 < 0.62


def test_an_arm_of_weight_zero_gets_nobody_and_changes_nothing() -> None:
    without = arms_of(an_assigner(arms=arms(1, 1)), range(5000))
    assert arms_of(an_assigner(arms=arms(1, 1, 0)), range(5000)) == without


def test_the_holdout_has_its_share_and_no_arm() -> None:
    one = an_assigner(holdout=0.2, arms=arms(1, 1))
    assert p_value(arms_of(one, range(50_000)), {HOLDOUT: 0.2, "control": 0.4, "a1": 0.4}) > LEAST_P
    assert (one.held.probability, [a.probability for a in one.split.assignments]) == (0.2, [0.4, 0.4])


def test_coverage_holdout_and_arm_are_independent() -> None:
    covered = np.array(arms_of(an_assigner(coverage=0.5, holdout=0.3), range(50_000))) != ""
    held = np.array(arms_of(an_assigner(holdout=0.3), range(50_000))) == HOLDOUT
    pushed = np.array(arms_of(an_assigner(), range(50_000))) == "pushed"
    for first, second in ((covered, held), (covered, pushed), (held, pushed)):
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.02


def test_campaigns_with_other_slots_of_a_layer_share_nobody() -> None:
    lower = arms_of(an_assigner("k1", layer={"name": "cards", "slots": [0, 300]}), range(20_000))
    upper = arms_of(an_assigner("k2", layer={"name": "cards", "slots": [300, 1000]}), range(20_000))
    assert all((first == "") != (second == "") for first, second in zip(lower, upper, strict=True))
    assert 0.28 < 1 - lower.count("") / 20_000 < 0.32


@pytest.mark.parametrize(("age", "takes_part"), [(40, True), (20, False), (None, False)])
def test_only_whom_the_audience_is_true_for_takes_part(age: int | None, takes_part: bool) -> None:
    (arm,) = arms_of(an_assigner(audience="age > 30"), [1], {"age": age})
    assert (arm != "") is takes_part


def test_only_its_channels_and_its_period_count() -> None:
    one = an_assigner(channels=["app"], starts_at=NOW.isoformat(), ends_at=(NOW + timedelta(days=1)).isoformat())
    moments = (NOW - timedelta(seconds=1), NOW, NOW + timedelta(days=1))
    assert [one.assign(b"c1", {}, "app", at) is not None for at in moments] == [False, True, False]
    assert one.assign(b"c1", {}, "phone", NOW) is None


def test_the_fixed_slice_keeps_the_weights_of_the_plan() -> None:
    plan = a_plan(arms=arms(1, 1), allocation={"kind": "thompson", "fixed_slice": 0.5})
    one = assigner("k1", plan, 2, {"control": 0.1, "a1": 0.9}, None)
    found = [assignment for unit in range(20_000) if (assignment := one.assign(b"c%d" % unit, {}, "phone", NOW))]
    fixed = [assignment for assignment in found if assignment.in_fixed_slice]
    assert p_value([one.arm for one in fixed], {"control": 0.5, "a1": 0.5}) > LEAST_P
    assert p_value([one.arm for one in found if not one.in_fixed_slice], {"control": 0.1, "a1": 0.9}) > LEAST_P
    assert {(one.arm, one.probability) for one in fixed} == {("control", 0.5), ("a1", 0.5)}


def test_the_globally_held_out_are_a_share_of_all_customers_and_change_with_time() -> None:
    holdout = GlobalHoldout(share=0.1, rotation_days=90)
    units = [b"c%d" % unit for unit in range(10_000)]
    now = {unit for unit in units if holdout.holds(unit, NOW)}
    later = {unit for unit in units if holdout.holds(unit, NOW + timedelta(days=90))}
    assert 900 < len(now) < 1100
    assert 60 < len(now & later) < 140


def test_who_was_assigned_before_is_not_assigned_again() -> None:
    both = [an_assigner("k1"), an_assigner("k2")]
    (found,) = assign("c1", {}, ("phone", NOW), both, already={"k1"})
    assert found == Assignment("k2", 1, found.arm, 0.5, {"control": 0.5, "pushed": 0.5})

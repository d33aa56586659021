"""Off-policy evaluation: exact on small logs, unbiased and honest on simulated ones."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.evaluation.policy_log import PolicyLog
from recsys.evaluation.policy_value import PolicyValue, evaluate_policy
from tests.recsys.evaluation.policy_world import (
    ESTIMATORS,
    LOGGING,
    TARGET,
    TRUE_VALUE,
    Customers,
    a_log,
    a_simulated_log,
    robust,
)

FOUR = a_log(np.array([[1, 0], [0.75, 0.25], [0.4, 0.6], [0.5, 0.5]]), [0, 1, 0, 1], [1, 0, 0, 1], [0.5, 0.5, 0.8, 0.2])
"""Four decisions with weights 2, ½, ½, 2½: few enough to value by hand."""


def test_ips_and_snips_are_as_computed_by_hand() -> None:
    value = evaluate_policy(FOUR)
    assert (value.ips.estimate, value.snips.estimate) == pytest.approx(((2 + 2.5) / 4, 4.5 / 5.5))
    squares = (2 - 1.125) ** 2 + 2 * 1.125**2 + (2.5 - 1.125) ** 2
    assert value.ips.standard_error == pytest.approx(math.sqrt(squares / 3 / 4))


def test_the_standard_error_of_snips_is_that_of_a_ratio() -> None:
    errors = [w * (r - 9 / 11) * 4 / 5.5 for w, r in ((2, 1), (0.5, 0), (0.5, 0), (2.5, 1))]
    expected = math.sqrt(4 / 3 * sum(error**2 for error in errors)) / 4
    assert evaluate_policy(FOUR).snips.standard_error == pytest.approx(expected)


def test_diagnostics_are_as_computed_by_hand() -> None:
    value = evaluate_policy(FOUR)
    assert value.effective_sample_size == pytest.approx(5.5**2 / (4 + 0.25 + 0.25 + 6.25))
    assert (value.max_weight, value.mean_weight.estimate) == pytest.approx((2.5, 1.375))


def test_dr_with_given_expected_rewards_is_as_computed_by_hand() -> None:
    expected = np.array([[0.5, 0.0], [0.2, 0.4], [0.1, 0.3], [0.6, 0.8]])
    scores = [0.5 + 2 * 0.5, 0.25 - 0.5 * 0.4, 0.22 - 0.5 * 0.1, 0.7 + 2.5 * 0.2]
    dr = robust(evaluate_policy(replace(FOUR, expected_rewards=expected))).dr
    assert dr.estimate == pytest.approx(np.mean(scores))
    assert dr.standard_error == pytest.approx(np.std(scores, ddof=1) / 2)


def test_fitted_expected_rewards_have_not_seen_the_row_they_are_for() -> None:
    # Without the first row, a earned 0 once, b 0 and 1, and all ⅓ on average: q(a) = (0 + ⅓) / 2, q(b) = (1 + ⅓) / 3.
    means = [[1 / 6, 4 / 9], [5 / 9, 5 / 6], [5 / 6, 5 / 9], [4 / 9, 1 / 6]]
    fitted = robust(evaluate_policy(FOUR)).dr
    given_means = robust(evaluate_policy(replace(FOUR, expected_rewards=np.array(means)))).dr
    assert fitted.estimate == pytest.approx(given_means.estimate)


def test_fitted_expected_rewards_have_not_seen_the_cluster_of_the_row() -> None:
    together = replace(FOUR, clusters=np.array([0, 0, 1, 1]))
    # Cluster 1 earned 0 with a and 1 with b, ½ on average; so did cluster 0, the other way round.
    means = np.array([[0.25, 0.75]] * 2 + [[0.75, 0.25]] * 2)
    known = robust(evaluate_policy(replace(together, expected_rewards=means))).dr.estimate
    assert robust(evaluate_policy(together)).dr.estimate == pytest.approx(known)


def test_with_a_single_cluster_nothing_is_said_of_errors_and_dr_is_left_out() -> None:
    document = evaluate_policy(replace(FOUR, clusters=np.zeros(4, dtype=np.intp))).as_json()
    assert (document["dr"], document["switch_dr"], document["lift"]) == (None, None, None)
    assert document["ips"] == {"estimate": 1.125, "standard_error": None, "low": None, "high": None}


@pytest.fixture(scope="module")
def values_of_many_logs() -> list[PolicyValue]:
    rng = np.random.default_rng(0)
    return [evaluate_policy(a_simulated_log(rng)) for _ in range(2_000)]


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr"])
def test_over_thousands_of_logs_the_mean_estimate_is_the_true_value(
    estimator: str, values_of_many_logs: list[PolicyValue]
) -> None:
    estimates = np.array([ESTIMATORS[estimator](value).estimate for value in values_of_many_logs])
    assert abs(estimates.mean() - TRUE_VALUE) < 3 * estimates.std() / math.sqrt(len(estimates))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_intervals_cover_the_true_value_about_as_often_as_they_say(
    estimator: str, values_of_many_logs: list[PolicyValue]
) -> None:
    intervals = [ESTIMATORS[estimator](value) for value in values_of_many_logs]
    covered = np.mean([one.low <= TRUE_VALUE <= one.high for one in intervals])
    assert (0.93 if estimator in ("ips", "snips", "dr") else 0.85) <= covered <= 0.975


@pytest.mark.parametrize("estimator", ["snips", "dr", "switch_dr", "shrunk_dr"])
def test_standard_errors_are_as_large_as_the_estimates_scatter(
    estimator: str, values_of_many_logs: list[PolicyValue]
) -> None:
    estimates = [ESTIMATORS[estimator](value) for value in values_of_many_logs]
    said = np.mean([one.standard_error for one in estimates])
    assert said == pytest.approx(np.std([one.estimate for one in estimates]), rel=0.12)


@pytest.mark.parametrize("estimator", ["switch_dr", "shrunk_dr"])
def test_where_all_actions_earn_alike_shrinking_does_not_hide_the_error_of_the_fitted_means(estimator: str) -> None:
    rng = np.random.default_rng(9)
    logs = [a_simulated_log(rng) for _ in range(300)]
    values = [evaluate_policy(replace(log, rewards=(rng.random(400) < 0.3).astype(float))) for log in logs]
    estimates = [ESTIMATORS[estimator](value) for value in values]
    assert np.mean([one.low <= 0.3 <= one.high for one in estimates]) > 0.85


def test_healthy_logs_are_hardly_ever_refused(values_of_many_logs: list[PolicyValue]) -> None:
    assert np.mean([bool(value.reasons) for value in values_of_many_logs]) < 0.01


def test_clustered_intervals_cover_where_those_of_single_decisions_do_not() -> None:
    rng = np.random.default_rng(1)
    customers = Customers(count=150, decisions=12, alike=0.9)
    logs = [a_simulated_log(rng, customers, is_clustered=True) for _ in range(250)]
    covered = {True: 0, False: 0}
    for log in logs:
        for is_clustered in covered:
            estimate = evaluate_policy(log if is_clustered else replace(log, clusters=None)).ips
            covered[is_clustered] += estimate.low <= TRUE_VALUE <= estimate.high
    assert covered[True] >= 0.93 * len(logs)
    assert covered[False] < 0.85 * len(logs)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_standard_errors_grow_when_customers_repeat_themselves(estimator: str) -> None:
    log = a_simulated_log(np.random.default_rng(2), Customers(200, 10, alike=1.0), is_clustered=True)
    clustered, alone = (ESTIMATORS[estimator](evaluate_policy(one)) for one in (log, replace(log, clusters=None)))
    assert clustered.standard_error > 1.2 * alone.standard_error


def test_a_log_that_was_copied_says_no_more_than_once_when_clustered_by_its_rows() -> None:
    log = a_simulated_log(np.random.default_rng(3))
    count = len(log.taken)
    copied = replace(
        log,
        taken=np.tile(log.taken, 3),
        rewards=np.tile(log.rewards, 3),
        propensities=np.tile(log.propensities, 3),
        target_rows=np.concatenate([log.target_rows + count * time for time in range(3)]),
        target_actions=np.tile(log.target_actions, 3),
        target_probabilities=np.tile(log.target_probabilities, 3),
        clusters=np.tile(np.arange(count), 3),
    )
    once, thrice = evaluate_policy(log), evaluate_policy(copied)
    assert thrice.snips.standard_error == pytest.approx(once.snips.standard_error)


def test_a_verdict_is_refused_when_few_decisions_count() -> None:
    log = a_log(np.full((90, 2), 0.5), [0, 1] * 45, [1, 0] * 45, [0.5] * 90)
    assert evaluate_policy(log).reasons == ("The effective sample size is 90.0, below 100.",)


def test_a_verdict_is_refused_when_a_small_share_of_the_decisions_counts() -> None:
    count, kept = 40_000, 160
    target = np.tile([0.0, 1.0], (count, 1))
    taken = [1] * kept + [0] * (count - kept)
    log = a_log(target, taken, [0.0] * count, [kept / count] * kept + [1 - kept / count] * (count - kept))
    assert evaluate_policy(log).reasons == ("The effective sample size is 0.40% of the decisions, below 1 %.",)


def test_a_verdict_is_refused_when_the_propensities_are_wrong() -> None:
    log = a_simulated_log(np.random.default_rng(4), Customers(5_000))
    (reason,) = evaluate_policy(replace(log, propensities=log.propensities * 0.8)).reasons
    assert reason.startswith("The mean weight is 1.2")


def test_a_verdict_is_refused_when_the_target_wants_what_was_never_tried() -> None:
    log = a_log(np.tile([0.5, 0.48, 0.02], (300, 1)), [0, 1] * 150, [1, 0] * 150, [0.5] * 300)
    value = evaluate_policy(log)
    assert value.reasons[0] == "The target gives 2.000% of its choices to actions the log never took: c."
    assert value.unsupported_mass == pytest.approx(0.02)


def test_an_action_that_neither_policy_takes_is_not_missed() -> None:
    log = a_log(np.tile([0.5, 0.5, 0.0], (300, 1)), [0, 1] * 150, [1, 0] * 150, [0.5] * 300)
    assert evaluate_policy(log).reasons == ()


def test_a_target_that_shares_nothing_with_the_log_gets_figures_that_say_so() -> None:
    log = a_log(np.tile([0.0, 1.0], (200, 1)), [0] * 200, [1.0] * 200, [0.5] * 200)
    document = evaluate_policy(log).as_json()
    assert document["verdict"] == "refused"
    assert (document["snips"]["estimate"], document["effective_sample_size"]) == (None, 0.0)


def test_rounded_probabilities_are_not_held_against_the_log() -> None:
    log = a_log(np.full((300, 3), 1 / 3), [0, 1, 2] * 100, [0, 0, 1] * 100, [0.3333] * 300)
    assert evaluate_policy(log).reasons == ()


def test_large_weights_are_never_clipped_in_ips() -> None:
    log = a_log(np.tile([1.0, 0.0], (10, 1)), [0] + [1] * 9, [1.0] + [0.0] * 9, [0.0001] + [0.9999] * 9)
    assert evaluate_policy(log).ips.estimate == pytest.approx(1_000.0)


def test_switching_and_shrinking_say_which_parameter_they_chose() -> None:
    document = evaluate_policy(a_simulated_log(np.random.default_rng(5))).as_json()
    assert document["switch_dr"]["threshold"] is None or document["switch_dr"]["threshold"] > 0
    assert document["shrunk_dr"]["shrinkage"] is None or document["shrunk_dr"]["shrinkage"] > 0


def test_one_rare_choice_with_a_huge_weight_moves_the_shrunk_estimate_less() -> None:
    log = a_simulated_log(np.random.default_rng(6))
    propensities = log.propensities.copy()
    propensities[np.flatnonzero(log.rewards)[0]] = 0.002
    value = robust(evaluate_policy(replace(log, propensities=propensities)))
    assert value.shrunk.value.standard_error < 0.8 * value.dr.standard_error
    assert abs(value.shrunk.value.estimate - TRUE_VALUE) < abs(value.dr.estimate - TRUE_VALUE)


logs = st.integers(0, 2**32 - 1).map(lambda seed: a_simulated_log(np.random.default_rng(seed), Customers(40, 3), True))


def figures(value: PolicyValue) -> list[float]:
    """Every figure of every estimate, and the diagnostics."""
    estimates = [estimator(value) for estimator in ESTIMATORS.values()]
    numbers = [number for one in estimates for number in (one.estimate, one.standard_error, one.low, one.high)]
    return [*numbers, value.effective_sample_size, value.max_weight, value.mean_weight.estimate]


@settings(max_examples=25, deadline=None)
@given(logs, st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_does_not_matter(log: PolicyLog, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order, entries = rng.permutation(len(log.taken)), rng.permutation(len(log.target_rows))
    shuffled = replace(
        log,
        taken=log.taken[order],
        rewards=log.rewards[order],
        propensities=log.propensities[order],
        clusters=log.groups[order],
        target_rows=np.argsort(order)[log.target_rows][entries],
        target_actions=log.target_actions[entries],
        target_probabilities=log.target_probabilities[entries],
    )
    assert figures(evaluate_policy(shuffled)) == pytest.approx(figures(evaluate_policy(log)))


@settings(max_examples=25, deadline=None)
@given(logs, st.permutations([0, 1, 2]))
def test_the_names_of_the_actions_do_not_matter(log: PolicyLog, names: list[int]) -> None:
    number = np.array(names)
    renamed = replace(log, taken=number[log.taken], target_actions=number[log.target_actions])
    assert figures(evaluate_policy(renamed)) == pytest.approx(figures(evaluate_policy(log)))


@settings(max_examples=25, deadline=None)
@given(logs, st.floats(0.1, 100), st.floats(-50, 50))
def test_rewards_in_another_unit_give_values_in_that_unit(log: PolicyLog, unit: float, shift: float) -> None:
    one, other = (evaluate_policy(each) for each in (log, replace(log, rewards=unit * log.rewards + shift)))
    for name in ("snips", "dr"):  # IPS does not move with the zero of the scale where the mean weight is not 1
        expected = unit * ESTIMATORS[name](one).estimate + shift
        assert ESTIMATORS[name](other).estimate == pytest.approx(expected)
    assert other.logged.standard_error == pytest.approx(unit * one.logged.standard_error)


@settings(max_examples=25, deadline=None)
@given(logs)
def test_the_effective_sample_size_is_at_most_the_number_of_decisions(log: PolicyLog) -> None:
    value = evaluate_policy(log)
    assert 1 <= value.effective_sample_size <= value.decisions
    assert value.ips.low <= value.ips.estimate <= value.ips.high


def test_a_target_equal_to_the_logging_policy_earns_what_was_logged() -> None:
    rng = np.random.default_rng(7)
    taken = (rng.random(500) < 0.4).astype(int)
    log = a_log(
        np.tile([0.6, 0.4], (500, 1)), taken.tolist(), rng.random(500).tolist(), np.where(taken, 0.4, 0.6).tolist()
    )
    value = evaluate_policy(log)
    assert value.ips == value.logged
    assert value.snips.estimate == pytest.approx(log.rewards.mean())


def test_the_lift_over_a_policy_much_like_the_logging_one_is_known_far_better_than_either() -> None:
    log = a_simulated_log(np.random.default_rng(8), Customers(2_000))
    target = log.target_probabilities.reshape(-1, 3)
    logging = LOGGING[(target[:, 0] == TARGET[1, 0]).astype(int)]
    value = evaluate_policy(replace(log, target_probabilities=(0.9 * logging + 0.1 * target).ravel()))
    assert robust(value).lift.standard_error < 0.2 * robust(value).dr.standard_error
    assert robust(value).lift.estimate == pytest.approx(robust(value).dr.estimate - log.rewards.mean())

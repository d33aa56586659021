"""The read-out as a document: what it promises, epochs, empty arms and what it says where it cannot tell."""

import json

import numpy as np
import pytest

from experiments.analysis import MetricTotals, Readout, analyse
from experiments.arm_totals import ArmTotals
from experiments.estimate import Plan
from experiments.srm import Split
from tests.experiments.arms import BINARY, MEAN, RATIO, an_arm

PLAN = Plan(2_000)
ESTIMATE = {
    "estimate": None,
    "standard_error": None,
    "fixed": dict.fromkeys(("low", "high", "p_value")),
    "always_valid": dict.fromkeys(("low", "high", "p_value", "planned_n")),
}


def shape(document: object) -> object:
    """The keys of a document, without its values."""
    return {key: shape(value) for key, value in document.items()} if isinstance(document, dict) else None


def read_out(*epochs: dict[str, tuple[int, int]]) -> Readout:
    """The read-out of conversions: arm → (successes, units) in each epoch, all arms of equal weight."""
    splits = [Split({arm: n for arm, (_, n) in epoch.items()}, dict.fromkeys(epoch, 1.0)) for epoch in epochs]
    totals = [{arm: an_arm(*counted) for arm, counted in epoch.items()} for epoch in epochs]
    return analyse(splits, [MetricTotals("sold", BINARY, totals)], "none", PLAN)


def test_the_document_has_what_the_contract_promises() -> None:
    rng = np.random.default_rng(1)
    arms = {name: ArmTotals.of(rng.normal(5, 1, 300), rng.normal(0, 1, 300)) for name in ("none", "mail")}
    split = Split({"none": 300, "mail": 300}, {"none": 0.5, "mail": 0.5})
    document = analyse([split], [MetricTotals("spend", MEAN, [arms], covariates=1)], "none", PLAN).as_json()
    assert document["srm"].keys() >= {"p_value", "statistic", "df", "sequential_p_value", "verdict"}
    (metric,) = document["metrics"]
    promised = {
        "name": None, "arm": None, "control": None,
        "n": {"none": None, "mail": None}, "mean": {"none": None, "mail": None},
        "absolute": ESTIMATE, "relative": ESTIMATE,
        "cuped": {"variance_reduction": None, "absolute": ESTIMATE, "relative": ESTIMATE},
        "bayes": {"chance_to_win": None, "risk": None},
    }  # fmt: skip
    assert shape({key: metric[key] for key in promised}) == promised


def test_every_arm_is_compared_with_the_control_on_every_metric() -> None:
    results = read_out({"none": (50, 500), "a": (60, 500), "b": (80, 500)}).metrics
    assert [(result.arm, result.n) for result in results] == [
        ("a", {"none": 500, "a": 500}),
        ("b", {"none": 500, "b": 500}),
    ]
    raw = [result.absolute.fixed.p_value for result in results if result.absolute]
    assert [result.adjusted_p_value for result in results] == pytest.approx([raw[0], 2 * raw[1]])


def test_an_empty_arm_of_weight_0_changes_nothing() -> None:
    arms = {"none": an_arm(50, 500), "a": an_arm(60, 500)}
    counts, weights = {"none": 500, "a": 500}, {"none": 1.0, "a": 1.0}
    plain = analyse([Split(counts, weights)], [MetricTotals("sold", BINARY, [arms])], "none", PLAN)
    more = analyse(
        [Split({**counts, "b": 0}, {**weights, "b": 0.0})],
        [MetricTotals("sold", BINARY, [{**arms, "b": an_arm(0, 0)}])],
        "none",
        PLAN,
    )
    assert more.as_json() == plain.as_json()


def test_epochs_are_stratified_and_an_epoch_without_a_control_does_not_count() -> None:
    first, second = {"none": (80, 800), "a": (9, 100)}, {"none": (30, 100), "a": (232, 800)}
    (result,) = read_out(first, second).metrics
    assert result.absolute is not None
    assert result.absolute.estimate == pytest.approx(-0.01)
    (same,) = read_out(first, second, {"none": (0, 0), "a": (5, 50)}).metrics
    assert same.absolute == result.absolute
    assert same.notes == ("Epoch 3 does not count: an arm has fewer than 2 units.",)


def test_an_arm_of_one_unit_has_no_effect_yet() -> None:
    (result,) = read_out({"none": (1, 10), "a": (1, 1)}).metrics
    assert result.absolute is None
    assert result.notes == ("No effect can be given: an arm has fewer than 2 units.",)


@pytest.mark.parametrize(
    ("control", "treatment", "said"),
    [((0, 100), (5, 100), "No relative effect: the control's mean is 0."),
     ((1, 100), (5, 100), "No bounds of the relative effect: the arms' means are too close to 0."),
     ((50, 100), (40, 100), None)],
)  # fmt: skip
def test_what_cannot_be_told_is_said(control: tuple[int, int], treatment: tuple[int, int], said: str | None) -> None:
    (result,) = read_out({"none": control, "a": treatment}).metrics
    assert result.notes == ((said,) if said else ())


def test_what_is_no_number_is_null_in_the_document() -> None:
    document = read_out({"none": (1, 100), "a": (5, 100)}).as_json()
    assert document["metrics"][0]["relative"]["fixed"]["low"] is None
    json.dumps(document, allow_nan=False)


def test_a_ratio_without_a_denominator_has_no_effect() -> None:
    nothing = ArmTotals.of([1.0, 2.0], [0.0, 0.0])
    split = Split({"none": 2, "a": 2}, {"none": 1.0, "a": 1.0})
    (result,) = analyse([split], [MetricTotals("r", RATIO, [{"none": nothing, "a": nothing}])], "none", PLAN).metrics
    assert (result.absolute, result.notes) == (None, ("No effect can be given: a denominator adds up to 0.",))


def test_small_counts_have_the_beta_posterior() -> None:
    (few,) = read_out({"none": (0, 20), "a": (0, 20)}).metrics
    assert few.bayes is not None
    assert few.bayes.chance_to_win == pytest.approx(0.5)
    assert few.bayes.risk > 0.01


@pytest.mark.parametrize(("missing", "warns"), [((40, 42), False), ((10, 120), True)])
def test_arms_whose_outcomes_are_missing_unequally_are_called_so(missing: tuple[int, int], warns: bool) -> None:
    arms = {"none": an_arm(50, 500), "a": an_arm(60, 500)}
    metric = MetricTotals("sold", BINARY, [arms], left_out=dict(zip(arms, missing, strict=True)))
    (result,) = analyse([Split({"none": 540, "a": 560}, {"none": 1, "a": 1})], [metric], "none", PLAN).metrics
    assert f"{missing[0]} of none, {missing[1]} of a" in result.notes[0]
    assert ("The shares differ" in result.notes[0]) == warns

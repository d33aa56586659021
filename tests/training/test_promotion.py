"""The promotion gates."""

from pathlib import Path

import numpy as np

from features.skew import FeatureSkew
from recsys.evaluation.intervals import Interval
from recsys.evaluation.probability_metrics import Forecasts
from recsys.evaluation.sameness import Sameness
from recsys.interactions.matrix import build_matrix
from recsys.models.bundle_files import save_bundle
from recsys.models.popularity import Popularity
from training.gates import Gate, Verdict, approver_to_come, judge_approver, refusals
from training.promotion import (
    NOT_JUDGED_YET,
    Rivals,
    judge_bundle,
    judge_calibration,
    judge_card,
    judge_exposure,
    judge_order,
    judge_rivals,
    judge_sameness,
    judge_skew,
)

SOMEBODY = np.random.default_rng(0).random(400)


def gates(challenger: np.ndarray, popularity: np.ndarray | None, champion: np.ndarray | None) -> list[Gate]:
    rivals = Rivals(challenger, popularity, champion, np.arange(len(challenger)))
    return list(judge_rivals(rivals, "NDCG@5", 0.05, np.random.default_rng(1)))


def exposure(*served: tuple[str, int, float]) -> Gate:
    """The gate for segments of (name, customers, share of them with a hit)."""
    hits = np.concatenate([np.arange(count) < count * share for _, count, share in served]).astype(float)
    segments = np.concatenate([np.full(count, name) for name, count, _ in served])
    return judge_exposure(hits, np.ones(len(hits), dtype=bool), segments)


def test_a_clearly_better_challenger_passes_every_gate() -> None:
    assert {gate.verdict for gate in gates(SOMEBODY + 0.1, SOMEBODY, SOMEBODY)} == {Verdict.PASSED}


def test_a_challenger_no_better_than_popularity_is_refused_with_the_figure() -> None:
    refused = refusals(gates(SOMEBODY, np.roll(SOMEBODY, 1), None))
    assert len(refused) == 1
    assert refused[0].startswith("better than popularity: NDCG@5 differs by +0.0000 [-0.")


def test_a_challenger_worse_than_the_champion_is_refused() -> None:
    refused = refusals(gates(SOMEBODY, SOMEBODY - 0.1, SOMEBODY + 0.05))
    assert [text.split(":")[0] for text in refused] == ["not worse than the champion"]


def test_a_little_worse_than_the_champion_is_within_the_margin() -> None:
    assert refusals(gates(SOMEBODY - 0.01, None, SOMEBODY)) == ()


def test_the_same_recipe_is_not_worse_than_itself() -> None:
    assert refusals(gates(np.zeros(10), None, np.zeros(10))) == ()
    assert refusals(gates(SOMEBODY, None, SOMEBODY)) == ()


def test_popularity_need_not_be_better_than_itself_nor_than_a_champion_that_is_not_there() -> None:
    assert {gate.verdict for gate in gates(SOMEBODY, None, None)} == {Verdict.NOT_APPLICABLE}


def test_what_cannot_be_judged_yet_is_never_said_to_have_passed() -> None:
    assert [gate.name for gate in NOT_JUDGED_YET] == ["calibration error", "off-policy value"]
    assert [gate.described()["passed"] for gate in NOT_JUDGED_YET] == [None, None]
    assert all(len(gate.figure) > 20 for gate in NOT_JUDGED_YET)


def test_without_segments_the_gate_says_so_and_passes() -> None:
    gate = judge_exposure(np.ones(3), np.ones(3, dtype=bool), None)
    assert (gate.verdict, gate.figure) == (Verdict.NOT_APPLICABLE, "no segments known")


def test_segments_served_alike_pass() -> None:
    assert exposure(("young", 200, 0.50), ("old", 200, 0.46)).verdict is Verdict.PASSED


def test_a_segment_served_noticeably_worse_is_a_warning_that_names_it() -> None:
    gate = exposure(("young", 200, 0.40), ("old", 200, 0.60), ("other", 400, 0.60))
    assert gate.verdict is Verdict.WARNED
    assert gate.figure.startswith("HR@5 of young is 0.73 × everybody's")
    assert not gate.is_refused


def test_a_segment_served_less_than_half_as_well_refuses_the_model() -> None:
    gate = exposure(("young", 200, 0.20), ("old", 600, 0.60))
    assert gate.is_refused
    assert gate.figure.startswith("HR@5 of young is 0.40 × everybody's")


def test_a_segment_that_gets_no_lists_refuses_the_model() -> None:
    segments = np.repeat(["young", "old"], 200)
    gate = judge_exposure(np.ones(400), segments == "old", segments)
    assert gate.is_refused
    assert "lists that show anything of young is 0.00 × everybody's" in gate.figure


def test_a_segment_of_few_customers_and_those_of_no_segment_are_not_judged() -> None:
    assert exposure(("few", 99, 0.0), ("", 400, 0.0), ("many", 800, 0.5)).verdict is not Verdict.REFUSED
    assert exposure(("few", 99, 0.5)).verdict is Verdict.NOT_APPLICABLE


def test_who_trained_a_version_is_not_its_approver_under_any_spelling() -> None:
    assert judge_approver("Ada", " ada ").is_refused
    assert judge_approver("Ada", "  ").is_refused
    assert not judge_approver("Ada", "Grace").is_refused
    assert approver_to_come("Ada").verdict is Verdict.NOT_APPLICABLE


def test_a_sound_bundle_passes_and_a_damaged_one_is_refused_with_the_reason(tmp_path: Path) -> None:
    world, rng = build_matrix(["a", "b"], ["x", "y"]), np.random.default_rng(0)
    save_bundle(tmp_path / "bundle", Popularity().fit(world, rng=rng), world, rng)
    assert judge_bundle(tmp_path / "bundle").verdict is Verdict.PASSED
    (tmp_path / "bundle" / "arrays.npz").write_bytes(b"damaged")
    assert judge_bundle(tmp_path / "bundle").is_refused


def test_the_calibration_error_of_a_relevance_model_is_the_propensity_models_business() -> None:
    assert "belongs to the propensity model" in NOT_JUDGED_YET[0].figure


def forecasts(count: int, too_high: float) -> Forecasts:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.05, 0.4, count)
    return Forecasts.of(truth + too_high, (rng.random(count) < truth).astype(np.float64))


def test_chances_that_come_true_pass_and_false_ones_are_refused_unless_it_may_be_chance() -> None:
    def verdict(count: int, too_high: float) -> Verdict:
        return judge_calibration(forecasts(count, too_high), np.random.default_rng(0)).verdict

    assert [verdict(5_000, 0.0), verdict(5_000, 0.1), verdict(60, 0.05)] == ["passed", "refused", "passed"]


def test_an_order_below_the_declared_weights_is_refused_and_one_hardly_above_is_a_warning() -> None:
    verdicts = [judge_order(Interval(*figures)).verdict for figures in
                ((0.05, 0.02, 0.08), (0.01, -0.02, 0.04), (-0.01, -0.04, 0.02))]  # fmt: skip
    assert verdicts == [Verdict.PASSED, Verdict.WARNED, Verdict.REFUSED]


def test_a_card_with_a_gap_is_refused_by_the_name_of_the_section() -> None:
    assert str(judge_card(("limits",))) == "complete model card: the card says nothing of limits"
    assert not judge_card(()).is_refused


def test_a_gate_comes_back_from_the_registry_as_it_was() -> None:
    for gate in (*NOT_JUDGED_YET, Gate("a", Verdict.WARNED, "1.3")):
        assert Gate.from_json(gate.described()) == gate


def a_skew(feature: str, pairs: int, different: int) -> FeatureSkew:
    return FeatureSkew(feature, pairs + 1, pairs, different, 0, different, None)


def test_a_feature_that_differs_since_it_was_served_is_refused_and_one_served_too_rarely_is_said_to_be() -> None:
    same, new, other = a_skew("age", 900, 9), a_skew("paid", 99, 99), a_skew("paid", 100, 3)
    used = ("age", "paid")
    assert judge_skew([same], used).verdict is Verdict.PASSED
    assert judge_skew([same, new], ["age"]).verdict is Verdict.PASSED
    waiting = judge_skew([same, new], used)
    assert waiting.verdict is Verdict.WARNED
    assert "at most 1.00% of decisions differ" in waiting.figure
    assert "not enough yet, 100 are needed: paid (known in 99 of 100 decisions)" in waiting.figure
    refused = judge_skew([same, other], used)
    assert refused.verdict is Verdict.REFUSED
    assert "differs from the feature tables: paid in 3.0% of 100" in refused.figure
    assert judge_skew([new], used).verdict is Verdict.NOT_APPLICABLE
    assert "not enough yet" in judge_skew([new], used).figure


def test_scores_that_say_nothing_are_refused_and_those_alike_for_everybody_warned_of() -> None:
    verdicts = [
        judge_sameness(sameness, is_baseline).verdict
        for sameness, is_baseline in (
            (None, False),
            (Sameness.FLAT, False),
            (Sameness.FLAT, True),
            (Sameness.IMPERSONAL, False),
        )
    ]
    assert verdicts == [Verdict.PASSED, Verdict.REFUSED, Verdict.WARNED, Verdict.WARNED]

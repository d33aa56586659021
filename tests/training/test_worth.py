"""What a feature view is worth: said to help where it carries what decides, and not where it carries noise."""

from pathlib import Path

import numpy as np
import pytest

from features.service_names import PROPENSITY_SERVICE
from recsys.domain.customer import Customer
from recsys.domain.outcome import Answer
from tests.training.answers import Given, answered
from tests.training.events import bought, dataset_of, export, features_of
from training.config import TrainingConfig
from training.folds import Recipe, fold_at
from training.importance import importance_of
from training.propensity_pipeline import PropensityConfig
from training.worth import Worth, worth_to_chances, worth_to_relevance

PEOPLE = 240
BY_SEGMENT = {"popularity": {"by": "segment", "shrinkage": 10.0}}


def no_progress(what: str, done: int, total: int | None) -> None:
    """Nobody looks."""


def a_bank(directory: Path, told: bool) -> Path:
    """People who buy within one of two families; their segment says which (`told`), or says nothing of it."""
    rng = np.random.default_rng(0)
    history, customers = [], []
    for number in range(PEOPLE):
        family = "ab"[number % 2]
        segment = family if told else str(rng.choice(["a", "b"]))
        customers.append(Customer(f"c{number:03d}", segment=segment, attributes={"shoe": float(rng.integers(36, 46))}))
        for place, offer in enumerate(rng.permutation(10)[:4]):
            history.append(bought(f"c{number:03d}", f"{family}{offer}", 10 + place * 20 + float(rng.random())))
    return export(directory, *history, customers=tuple(customers))


def relevance(directory: Path, told: bool) -> dict[tuple[str, str], Worth]:
    features = features_of(a_bank(directory, told))
    config = TrainingConfig(features, "sqlite:///none.db", ("popularity", "item_item"), BY_SEGMENT)
    return {(one.model, one.view): one for one in worth_to_relevance(config, no_progress)}


def test_facts_that_say_who_buys_what_help_the_ranking(tmp_path: Path) -> None:
    found = relevance(tmp_path, told=True)
    assert found["popularity", "customer_profile"].verdict == "helps"
    assert found["item_item", "customer_history"].verdict == "helps"
    assert found["popularity", "customer_history"].gain.mean == 0.0
    assert ("item_item", "customer_profile") not in found  # it reads no facts


def test_facts_that_say_nothing_are_not_said_to_help(tmp_path: Path) -> None:
    assert relevance(tmp_path, told=False)["popularity", "customer_profile"].verdict != "helps"


@pytest.mark.parametrize(("told", "most"), [(True, "segment"), (False, None)])
def test_the_fact_that_a_model_goes_by_is_worth_most_to_it(tmp_path: Path, told: bool, most: str | None) -> None:
    with dataset_of(a_bank(tmp_path, told)) as dataset:
        fold = fold_at(dataset, dataset.split_at(0.2))
        importance = importance_of(Recipe("popularity", BY_SEGMENT["popularity"]), fold, 7)
    lost = {fact: found.low for fact, found in importance.facts.items() if found.low > 0}
    assert list(lost)[:1] == ([most] if most else [])


def test_a_view_that_says_who_accepts_helps_the_chance_of_acceptance(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    names = [f"c{number}" for number in range(400)]
    eager = dict(zip(names, rng.normal(size=400), strict=True))
    given = []
    for number in range(2_000):
        name = str(rng.choice(names))
        accepts = rng.random() < 1 / (1 + np.exp(1 - 2 * eager[name]))
        told = {"base_log_odds": -1.0, "relevance": float(rng.normal()), "intent_match": 0.0}
        given.append(Given(name, number, told, Answer.ACCEPTED if accepts else Answer.DECLINED))
    people = tuple(Customer(name, attributes={"eager": eager[name]}) for name in names)
    features = features_of(export(tmp_path, bought("c0", "x", 1), customers=people), PROPENSITY_SERVICE)
    config = PropensityConfig(features, f"sqlite:///{tmp_path}/none.db", relevance="none")
    found = {(w.view, w.measure): w.verdict for w in worth_to_chances(config, answered(*given), no_progress)}
    assert (found["customer_profile", "AUC"], found["customer_profile", "log-loss"]) == ("helps", "helps")
    assert {found[view, "AUC"] for view in ("customer_interactions", "offer_answers", "customer_history")} == {
        "no difference that can be told from chance"
    }

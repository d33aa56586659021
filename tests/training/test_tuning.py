"""The search for hyper-parameters: what it may look at, and that stopping it changes nothing."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.models.families import FAMILIES, create_model
from tests.training.events import bought, dataset_of, export, features_of, two_tastes
from training import tuning
from training.config import Engine, TrainingConfig
from training.dataset import Dataset
from training.folds import Fold, Outcome, Recipe, fit_and_evaluate, fold_at
from training.search_spaces import SPACES, Numbers, space_of
from training.tuning import Search, tune

TRIALS = 13
"""Three more than are drawn at random before the sampler learns from those before."""


def config(events: Path, studies: Path | None = None, trials: int = TRIALS, seed: int = 7) -> TrainingConfig:
    return TrainingConfig(
        features_of(events), "sqlite:///none.db", ("popularity",), seed=seed, tune=trials, studies=studies
    )


def search(asked: TrainingConfig, family: str = "item_item") -> Search:
    with Dataset(asked.features) as dataset:
        return tune(asked, dataset, [family], lambda what, done, total: None)[family]


def tried(found: Search) -> list[tuple[dict[str, object], float]]:
    return [(dict(trial.parameters), trial.value) for trial in found.trials]


def test_every_family_has_a_space_of_parameters_that_it_takes() -> None:
    assert SPACES.keys() == FAMILIES.keys()
    for family in FAMILIES:
        assert space_of(family, True).keys() <= create_model(family).parameters().keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_ends_of_every_space_are_parameters_a_model_can_be_made_with(family: str) -> None:
    for end in ("low", "high"):
        values = {
            name: (int if allowed.is_whole else float)(getattr(allowed, end))
            for name, allowed in SPACES[family].items()
            if isinstance(allowed, Numbers)
        }
        assert create_model(family, values).name == family


def test_the_defaults_are_tried_first_and_the_best_is_not_worse(tmp_path: Path) -> None:
    found = search(config(two_tastes(tmp_path / "events"), trials=4))
    assert found.trials[0].parameters.items() >= create_model("item_item").parameters().items()
    assert found.best.value >= found.trials[0].value
    assert found.best_so_far[-1] == found.best.value
    assert len(found.trials) == 4


def test_segments_are_searched_only_where_they_are_known() -> None:
    assert "by" not in space_of("popularity", False)
    assert "by" in space_of("popularity", True)


def test_the_search_sees_nothing_of_the_held_out_purchases(tmp_path: Path) -> None:
    history = [bought(f"c{n}", f"o{n % 4}", n) for n in range(100)]
    asked = config(export(tmp_path, *history))
    with Dataset(asked.features) as dataset:
        start, end = dataset.split_at(asked.validation_and_test_share), dataset.split_at(asked.test_share)
        fold = fold_at(dataset, start, end)
        later = dataset.tasks_after(end, dataset.as_of(end))
    assert (len(fold.tasks), len(later)) == (15, 20)
    assert fold.interactions.matrix.nnz == 65


def test_a_purchase_after_the_validation_window_changes_no_trial(tmp_path: Path) -> None:
    with dataset_of(two_tastes(tmp_path / "events")) as dataset:
        moments = [dataset.split_at(share) for share in (0.36, 0.2, 0.1)]
        folds = [fold_at(dataset, moments[0], until) for until in moments[1:]]
    values = [fit_and_evaluate(Recipe("popularity", {}), fold, (5,), 1).evaluation.values for fold in folds]
    assert len(values[0]["NDCG@5"]) < len(values[1]["NDCG@5"])
    assert np.array_equal(folds[0].interactions.matrix.toarray(), folds[1].interactions.matrix.toarray())


def test_a_search_stopped_anywhere_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = two_tastes(tmp_path / "events")
    whole = search(config(events))
    stopped = config(events, tmp_path / "kept" / "studies.db")
    runs = 0
    for allowed in (0, 1, 4, 7, TRIALS):
        count = 0

        def fit(recipe: Recipe, fold: Fold, ks: tuple[int, ...], seed: int, allowed: int = allowed) -> Outcome:
            nonlocal count, runs
            if count == allowed:
                raise KeyboardInterrupt
            count, runs = count + 1, runs + 1
            return fit_and_evaluate(recipe, fold, ks, seed)

        monkeypatch.setattr(tuning, "fit_and_evaluate", fit)
        if runs + allowed < TRIALS:
            with pytest.raises(KeyboardInterrupt):
                search(stopped)
    assert tried(search(stopped)) == tried(whole)
    assert runs == TRIALS


def test_a_finished_search_is_not_repeated_and_a_longer_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = config(two_tastes(tmp_path / "events"), tmp_path / "studies.db", trials=3)
    first = search(asked)
    longer = search(replace(asked, tune=5))
    assert tried(longer)[:3] == tried(first)

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(tuning, "_try", never)
    assert tried(search(asked)) == tried(first)


def test_other_events_seeds_and_defaults_are_other_searches(tmp_path: Path) -> None:
    studies = tmp_path / "studies.db"
    asked = config(two_tastes(tmp_path / "events"), studies, trials=2)
    first = search(asked)
    assert tried(search(replace(asked, seed=8))) != tried(first)
    assert search(replace(asked, parameters={"item_item": {"neighbours": 7}})).trials[0].parameters["neighbours"] == 7
    assert tried(search(replace(asked, features=features_of(two_tastes(tmp_path / "others", seed=1))))) != tried(first)


def test_a_recipe_that_cannot_be_fitted_counts_as_worthless_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object) -> None:
        raise FloatingPointError("NaN in the factors")

    monkeypatch.setattr(tuning, "fit_and_evaluate", diverge)
    found = search(config(two_tastes(tmp_path / "events"), trials=2))
    assert [trial.value for trial in found.trials] == [0.0, 0.0]
    assert found.trials[1].failure == "FloatingPointError: NaN in the factors"


def test_a_trial_that_needs_too_much_memory_is_a_failure_that_never_starts(tmp_path: Path) -> None:
    asked = config(two_tastes(tmp_path / "events"), trials=4)
    found = search(replace(asked, engine=Engine(memory=1_000)), "als")
    assert len(found.trials) == 4
    for trial in found.trials:
        assert trial.value == 0.0
        assert trial.failure is not None
        assert trial.failure.startswith("NotEnoughMemory: als was not started: it needs about")


KILLED = """
import sys
from pathlib import Path
from tests.training.test_tuning import config, search
search(config(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def test_a_search_whose_process_is_killed_goes_on(tmp_path: Path) -> None:
    events, studies = two_tastes(tmp_path / "events"), tmp_path / "studies.db"
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", KILLED, str(events), str(studies)])
    deadline = time.monotonic() + 120
    while not studies.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(2.0)
    process.kill()
    process.wait(30)
    assert tried(search(config(events, studies))) == tried(search(config(events)))

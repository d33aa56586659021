"""What is held out where no purchase comes after the others: one offer of each customer, and it is said."""

from pathlib import Path

import numpy as np
import pytest

from recsys.domain.errors import ImportInvalid
from tests.training.events import bought, dataset_of, export, features_of, two_tastes
from training.config import TrainingConfig
from training.dataset import Dataset
from training.folds import Split, held_out_fold
from training.gates import Verdict
from training.pipeline import summarise, train
from training.tuning import tune


def stock(directory: Path, customers: int = 150, offers: int = 3) -> Path:
    """Everything was taken on one day, within one of two families of six offers."""
    rng = np.random.default_rng(4)
    return export(
        directory,
        *(
            bought(f"c{number:03d}", f"{'ab'[number % 2]}{offer}", 0.0, "holding")
            for number in range(customers)
            for offer in rng.permutation(6)[:offers]
        ),
    )


def test_a_stock_of_one_date_trains_and_says_what_it_was_judged_by(tmp_path: Path, tracking_uri: str) -> None:
    config = TrainingConfig(features_of(stock(tmp_path / "events")), tracking_uri, ("popularity", "item_item", "blend"))
    result = train(config, lambda what, done, total: None)
    summary = summarise(result)
    assert (summary["split"], summary["tasks"]) == ("leave-one-out", 150)
    assert summary["best"] in ("item_item", "blend")
    gate = next(gate for gate in result.gates if gate.name == "judged by later purchases")
    assert gate.verdict is Verdict.WARNED
    assert result.registered.card
    card = Path(result.registered.card.removeprefix("file://")).read_text(encoding="utf-8")
    assert "leave-one-out" in card


def test_what_is_hidden_is_in_nothing_that_a_model_learns_from(tmp_path: Path) -> None:
    with dataset_of(stock(tmp_path / "events")) as dataset:
        fold = held_out_fold(dataset, 0.2, seed=3)
        everything = dataset.as_of(dataset.window().last).interactions.matrix
    assert fold.split is Split.LEAVE_ONE_OUT
    assert fold.interactions.matrix.nnz == everything.nnz - len(fold.tasks)
    assert fold.interactions.events is not None
    assert len(fold.interactions.events.rows) == fold.interactions.matrix.nnz
    assert fold.tasks.relevant.multiply(fold.tasks.histories).nnz == 0


def test_the_search_is_on_other_offers_than_the_comparison(tmp_path: Path) -> None:
    with dataset_of(stock(tmp_path / "events")) as dataset:
        compared = held_out_fold(dataset, 0.2, seed=3)
        searched = held_out_fold(dataset, 0.36, 0.2, seed=3)
    left = compared.interactions.matrix - searched.interactions.matrix
    assert left.nnz == len(searched.tasks) == len(compared.tasks)
    assert searched.tasks.relevant.multiply(compared.tasks.relevant).nnz == 0


def test_the_same_seed_holds_out_the_same(tmp_path: Path) -> None:
    with dataset_of(stock(tmp_path / "events")) as dataset:
        one, same, other = (held_out_fold(dataset, 0.2, seed=seed).tasks.relevant for seed in (1, 1, 2))
    assert (one != same).nnz == 0
    assert (one != other).nnz > 0


def test_a_search_on_a_stock_finds_something(tmp_path: Path) -> None:
    config = TrainingConfig(features_of(stock(tmp_path / "events")), "sqlite:///none.db", ("item_item",), tune=2)
    with Dataset(config.features) as dataset:
        found = tune(config, dataset, ["item_item"], lambda what, done, total: None)["item_item"]
    assert all(trial.failure is None and trial.value > 0 for trial in found.trials)


def test_where_purchases_come_later_they_are_held_out_by_time(tmp_path: Path) -> None:
    with dataset_of(two_tastes(tmp_path / "events")) as dataset:
        assert held_out_fold(dataset, 0.2).split is Split.TIME


def test_of_two_dates_the_later_is_held_out_unless_most_lies_there(tmp_path: Path) -> None:
    def dates(name: str, earlier: int) -> Split:
        rows = [bought(f"c{number}", f"o{place}", float(place >= earlier)) for number in range(9) for place in range(4)]
        with dataset_of(export(tmp_path / name, *rows)) as dataset:
            return held_out_fold(dataset, 0.2).split

    assert dates("even", 2) is Split.TIME
    assert dates("late", 1) is Split.LEAVE_ONE_OUT


def test_nothing_can_be_compared_where_everybody_holds_one_offer(tmp_path: Path) -> None:
    with (
        dataset_of(stock(tmp_path / "events", offers=1)) as dataset,
        pytest.raises(ImportInvalid, match="No customer holds two offers"),
    ):
        held_out_fold(dataset, 0.2)

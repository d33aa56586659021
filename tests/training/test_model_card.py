"""The model card: complete, honest, and the same in both formats."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.models.families import FAMILIES
from tests.training.events import dataset_of, features_of, two_tastes
from training.artifacts import write_card
from training.card_text import card_text
from training.comparison import compare
from training.config import TrainingConfig
from training.folds import Recipe
from training.gates import Gate, Verdict
from training.importance import importance_of
from training.model_card import FOLD_IN, SECTIONS, Account, missing_sections, model_card
from training.parity import measure_parity

GATES = [Gate("better than popularity", Verdict.PASSED, "NDCG@5 differs by +0.1")]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The account of a comparison of two families beside a champion."""
    events = two_tastes(tmp_path_factory.mktemp("card") / "events")
    config = TrainingConfig(features_of(events), "sqlite:///none.db", ("popularity", "item_item"), trainer="Linus")
    with dataset_of(events) as dataset:
        champion = Recipe("ease", {"regularization": 5.0})
        comparison = compare(config, dataset, champion, {}, lambda what, done, total: None)
        window = dataset.window()
    parity = measure_parity(comparison.best.recipe, comparison.fold.interactions, None, 7)
    importance = importance_of(comparison.best.recipe, comparison.fold, 7)
    learned_from = {"customers": 120, "offers": 20}
    return Account("m-0123456789ab", window, comparison, parity, importance, learned_from, "0.1.0+abc")


def test_every_family_says_how_it_uses_a_history() -> None:
    assert FOLD_IN.keys() == FAMILIES.keys()


def test_a_card_of_a_training_run_misses_nothing(account: Account) -> None:
    assert missing_sections(model_card(account, GATES)) == ()


@pytest.mark.parametrize("section", SECTIONS)
def test_a_card_without_a_section_is_incomplete_by_its_name(account: Account, section: str) -> None:
    card = model_card(account, GATES)
    assert missing_sections({**card, section: [] if section == "gates" else ""}) == (section,)
    del card[section]
    assert missing_sections(card) == (section,)


def test_metrics_stand_beside_those_of_popularity_and_the_champion_with_intervals(account: Account) -> None:
    rows = {row["metric"]: row for row in model_card(account, GATES)["metrics"]}
    assert rows["NDCG@5"].keys() == {"metric", "this model", "popularity", "champion"}
    assert rows["NDCG@5"]["champion"].keys() == {"mean", "low", "high"}


def test_segments_are_reported_where_they_are_known(account: Account) -> None:
    comparison = account.comparison
    fold = comparison.fold
    labels = np.array(["young", "old"])[np.arange(len(fold.tasks)) % 2]
    known = replace(comparison, fold=replace(fold, tasks=replace(fold.tasks, segments=labels)))
    rows = model_card(replace(account, comparison=known), GATES)["segments"]
    assert [row["segment"] for row in rows] == ["old", "young"]
    assert all({"customers", "HR@5", "ratio to everybody", "NDCG@5"} < row.keys() for row in rows)


def test_parity_that_could_not_be_measured_is_said(account: Account) -> None:
    card = model_card(replace(account, parity=None), GATES)
    assert card["parity"].startswith("Not measured")
    assert missing_sections(card) == ()


def figures(value: Any) -> list[str]:
    """Every text and number of a card, as they are written."""
    if isinstance(value, dict):
        if value.keys() == {"mean", "low", "high"}:
            return [f"{value['mean']:.4f} [{value['low']:.4f}, {value['high']:.4f}]"]
        return [text for one in value.values() for text in figures(one)]
    return [text for one in value for text in figures(one)] if isinstance(value, list) else [str(value)]


def test_both_formats_say_the_same_and_list_the_gate_about_the_card(account: Account, tmp_path: Path) -> None:
    judged = write_card(account, GATES, tmp_path)
    card = json.loads((tmp_path / "model_card.json").read_text(encoding="utf-8"))
    text = (tmp_path / "model_card.md").read_text(encoding="utf-8")
    assert [fact for fact in figures(card) if fact not in text] == []
    assert [heading for heading in SECTIONS.values() if f"## {heading}" not in text] == []
    assert judged[-1] == Gate("complete model card", Verdict.PASSED, "every section is there")
    assert [gate["gate"] for gate in card["gates"]] == ["better than popularity", "complete model card"]


def test_an_incomplete_card_is_written_with_its_gap_and_refused(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.model_card.FOLD_IN", {})
    judged = write_card(account, GATES, tmp_path)
    assert str(judged[-1]) == "complete model card: the card says nothing of fold_in"
    assert judged[-1].is_refused
    assert "*Missing.*" in (tmp_path / "model_card.md").read_text(encoding="utf-8")


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    assert "| a\\|b |" in card_text({"version": "m-1", "gates": [{"gate": "a|b"}]}, {"gates": "Gates"})

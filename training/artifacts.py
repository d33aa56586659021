"""What a training run leaves to look at beside the bundle: the model card and the pictures."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from training.card_text import card_text
from training.comparison import Candidate, Comparison
from training.config import HEADLINE
from training.folds import LIST_LENGTH
from training.gates import Gate
from training.model_card import SECTIONS, Account, missing_sections, model_card
from training.parity import Parity
from training.plots import draw_against_popularity, draw_exposure, draw_parity, draw_recall, draw_search
from training.promotion import judge_card

CARD = "model_card.md"
PLOTS = "plots"


def write_card(account: Account, gates: list[Gate], directory: Path) -> list[Gate]:
    """Write the card as Markdown and JSON and return all gates, the one about the card among them."""
    return write_judged_card(lambda judged: model_card(account, judged), SECTIONS, gates, directory)


def write_judged_card(
    make: Callable[[list[Gate]], dict[str, Any]], sections: Mapping[str, str], gates: list[Gate], directory: Path
) -> list[Gate]:
    """Write what `make` says of a version under the headings of `sections`; returns all gates as `write_card` does."""
    judged = [*gates, judge_card(missing_sections(make(gates), sections))]
    card = make(judged)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / CARD).write_text(card_text(card, sections), encoding="utf-8")
    document = json.dumps(card, ensure_ascii=False, indent=2)
    (directory / CARD).with_suffix(".json").write_text(document, encoding="utf-8")
    return judged


def draw_comparison(comparison: Comparison, parity: Parity | None, directory: Path) -> None:
    """Draw every picture that compares the candidates, and the parity of the best."""
    folder, candidates = directory / PLOTS, comparison.candidates
    ks = comparison.config.ks
    draw_recall({c.name: {k: c.intervals[f"Recall@{k}"] for k in ks} for c in candidates}, folder)
    against = {c.name: c.against_popularity for c in candidates if c.against_popularity}
    draw_against_popularity(against, HEADLINE, folder)
    draw_exposure({c.name: c.exposure.shown for c in candidates}, LIST_LENGTH, folder)
    if parity:
        draw_parity(parity.overlap, parity.fold_in, parity.refit, parity.list_length, folder)


def draw_trials(candidate: Candidate, directory: Path) -> None:
    """Draw the search for the candidate's hyper-parameters, if there was one."""
    if candidate.search:
        values = [trial.value for trial in candidate.search.trials]
        draw_search(values, candidate.search.best_so_far, (candidate.name, HEADLINE), directory / PLOTS)

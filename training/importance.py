"""What a relevance model makes of each fact of a customer: how much worse it ranks when the fact is another's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from features.feature_tables import FeatureTable
from recsys.evaluation.intervals import Interval, bootstrap
from recsys.evaluation.ranking_tasks import RankingTasks, evaluate
from recsys.models.base import RelevanceModel
from training.config import HEADLINE
from training.folds import Fold, Recipe

HISTORY = FeatureTable.HISTORY.value
"""The view that a history comes from in service."""
CUTOFF = (5,)


@dataclass(frozen=True, slots=True)
class Importance:
    """How much of `HEADLINE` each fact is worth to a model that was fitted with it, and the whole history."""

    facts: Mapping[str, Interval]
    history: Interval


def importance_of(recipe: Recipe, fold: Fold, seed: int) -> Importance:
    """Fit the recipe on the fold, and rank its tasks with each fact dealt out anew among the customers.

    What is lost by that is the fact's importance (permutation importance: Breiman 2001, section 10), paired by task;
    the interval is over customers. Facts that stand for each other share theirs.
    """
    model = recipe.fit(fold.interactions, fold.side_features, seed)
    known, tasks = ranked(model, fold.tasks, seed), fold.tasks
    losses: dict[str, NDArray[np.float64]] = {HISTORY: known - ranked(model, without_history(tasks), seed)}
    if model.uses_facts and fold.side_features is not None and tasks.facts is not None:
        dealt = np.random.default_rng(seed).permutation(len(tasks))
        for fact, columns in fold.side_features.customer_space.facts.items():
            shuffled = _dealt_anew(tasks.facts, columns, dealt)
            losses[fact] = known - ranked(model, replace(tasks, facts=shuffled), seed)
    found = bootstrap(losses, tasks.customers, np.random.default_rng(seed))
    history = found.pop(HISTORY)
    return Importance(dict(sorted(found.items(), key=lambda one: -one[1].mean)), history)


def ranked(model: RelevanceModel, tasks: RankingTasks, seed: int) -> NDArray[np.float64]:
    """Return the model's `HEADLINE` (n,) of every task; ties are drawn alike in every call."""
    return evaluate(model, tasks, CUTOFF, np.random.default_rng(seed)).values[HEADLINE]


def without_history(tasks: RankingTasks) -> RankingTasks:
    """Return the tasks as of customers of whom no event is known."""
    return replace(tasks, histories=csr_matrix(tasks.histories.shape, dtype=np.float32))


def _dealt_anew(facts: csr_matrix, columns: Iterable[int], dealt: NDArray[np.intp]) -> csr_matrix:
    """Return `facts` (n, f) with these columns' rows in the order `dealt` (n,)."""
    is_dealt = np.zeros(facts.shape[1], dtype=np.float32)
    is_dealt[list(columns)] = 1.0
    kept, moved = facts.multiply(1.0 - is_dealt), facts[dealt].multiply(is_dealt)
    return csr_matrix(kept + moved)

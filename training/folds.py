"""What models are fitted on and held against, and the one place where a model is fitted and evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from recsys.evaluation.exposure import Exposure, exposure_of
from recsys.evaluation.ranking_tasks import Evaluation, RankingTasks, evaluate
from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import SideFeatures
from recsys.models.base import RelevanceModel
from training.config import LOCAL, Engine
from training.dataset import Dataset, Knowledge

LIST_LENGTH = 5
"""How many offers a list shows where exposure is measured."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A family with its hyper-parameters: a model before it has learned anything, and where it is fitted."""

    family: str
    parameters: Mapping[str, Any]
    engine: Engine = LOCAL

    def fit(self, interactions: InteractionMatrix, side_features: SideFeatures | None, seed: int) -> RelevanceModel:
        """Return the model fitted on `interactions`; the same seed gives the same model."""
        model = self.engine.create(self.family, self.parameters)
        return model.fit(interactions, side_features, rng=np.random.default_rng(seed))


@dataclass(frozen=True, slots=True)
class Fold:
    """The evidence up to a moment, and the later purchases that models fitted on it are held against.

    `facts_digest` changes with any fact that was known of a customer.
    """

    interactions: InteractionMatrix
    tasks: RankingTasks
    side_features: SideFeatures | None = None
    facts_digest: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one recipe did on a fold."""

    evaluation: Evaluation
    exposure: Exposure
    parameters: dict[str, Any]


def fold_at(dataset: Dataset, moment: datetime, until: datetime | None = None) -> Fold:
    """Return what was known at `moment`, and the purchases after it (and not after `until`)."""
    known = dataset.with_facts(dataset.as_of(moment), moment)
    return Fold(known.interactions, dataset.tasks_after(moment, known, until), known.side, known.facts_digest)


def everything(dataset: Dataset, moment: datetime) -> Knowledge:
    """Return what the model of all events up to `moment` is fitted on, with the facts as they are known by now."""
    return dataset.with_facts(dataset.as_of(moment), moment, max(moment, dataset.features.as_of))


def fit_and_evaluate(recipe: Recipe, fold: Fold, ks: Sequence[int], seed: int) -> Outcome:
    """Fit the recipe on the fold's evidence and rank all offers for each of its tasks."""
    model = recipe.fit(fold.interactions, fold.side_features, seed)
    evaluation = evaluate(model, fold.tasks, ks, np.random.default_rng(seed))
    lists = evaluation.lists[:, :LIST_LENGTH]
    return Outcome(evaluation, exposure_of(lists, len(fold.interactions.offer_ids)), model.parameters())

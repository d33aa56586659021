"""What models are fitted on and held against, and the one place where a model is fitted and evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np

from recsys.domain.errors import ImportInvalid
from recsys.evaluation.exposure import Exposure, exposure_of
from recsys.evaluation.leave_one_out import hide_one
from recsys.evaluation.ranking_tasks import Evaluation, RankingTasks, evaluate
from recsys.evaluation.sameness import Sameness, sameness_of
from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import SideFeatures
from recsys.models.base import RelevanceModel
from recsys.models.data_shape import DataShape
from training.config import LOCAL, Engine
from training.dataset import Dataset, Knowledge

LIST_LENGTH = 5
"""How many offers a list shows where exposure is measured."""
MOST_LEFT_OUT = 20_000
"""Of more customers who hold two offers or more so many are drawn: intervals are narrow enough then."""


class Split(StrEnum):
    """How what models are held against was held out."""

    TIME = "time"
    LEAVE_ONE_OUT = "leave-one-out"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A family with its hyper-parameters: a model before it has learned anything, and where it is fitted."""

    family: str
    parameters: Mapping[str, Any]
    engine: Engine = LOCAL

    def fit(self, interactions: InteractionMatrix, side_features: SideFeatures | None, seed: int) -> RelevanceModel:
        """Return the model fitted on `interactions`; the same seed gives the same model. Raises NotEnoughMemory."""
        model = self.engine.create(self.family, self.parameters, DataShape.of(interactions))
        return model.fit(interactions, side_features, rng=np.random.default_rng(seed))


@dataclass(frozen=True, slots=True)
class Fold:
    """The evidence up to a moment, and the later purchases that models fitted on it are held against.

    `facts_digest` changes with any fact that was known of a customer. `split` says how purchases are held out.
    """

    interactions: InteractionMatrix
    tasks: RankingTasks
    side_features: SideFeatures | None = None
    facts_digest: str = ""
    split: Split = Split.TIME


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one recipe did on a fold; `sameness` is what is wrong with its scores, if anything."""

    evaluation: Evaluation
    exposure: Exposure
    parameters: dict[str, Any]
    sameness: Sameness | None = None


def held_out_fold(dataset: Dataset, share: float, until_share: float | None = None, seed: int = 0) -> Fold:
    """Return the fold that holds out the last `share` of all purchases by time, but for the last `until_share` of them.

    Where nobody bought anything new then, as where all holdings have one date, one offer of each customer is held out
    instead; with `until_share` another one than without, so that what is searched on is not what is compared on.
    """
    until = None if until_share is None else dataset.split_at(until_share)
    moment = dataset.split_at(share)
    if dataset.buys_after(moment, until):
        return fold_at(dataset, moment, until)
    last = dataset.window().last
    known = dataset.with_facts(dataset.as_of(last), last)
    rng = np.random.default_rng(seed)
    fold = _leave_one_out(dataset, known, last, rng)
    if until_share is None:
        return fold
    held = fold.interactions.matrix.multiply(known.held > 0).tocsr()
    return _leave_one_out(dataset, replace(known, interactions=fold.interactions, held=held), last, rng)


def _leave_one_out(dataset: Dataset, known: Knowledge, moment: datetime, rng: np.random.Generator) -> Fold:
    """Return the fold that holds out one held offer of each customer who holds two or more, or of so many of them."""
    able = np.flatnonzero(np.diff(known.held.indptr) >= 2)
    if len(able) == 0:
        raise ImportInvalid("No customer holds two offers, and nobody bought anything new; models cannot be compared.")
    rows = np.sort(rng.choice(able, min(MOST_LEFT_OUT, len(able)), replace=False))
    facts = known.side.customers if known.side else None
    interactions, tasks = hide_one(known.interactions, known.held, rows, rng, facts)
    customers = [interactions.customer_ids[row] for row in rows.tolist()]
    segments = dataset.customer_facts(customers, moment).get("segment")
    tasks = replace(tasks, segments=segments if segments is not None and any(segments) else None)
    return Fold(interactions, tasks, known.side, known.facts_digest, Split.LEAVE_ONE_OUT)


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
    same = sameness_of(model, fold.tasks.histories, fold.tasks.facts, np.random.default_rng(seed))
    return Outcome(evaluation, exposure_of(lists, len(fold.interactions.offer_ids)), model.parameters(), same)

"""The candidates side by side on the held-out purchases, always beside popularity and the champion."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import NotEnoughMemory
from recsys.evaluation.exposure import Exposure
from recsys.evaluation.intervals import Interval, bootstrap
from recsys.evaluation.ranking_tasks import Evaluation
from recsys.evaluation.sameness import Sameness
from recsys.models.base import require_memory
from recsys.models.data_shape import DataShape
from recsys.models.families import FAMILIES, create_model
from training.config import HEADLINE, LOCAL, Engine, Progress, TrainingConfig
from training.dataset import Dataset
from training.folds import Fold, Outcome, Recipe, Split, fit_and_evaluate, held_out_fold
from training.gates import Gate
from training.promotion import Rivals, difference, judge_exposure, judge_rivals, judge_sameness, judge_split
from training.tuning import Search

BASELINE = "popularity"
STACKED = "ranker"
"""The family that is built on the others, and chosen only where it is clearly better than each."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model family on the held-out purchases: intervals by metric, and against popularity (paired).

    `sameness` is what is wrong with its scores: they do not tell offers or customers apart.
    """

    name: str
    evaluation: Evaluation
    exposure: Exposure
    intervals: dict[str, Interval]
    against_popularity: Interval | None
    parameters: dict[str, Any]
    search: Search | None = None
    engine: Engine = LOCAL
    sameness: Sameness | None = None

    @property
    def headline(self) -> float:
        """The mean of the metric by which candidates are chosen."""
        return self.intervals[HEADLINE].mean

    @property
    def recipe(self) -> Recipe:
        """The family with the parameters it was evaluated with."""
        return Recipe(self.name, self.parameters, self.engine)

    @property
    def is_clearly_better(self) -> bool:
        """Whether its whole interval against popularity lies above 0."""
        return self.against_popularity is not None and self.against_popularity.low > 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """All candidates on the same fold, popularity first; `champion` is its recipe fitted on the same events.

    `refused` are the families that were not started, because they need more memory than the engine has.
    """

    config: TrainingConfig
    fold: Fold
    candidates: tuple[Candidate, ...]
    champion: Candidate | None = None
    refused: Mapping[str, NotEnoughMemory] = field(default_factory=dict)

    @property
    def best(self) -> Candidate:
        """The one to register: the best by `HEADLINE` of the families asked for that clearly beat popularity.

        The ranker only where it clearly beats them all. Where none does, popularity itself, unless it was not asked
        for and a champion serves already: then the best of those asked for, which the gates keep out of service.
        """
        asked = [candidate for candidate in self.candidates if candidate.name in self.config.models]
        better = [candidate for candidate in asked if candidate.is_clearly_better]
        if better:
            found = max(better, key=lambda candidate: candidate.headline)
            simpler = [candidate for candidate in better if candidate.name != STACKED]
            if found.name == STACKED and simpler and not self.is_worth_it:
                return max(simpler, key=lambda candidate: candidate.headline)
            return found
        if BASELINE in self.config.models or self.champion is None:
            return self.candidates[0]
        return max(asked, key=lambda candidate: candidate.headline)

    @property
    def against_simpler(self) -> tuple[str, Interval] | None:
        """The best family that the ranker is not made of, and the ranker's paired interval against it."""
        stacked = next((candidate for candidate in self.candidates if candidate.name == STACKED), None)
        others = [candidate for candidate in self.candidates if candidate.name != STACKED]
        if stacked is None or not others:
            return None
        rival = max(others, key=lambda candidate: candidate.headline)
        mine, theirs = (candidate.evaluation.values[HEADLINE] for candidate in (stacked, rival))
        rng = np.random.default_rng(self.config.seed)
        return rival.name, difference(mine, theirs, self.fold.tasks.customers, rng)

    @property
    def is_worth_it(self) -> bool:
        """Whether the ranker's whole interval against the best other family lies above 0."""
        return self.against_simpler is not None and self.against_simpler[1].low > 0

    @property
    def skipped(self) -> list[str]:
        """The families asked for that are made for smaller catalogues."""
        compared = {candidate.name for candidate in self.candidates}
        return [name for name in self.config.models if name not in compared and name not in self.refused]

    @property
    def baseline_wins(self) -> bool:
        """Whether no family is clearly better than popularity."""
        return not any(candidate.is_clearly_better for candidate in self.candidates)

    def judge_best(self) -> list[Gate]:
        """Return the gates that the held-out purchases decide, of the best candidate."""
        best, headline = self.best, [c.evaluation.values[HEADLINE] for c in (self.best, self.candidates[0])]
        rival = self.champion.evaluation.values[HEADLINE] if self.champion else None
        baseline = None if best.name == BASELINE else headline[1]
        rivals = Rivals(headline[0], baseline, rival, self.fold.tasks.customers)
        rng = np.random.default_rng(self.config.seed)
        exposure = judge_exposure(best.evaluation.values["HR@5"], best.exposure.is_filled, self.fold.tasks.segments)
        judged = judge_rivals(rivals, HEADLINE, self.config.tolerance, rng)
        differs = judge_sameness(best.sameness, best.name == BASELINE)
        return [*judged, judge_split(self.fold.split is Split.TIME), differs, exposure]


def compare(
    config: TrainingConfig,
    dataset: Dataset,
    champion: Recipe | None,
    searches: Mapping[str, Search],
    progress: Progress,
) -> Comparison:
    """Fit every family on the events up to the split and rank what each customer bought after it.

    Where there is no such split, one offer of each customer is held out; see `held_out_fold`.
    """
    fold = held_out_fold(dataset, config.test_share, seed=config.seed)
    names = families_of(config, len(fold.interactions.offer_ids))
    candidates: list[Candidate] = []
    refused: dict[str, NotEnoughMemory] = {}
    for number, name in enumerate(names):
        progress("compare models", number, len(names))
        found = searches.get(name)
        parameters = found.best.parameters if found else config.parameters.get(name, {})
        recipe = Recipe(name, parameters, config.engine)
        if refusal := _refusal(recipe, config, fold):
            refused[name] = refusal
            continue
        baseline = candidates[0].evaluation.values[HEADLINE] if candidates else None
        candidate = _candidate(config, recipe, fold, baseline, found)
        if name == BASELINE and found:  # the baseline is not made easier to beat by what the search found by chance
            untuned = _candidate(config, Recipe(name, config.parameters.get(name, {})), fold, None, found)
            candidate = max(untuned, candidate, key=lambda one: one.headline)
        candidates.append(candidate)
    progress("compare models", len(names), len(names))
    if BASELINE in refused:
        raise refused[BASELINE]
    return Comparison(config, fold, tuple(candidates), _champion(config, champion, fold, candidates), refused)


def _refusal(recipe: Recipe, config: TrainingConfig, fold: Fold) -> NotEnoughMemory | None:
    """Return why the recipe may not be fitted on the fold, or on everything, where it will be if it is the best."""
    shape = DataShape.of(fold.interactions)
    try:
        model = recipe.engine.create(recipe.family, recipe.parameters, shape)
        require_memory(model, shape.grown(1.0 / (1.0 - config.test_share)), recipe.engine.memory)
    except NotEnoughMemory as error:
        return error
    return None


def families_of(config: TrainingConfig, offers: int) -> list[str]:
    """Return the families to compare, each once: popularity, and those asked for that are for so many `offers`."""
    names = dict.fromkeys([BASELINE, *config.models])
    return [name for name in names if (FAMILIES[name].most_offers or offers) >= offers]


def _candidate(
    config: TrainingConfig,
    recipe: Recipe,
    fold: Fold,
    baseline: NDArray[np.float64] | None,
    found: Search | None = None,
) -> Candidate:
    outcome: Outcome = fit_and_evaluate(recipe, fold, config.ks, config.seed)
    values, customers = outcome.evaluation.values, fold.tasks.customers
    intervals = bootstrap(values, customers, np.random.default_rng(config.seed))
    against = None
    if baseline is not None:
        against = difference(values[HEADLINE], baseline, customers, np.random.default_rng(config.seed))
    return Candidate(
        recipe.family,
        outcome.evaluation,
        outcome.exposure,
        intervals,
        against,
        outcome.parameters,
        found,
        recipe.engine,
        outcome.sameness,
    )


def _champion(
    config: TrainingConfig, champion: Recipe | None, fold: Fold, candidates: list[Candidate]
) -> Candidate | None:
    if champion is None:
        return None
    wanted = create_model(champion.family, champion.parameters).parameters()
    for candidate in candidates:
        is_fitted_here = candidate.name not in candidate.engine.makers
        if is_fitted_here and (candidate.name, candidate.parameters) == (champion.family, wanted):
            return candidate
    return _candidate(config, champion, fold, candidates[0].evaluation.values[HEADLINE])

"""The candidates side by side on the held-out purchases, always beside popularity."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys.evaluation.intervals import Interval, bootstrap
from recsys.evaluation.ranking_tasks import Evaluation, RankingTasks, evaluate
from recsys.interactions.matrix import InteractionMatrix
from recsys.models.base import RelevanceModel
from recsys.models.families import create_model
from training.config import HEADLINE, Progress, TrainingConfig
from training.dataset import Dataset
from training.promotion import Gate, Rivals, difference, judge
from training.registry import VersionInfo

BASELINE = "popularity"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model family on the held-out purchases: intervals by metric, and against popularity (paired)."""

    name: str
    evaluation: Evaluation
    intervals: dict[str, Interval]
    against_popularity: Interval | None
    parameters: dict[str, Any]

    @property
    def headline(self) -> float:
        """The mean of the metric by which candidates are chosen."""
        return self.intervals[HEADLINE].mean


@dataclass(frozen=True, slots=True)
class Comparison:
    """All candidates on the same tasks, popularity first, each fitted on `training` alone."""

    config: TrainingConfig
    training: InteractionMatrix
    tasks: RankingTasks
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """The best by `HEADLINE` of the families that were asked for."""
        return max((c for c in self.candidates if c.name in self.config.models), key=lambda c: c.headline)

    @property
    def baseline_wins(self) -> bool:
        """Whether no family is clearly better than popularity."""
        return not any(c.against_popularity and c.against_popularity.low > 0 for c in self.candidates)

    def judge_best(self, champion: VersionInfo | None) -> list[Gate]:
        """Hold the best against popularity and the champion's recipe, fitted on the same events as the best."""
        best = self.best
        baseline = None if best.name == BASELINE else self.candidates[0].evaluation.values[HEADLINE]
        rival = self._evaluation_of(champion).values[HEADLINE] if champion else None
        rivals = Rivals(best.evaluation.values[HEADLINE], baseline, rival, self.tasks.customers)
        return judge(rivals, HEADLINE, self.config.tolerance, np.random.default_rng(self.config.seed))

    def _evaluation_of(self, champion: VersionInfo) -> Evaluation:
        for candidate in self.candidates:
            if (candidate.name, candidate.parameters) == (champion.model, champion.parameters):
                return candidate.evaluation
        recipe = create_model(champion.model, champion.parameters)
        return _evaluate(self.config, recipe, self.training, self.tasks)


def compare(config: TrainingConfig, dataset: Dataset, progress: Progress) -> Comparison:
    """Fit every family on the events up to the split and rank what each customer bought after it."""
    split = dataset.split_at(config.test_share)
    known = dataset.as_of(split)
    tasks = dataset.tasks_after(split, known)
    names = list(dict.fromkeys([BASELINE, *config.models]))
    candidates: list[Candidate] = []
    for number, name in enumerate(names):
        progress("compare models", number, len(names))
        model = create_model(name, config.parameters.get(name))
        evaluation = _evaluate(config, model, known.interactions, tasks)
        intervals = bootstrap(evaluation.values, tasks.customers, np.random.default_rng(config.seed))
        against = None
        if candidates:
            rivals = (evaluation.values[HEADLINE], candidates[0].evaluation.values[HEADLINE])
            against = difference(*rivals, tasks.customers, np.random.default_rng(config.seed))
        candidates.append(Candidate(name, evaluation, intervals, against, model.parameters()))
    progress("compare models", len(names), len(names))
    return Comparison(config, known.interactions, tasks, tuple(candidates))


def _evaluate(
    config: TrainingConfig, model: RelevanceModel, training: InteractionMatrix, tasks: RankingTasks
) -> Evaluation:
    model.fit(training, rng=np.random.default_rng(config.seed))
    return evaluate(model, tasks, config.ks, np.random.default_rng(config.seed))

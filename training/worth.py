"""What each feature view is worth: a model trained with it and one without, on the same later purchases or answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from features.feature_tables import FeatureTable
from features.person_signals import signal_of
from features.service_names import PROPENSITY_SERVICE, RELEVANCE_SERVICE
from recsys.evaluation.intervals import Interval, bootstrap
from recsys.evaluation.probability_metrics import Forecasts, measure
from recsys.interactions.side_features import FeatureSpace, SideFeatures
from recsys.models.propensity_folder import unsealed_model
from recsys.storage.decision_log import AnsweredOffer
from training.comparison import families_of
from training.config import HEADLINE, Progress, TrainingConfig
from training.dataset import Dataset
from training.folds import Fold, Recipe, held_out_fold
from training.importance import HISTORY, ranked, without_history
from training.logistic import probability
from training.propensity_data import AnsweredRows
from training.propensity_evaluation import fit_on_earlier
from training.propensity_pipeline import PropensityConfig, rows_of

EVIDENCE = FeatureTable.OFFERS.value
CHANCE = "chance of acceptance"
UNKNOWN_PEOPLE = ", for people without a history"
_WHOLE = "with every view"
_MEASURES = {"log-loss": -1.0, "AUC": 1.0}
"""What chances are measured by, and whether more of it is better."""
_LINEAR = {EVIDENCE: 0, HISTORY: 1}
"""The signal that a view reaches the chance by: the offer's own rate, and the relevance of what the history says."""


@dataclass(frozen=True, slots=True)
class Worth:
    """One model with and without one view, by one measure; `gain` (95 %, paired) is above 0 where the view helps."""

    model: str
    view: str
    measure: str
    with_view: float
    without: float
    gain: Interval

    @property
    def verdict(self) -> str:
        """Whether the view helps, harms, or makes no difference that can be told from chance."""
        if self.gain.low > 0:
            return "helps"
        return "harms" if self.gain.high < 0 else "no difference that can be told from chance"

    def described(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "model": self.model,
            "view": self.view,
            "measure": self.measure,
            "with": round(self.with_view, 6),
            "without": round(self.without, 6),
            "gain": self.gain.rounded(),
            "verdict": self.verdict,
        }


def worth_to_relevance(config: TrainingConfig, progress: Progress) -> list[Worth]:
    """Measure every family of `config` on the latest purchases: without each view of facts, and without histories.

    A model without a view of facts is fitted anew; one without histories ranks for people of whom no event is known.
    Raises ImportInvalid where there is too little to hold out.
    """
    views = config.features.views_of(RELEVANCE_SERVICE)
    with Dataset(config.features) as dataset:
        fold = held_out_fold(dataset, config.test_share, seed=config.seed)
        families = families_of(config, len(fold.interactions.offer_ids))
        found: list[Worth] = []
        for number, family in enumerate(families):
            progress("rank with and without", number, len(families))
            found += _of_family(Recipe(family, config.parameters.get(family, {})), fold, views, config.seed)
        progress("rank with and without", len(families), len(families))
    return found


def _of_family(recipe: Recipe, fold: Fold, views: Mapping[str, Sequence[str]], seed: int) -> list[Worth]:
    """A model that reads facts is judged twice: for people with their history, and for the same without any."""
    model = recipe.fit(fold.interactions, fold.side_features, seed)
    whole, stranger = ranked(model, fold.tasks, seed), ranked(model, without_history(fold.tasks), seed)
    pairs = [(recipe.family, HISTORY, whole, stranger)]
    for view, features in views.items() if model.uses_facts else ():
        lacking = _without_facts(fold, {signal_of(feature) for feature in features})
        fitted = recipe.fit(lacking.interactions, lacking.side_features, seed)
        nobody = ranked(fitted, without_history(lacking.tasks), seed)
        pairs.append((recipe.family, view, whole, ranked(fitted, lacking.tasks, seed)))
        pairs.append((f"{recipe.family}{UNKNOWN_PEOPLE}", view, stranger, nobody))
    gains = {f"{model}|{view}": with_it - without for model, view, with_it, without in pairs}
    intervals = bootstrap(gains, fold.tasks.customers, np.random.default_rng(seed))
    return [
        Worth(model, view, HEADLINE, float(with_it.mean()), float(without.mean()), intervals[f"{model}|{view}"])
        for model, view, with_it, without in pairs
    ]


def _without_facts(fold: Fold, facts: Iterable[str]) -> Fold:
    """Return the fold as it is when nothing is known of these facts of customers."""
    side, tasks = fold.side_features, fold.tasks
    if side is None:
        return fold
    left_out = {place for fact in facts for place in side.customer_space.facts.get(fact, ())}
    kept = [place for place in range(len(side.customer_space)) if place not in left_out]
    space = FeatureSpace(side.customer_space.bands, tuple(side.customer_space.columns[place] for place in kept))
    lacking = SideFeatures(csr_matrix(side.customers[:, kept]), side.offers, space, side.offer_space)
    known = None if tasks.facts is None else csr_matrix(tasks.facts[:, kept])
    return replace(fold, side_features=lacking, tasks=replace(tasks, facts=known))


def worth_to_chances(config: PropensityConfig, answered: Iterable[AnsweredOffer], progress: Progress) -> list[Worth]:
    """Fit the chance of acceptance on the earlier answers with and without each view, and judge by the later ones.

    Raises ImportInvalid when there are too few answers.
    """
    rows = rows_of(config, answered, progress)
    lacking = _rows_without(rows, config.features.views_of(PROPENSITY_SERVICE))
    forecasts: dict[str, Forecasts] = {}
    for number, (view, less) in enumerate({_WHOLE: rows, **lacking}.items()):
        progress("fit with and without", number, len(lacking) + 1)
        fitted = fit_on_earlier(less, config.test_share, config.options)
        chances = probability(unsealed_model(fitted.fit.parts).log_odds(fitted.test.table))
        forecasts[view] = Forecasts.of(chances, fitted.test.answers)
        clusters = np.unique(fitted.test.customers, return_inverse=True)[1]
    progress("fit with and without", len(lacking) + 1, len(lacking) + 1)
    measured = measure(forecasts, clusters, np.random.default_rng(config.options.seed), against=_WHOLE)
    return [
        Worth(CHANCE, view, name, measured[_WHOLE][name].mean, measured[view][name].mean,
              _times(measured[view][f"Δ{name}"], -better))
        for name, better in _MEASURES.items() for view in lacking
    ]  # fmt: skip


def _rows_without(rows: AnsweredRows, views: Mapping[str, Sequence[str]]) -> dict[str, AnsweredRows]:
    """Return the rows without what each view tells: its signals left out, or the linear one of it unknown."""
    found: dict[str, AnsweredRows] = {}
    for view, features in views.items():
        names = {signal_of(feature) for feature in features}
        kept = [place for place, name in enumerate(rows.signals) if name not in names]
        found[view] = replace(rows, signals=tuple(rows.signals[place] for place in kept), table=rows.table[:, kept])
    for view, place in _LINEAR.items():
        found[view] = replace(rows, table=_unknown(rows.table, place))
    return found


def _unknown(table: NDArray[np.float64], place: int) -> NDArray[np.float64]:
    less = table.copy()
    less[:, place] = np.nan
    return less


def _times(interval: Interval, sign: float) -> Interval:
    ends = sorted((sign * interval.low, sign * interval.high))
    return Interval(sign * interval.mean, ends[0], ends[1])

"""The search for hyper-parameters, before the held-out purchases and never on them, that goes on where it stopped."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from recsys.models.data_shape import DataShape
from recsys.models.families import create_model
from training.config import HEADLINE, Progress, TrainingConfig
from training.dataset import Dataset
from training.folds import Fold, Recipe, fit_and_evaluate, held_out_fold
from training.search_spaces import VERSION, Numbers, Space, space_of

_HEADLINE_K = int(HEADLINE.partition("@")[2])


@dataclass(frozen=True, slots=True)
class SearchTrial:
    """One recipe that was tried: its complete parameters, its mean `HEADLINE` on the validation window, and the time.

    `failure` says why it could not be fitted, in which case the value is 0.
    """

    parameters: Mapping[str, Any]
    value: float
    seconds: float
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """All trials of one family in their order, the family's defaults first; there is at least one."""

    family: str
    trials: tuple[SearchTrial, ...]

    @property
    def best(self) -> SearchTrial:
        """The best trial, the earliest of equals."""
        return max(self.trials, key=lambda trial: trial.value)

    @property
    def best_so_far(self) -> list[float]:
        """The best value after each trial."""
        return list(accumulate((trial.value for trial in self.trials), max))


def tune(config: TrainingConfig, dataset: Dataset, families: Sequence[str], progress: Progress) -> dict[str, Search]:
    """Search `config.tune` trials for every family and return them by name.

    Models are fitted on the events before the validation window and ranked for the purchases in it, which
    ends where the held-out purchases begin; see `held_out_fold` for where there is no such window. A trial that was
    finished before is not repeated.
    """
    fold = held_out_fold(dataset, config.validation_and_test_share, config.test_share, config.seed)
    digest = f"{dataset.window().digest}|{fold.facts_digest}"
    with _storage(config.studies) as storage:
        return {family: search(family, config, fold, (digest, storage), progress) for family in families}


def search(family: str, config: TrainingConfig, fold: Fold, kept: tuple[str, Any], progress: Progress) -> Search:
    """Bring the trials of one family to `config.tune`; `kept` is the data's digest and the storage of its trials."""
    import optuna

    digest, storage = kept
    base = create_model(family, config.parameters.get(family), DataShape.of(fold.interactions)).parameters()
    space = space_of(family, _has_segments(fold))
    wanted = (config.tune or 1) if space else 1
    name = _study_name(family, config, digest, base, space)
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    distributions = {parameter: _distribution(allowed) for parameter, allowed in space.items()}
    done = _finished(study)
    progress(f"tune {family}", min(len(done), wanted), wanted)
    for place in range(len(done), wanted):
        if place == 0:
            first = _try(Recipe(family, base, config.engine), fold, config.seed)
            study.add_trial(_kept_trial(first, distributions))
        else:
            study.sampler = _sampler(config.seed, place)
            asked = study.ask(distributions)
            trial = _try(Recipe(family, {**base, **asked.params}, config.engine), fold, config.seed)
            asked.set_user_attr("trial", _described(trial))
            study.tell(asked, trial.value)
        progress(f"tune {family}", place + 1, wanted)
    return Search(family, tuple(_finished(study)[:wanted]))


def _try(recipe: Recipe, fold: Fold, seed: int) -> SearchTrial:
    began = time.perf_counter()
    failure = None
    try:
        value = float(fit_and_evaluate(recipe, fold, (_HEADLINE_K,), seed).evaluation.values[HEADLINE].mean())
    except Exception as error:  # solvers diverge, each library with an error of its own; the search goes on
        value, failure = 0.0, f"{type(error).__name__}: {error}"[:300]
    return SearchTrial(recipe.parameters, value, round(time.perf_counter() - began, 3), failure)


def _sampler(seed: int, place: int) -> Any:
    """Return the sampler of the trial number `place`, from 0 on: it depends on nothing but what was finished before.

    So a stopped search goes on as if it had not been: the random state of a sampler is not kept anywhere.
    """
    import optuna

    drawn = int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
    return optuna.samplers.TPESampler(seed=drawn, multivariate=True, constant_liar=False)


def _finished(study: Any) -> list[SearchTrial]:
    """Return the finished trials in order; one that was cut off half-way is not among them."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [SearchTrial(**trial.user_attrs["trial"]) for trial in trials]


def _kept_trial(trial: SearchTrial, distributions: Mapping[str, Any]) -> Any:
    """Return the first trial for the study; a default outside of the space stands at the nearest place within."""
    import optuna

    parameters = {name: _nearest(trial.parameters[name], allowed) for name, allowed in distributions.items()}
    return optuna.trial.create_trial(
        params=parameters,
        distributions=dict(distributions),
        value=trial.value,
        user_attrs={"trial": _described(trial)},
    )


def _described(trial: SearchTrial) -> dict[str, Any]:
    parameters = dict(trial.parameters)
    return {"parameters": parameters, "value": trial.value, "seconds": trial.seconds, "failure": trial.failure}


def _distribution(allowed: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(allowed, Numbers):
        return CategoricalDistribution(allowed.values)
    if allowed.is_whole:
        return IntDistribution(int(allowed.low), int(allowed.high), log=not allowed.is_linear)
    return FloatDistribution(allowed.low, allowed.high, log=not allowed.is_linear)


def _nearest(value: Any, distribution: Any) -> Any:
    if hasattr(distribution, "choices"):
        return value if value in distribution.choices else distribution.choices[0]
    return min(max(value, distribution.low), distribution.high)


def _has_segments(fold: Fold) -> bool:
    side = fold.side_features
    return side is not None and any(name.startswith("segment=") for name in side.customer_space.columns)


def _study_name(family: str, config: TrainingConfig, digest: str, base: Mapping[str, Any], space: Space) -> str:
    """Return a name that is the same only where a finished trial would come out the same."""
    shares = (config.test_share, config.validation_share)
    decides = [digest, *shares, config.seed, HEADLINE, VERSION, dict(base), sorted(space)]
    decides += [config.engine.name] if family in config.engine.makers else []
    return f"{family}-{hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]}"


@contextmanager
def _storage(studies: Path | None) -> Iterator[Any]:
    """Open the SQLite file `studies`, whole after a kill at any moment; in memory without one."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if studies is None:
        yield optuna.storages.InMemoryStorage()
        return
    studies.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{studies.absolute()}", engine_kwargs={"connect_args": {"timeout": 60}}
    )
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()

"""The back-test on fixed files: every model is fitted on the training file and ranks for the test file's tasks."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.domain.errors import ImportInvalid, NotEnoughMemory
from recsys.evaluation.event_files import EventTable, read_events, without_repeats
from recsys.evaluation.intervals import bootstrap
from recsys.evaluation.metrics import Values
from recsys.evaluation.ranking_tasks import Evaluation, RankingTasks, evaluate
from recsys.evaluation.sameness import sameness_of
from recsys.interactions.matrix import InteractionMatrix, build_matrix
from recsys.models.base import RelevanceModel, require_memory
from recsys.models.data_shape import DataShape
from recsys.models.families import create_model

Progress = Callable[[str, int, int | None], None]
Texts = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What to compare on which files; `columns` maps our column names to those of the files.

    Nothing that needs more than `memory` bytes is started; None: any may be.
    """

    train: Path
    test: Path
    eligible: Path | None = None
    models: Sequence[str] = ("popularity",)
    ks: Sequence[int] = (3, 5, 50)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    include_seen: bool = False
    seed: int = 0
    memory: int | None = None


def run_backtest(request: BacktestRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Return counts and, by model, every metric with its interval, coverage and seconds, as JSON values.

    Beside popularity, where it is among the models, every other model's metrics also come as paired
    differences from it; all of it once more for customers with and without a history in the training
    file. Offers of any of the files are ranked; a family made for smaller catalogues is skipped, and one that needs
    too much memory refused. Raises ImportInvalid for a file, ValueError for a model or parameter that cannot be
    used, and NotEnoughMemory where that leaves none.
    """
    _models(request)  # what is wrong is said before anything is read
    training, tasks, extract = read_tasks(request)
    shape, offers = DataShape.of(training), len(training.offer_ids)
    models = _models(request, shape)
    skipped = {name: model.most_offers for name, model in models.items() if (model.most_offers or offers) < offers}
    if len(skipped) == len(models):
        raise ValueError("; ".join(f"{name} is for at most {most} offers" for name, most in skipped.items()))
    refused = _refused([model for name, model in models.items() if name not in skipped], shape, request.memory)
    if len(refused) + len(skipped) == len(models):
        raise next(iter(refused.values()))
    results, values = {}, {}
    for name in [name for name in models if name not in skipped and name not in refused]:
        outcome, fit_seconds = _fit_and_rank(models[name], training, tasks, request, progress)
        sameness = sameness_of(models[name], tasks.histories, tasks.facts, np.random.default_rng(request.seed))
        values[name] = outcome.values
        results[name] = {
            **_figures(outcome.values, values.get("popularity") if name != "popularity" else None, tasks.customers),
            **outcome.coverage,
            "fit_seconds": round(fit_seconds, 4),
            "score_seconds": round(outcome.score_seconds, 4),
            "parameters": models[name].parameters(),
            "warning": sameness.value if sameness else None,
        }
    is_known = np.diff(tasks.histories.indptr) > 0
    for name, group in product(results, ("known_customers", "new_customers")):
        members = np.flatnonzero(is_known == (group == "known_customers"))
        results[name][group] = _group(members, values[name], values.get("popularity"), name, tasks.customers)
    return {
        "tasks": len(tasks),
        "customers": int(tasks.customers.max()) + 1,
        "offers": offers,
        "training_customers": len(training.customer_ids),
        "include_seen": request.include_seen,
        "seed": request.seed,
        "extract": extract,
        "models": results,
        "skipped": {name: f"for at most {most} offers" for name, most in skipped.items()},
        "refused": {name: error.described() for name, error in refused.items()},
    }


def _models(request: BacktestRequest, shape: DataShape | None = None) -> dict[str, RelevanceModel]:
    """Return what is to be fitted, popularity first: the others are compared with it.

    Popularity counts everything alike unless its parameters say otherwise, as in published figures.
    """
    names = sorted(request.models, key=lambda name: name != "popularity")
    given = {"popularity": {"half_life_days": 0.0}, **request.parameters}
    return {name: create_model(name, given.get(name), shape) for name in names}


def _refused(models: Sequence[RelevanceModel], shape: DataShape, memory: int | None) -> dict[str, NotEnoughMemory]:
    refused = {}
    for model in models:
        try:
            require_memory(model, shape, memory)
        except NotEnoughMemory as error:
            refused[model.name] = error
    return refused


def _fit_and_rank(
    model: RelevanceModel,
    training: InteractionMatrix,
    tasks: RankingTasks,
    request: BacktestRequest,
    progress: Progress | None,
) -> tuple[Evaluation, float]:
    rng = np.random.default_rng(request.seed)
    if progress:
        progress(f"fit {model.name}", 0, None)
    started = time.perf_counter()
    model.fit(training, rng=rng)
    seconds = time.perf_counter() - started
    step = partial(progress, f"rank by {model.name}") if progress else None
    return evaluate(model, tasks, request.ks, rng, step), seconds


def _figures(
    values: Mapping[str, Values], popularity: Mapping[str, Values] | None, customers: NDArray[np.intp]
) -> dict[str, Any]:
    figures: dict[str, Any] = _intervals(values, customers)
    if popularity is not None:
        differences = {metric: values[metric] - popularity[metric] for metric in values}
        figures["against_popularity"] = _intervals(differences, customers)
    return figures


def _group(
    members: NDArray[np.intp],
    values: Mapping[str, Values],
    popularity: Mapping[str, Values] | None,
    name: str,
    customers: NDArray[np.intp],
) -> dict[str, Any]:
    """Return the figures of some of the tasks, or none where there are no such tasks."""
    if len(members) == 0:
        return {"tasks": 0}
    of_group = np.unique(customers[members], return_inverse=True)[1]
    mine = {metric: column[members] for metric, column in values.items()}
    rival = None
    if popularity is not None and name != "popularity":
        rival = {metric: column[members] for metric, column in popularity.items()}
    return {"tasks": len(members), **_figures(mine, rival, of_group)}


def _intervals(values: Mapping[str, Values], customers: NDArray[np.intp]) -> dict[str, Any]:
    intervals = bootstrap(values, customers, np.random.default_rng(0))
    return {metric: interval.rounded() for metric, interval in intervals.items()}


class TaskSet(NamedTuple):
    """What models learn from, what they rank for, and what was done to a training file that is an extract."""

    training: InteractionMatrix
    tasks: RankingTasks
    extract: str | None = None


def read_tasks(request: BacktestRequest) -> TaskSet:
    """Return the training matrix and the tasks: one an event where the test file has event ids, else a customer.

    With a file of eligible offers, the share of tasks to which each offer is open comes with the matrix:
    averages of inputs that a bank knows of its base when it decides, never of what was bought. Of a training file that
    repeats every holding, as a monthly extract does, each counts once, when it began.
    """
    train, said = without_repeats(read_events(request.train, request.columns, ("customer_id", "offer_id")))
    test = read_events(request.test, request.columns, ("customer_id", "offer_id"))
    allowed = read_events(request.eligible, request.columns, ("offer_id",)) if request.eligible else None
    assert train.customer_ids is not None
    assert test.customer_ids is not None
    others = [test.offer_ids, allowed.offer_ids] if allowed else [test.offer_ids]
    ages = None if train.occurred_at is None else (train.occurred_at.max() - train.occurred_at).astype(np.float32)
    training = build_matrix(train.customer_ids, train.offer_ids, train.weights, ages, np.unique(np.concatenate(others)))
    task_keys = test.customer_ids if test.event_ids is None else test.event_ids
    task_ids, first, task_of = np.unique(task_keys, return_index=True, return_inverse=True)
    customers = test.customer_ids[first]
    histories = _histories(training, customers)
    eligible = _eligible(allowed, task_ids, customers, training) if allowed else None
    if eligible is not None:
        training = replace(training, open_share=np.asarray((eligible > 0).mean(axis=0), dtype=np.float64).ravel())
    tasks = RankingTasks(
        histories=histories,
        relevant=_marks(task_of, test.offer_ids, len(task_ids), training),
        customers=np.unique(customers, return_inverse=True)[1],
        excluded=None if request.include_seen else histories,
        eligible=eligible,
    )
    return TaskSet(training, tasks, f"{request.train.name} {said}." if said else None)


def _histories(training: InteractionMatrix, customers: Texts) -> csr_matrix:
    rows, known = _places(training.customer_ids, customers)
    count = len(customers)
    picker = csr_matrix((known.astype(np.float32), (np.arange(count), rows)), shape=(count, len(training.customer_ids)))
    picker.eliminate_zeros()
    return (picker @ training.matrix).tocsr()


def _marks(rows: NDArray[np.intp], offers: Texts, count: int, training: InteractionMatrix) -> csr_matrix:
    columns, _ = _places(training.offer_ids, offers)
    marks = np.ones(len(rows), dtype=np.float32)
    return csr_matrix((marks, (rows, columns)), shape=(count, len(training.offer_ids)))


def _eligible(allowed: EventTable, task_ids: Texts, customers: Texts, training: InteractionMatrix) -> csr_matrix:
    """Return what each task may rank: the file's rows for its event, or for its customer."""
    keys, by_task = (allowed.customer_ids, customers) if allowed.event_ids is None else (allowed.event_ids, task_ids)
    if keys is None:
        raise ImportInvalid("The file of eligible offers needs a column event_id or customer_id; see --columns.")
    names, row_of = np.unique(keys, return_inverse=True)
    marks = _marks(row_of, allowed.offer_ids, len(names), training)
    rows, known = _places(tuple(names.tolist()), by_task)
    if not known.all():
        raise ImportInvalid(f"The file of eligible offers says nothing about {int((~known).sum())} of the tasks.")
    return marks[rows]


def _places(names: Sequence[str], wanted: Texts) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the place of each wanted name in the sorted `names` and whether it is there (place 0 where not)."""
    listed = np.asarray(names, dtype=str)
    places = np.minimum(np.searchsorted(listed, wanted), len(listed) - 1)
    known = listed[places] == wanted
    return np.where(known, places, 0), known

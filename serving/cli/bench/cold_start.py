"""Measures cold starts on the simulated bank: people known by their facts alone, and offers that nobody took yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.domain.clock import system_clock
from recsys.domain.interaction import InteractionKind
from recsys.evaluation.intervals import bootstrap
from recsys.evaluation.ranking_tasks import RankingTasks, evaluate
from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import FeatureSpace, SideFeatures
from recsys.models.families import create_model
from recsys.simulator.history import draw_history
from recsys.simulator.purchases import KINDS
from recsys.simulator.world import World
from serving.cli.output import Progress

PEOPLE_HELD_OUT, OFFERS_HELD_OUT = 0.2, 0.25
_MONTHS = 12
_METRICS = ("HR@3", "NDCG@5")
_CUSTOMER_FACTS = (
    "kind", "language", "segment", "risk_level", "age", "city", "monthly_income_cny", "balance_cny", "tenure_months",
    "app_logins_30d",
)  # fmt: skip
_OFFER_FACTS = ("kind", "family", "risk_level", "margin", "handling_seconds", "intents")
_FAMILIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("popularity", "popularity", {}),
    ("popularity by segment", "popularity", {"by": "segment"}),
    ("lightfm", "lightfm", {}),
)


@dataclass(frozen=True, slots=True)
class _Bank:
    """Who has what (n, m), what the rules let them have, and the facts of both."""

    holdings: csr_matrix
    eligible: NDArray[np.bool_]
    sales: NDArray[np.intp]
    side: SideFeatures


def measure(customers: int, seed: int, progress: Progress) -> dict[str, Any]:
    """Return, for each kind of cold start, the metrics of every model and the paired difference from popularity."""
    bank = _draw(customers, seed, progress)
    results = {}
    for what, (training, tasks) in {
        "people without history": _cold_people(bank, np.random.default_rng(seed)),
        "new offers among each other": _new_offers(bank, np.random.default_rng(seed)),
    }.items():
        progress(what, 0, None)
        results[what] = {"tasks": len(tasks), "models": _compare(bank, training, tasks, seed)}
    size, offers = bank.holdings.shape
    return {"customers": size, "offers": offers, "seed": seed, "cold_starts": results}


def _cold_people(bank: _Bank, rng: np.random.Generator) -> tuple[csr_matrix, RankingTasks]:
    """Return the holdings without those of some people, and what these have as tasks, of whom only facts are known."""
    size, offers = bank.holdings.shape
    people = np.sort(rng.choice(size, int(size * PEOPLE_HELD_OUT), replace=False))
    people = people[np.diff(bank.holdings.indptr)[people] > 0]
    stays = np.ones(size, dtype=bool)
    stays[people] = False
    nothing = csr_matrix((len(people), offers), dtype=np.float32)
    eligible = csr_matrix(bank.eligible[people], dtype=np.float32)
    numbers, facts = np.arange(len(people)), bank.side.customers[people]
    tasks = RankingTasks(nothing, bank.holdings[people], numbers, eligible=eligible, facts=facts)
    return _only(bank.holdings, stays[:, None]), tasks


def _new_offers(bank: _Bank, rng: np.random.Generator) -> tuple[csr_matrix, RankingTasks]:
    """Return the holdings without some offers, and who took which of these as tasks, ranked among each other."""
    new = np.zeros(bank.holdings.shape[1], dtype=bool)
    new[rng.choice(bank.sales, int(len(bank.sales) * OFFERS_HELD_OUT), replace=False)] = True
    training, taken = _only(bank.holdings, ~new[None, :]), _only(bank.holdings, new[None, :])
    takers = np.flatnonzero(np.diff(taken.indptr))
    eligible = csr_matrix(bank.eligible[takers] & new, dtype=np.float32)
    numbers, facts = np.arange(len(takers)), bank.side.customers[takers]
    return training, RankingTasks(training[takers], taken[takers], numbers, eligible=eligible, facts=facts)


def _compare(bank: _Bank, training: csr_matrix, tasks: RankingTasks, seed: int) -> dict[str, Any]:
    size, offers = bank.holdings.shape
    names = tuple(str(number) for number in range(size)), tuple(str(number) for number in range(offers))
    matrix = InteractionMatrix(training, *names)
    results: dict[str, Any] = {}
    popularity: Mapping[str, NDArray[np.float64]] = {}
    for name, family, parameters in _FAMILIES:
        model = create_model(family, parameters).fit(matrix, bank.side, rng=np.random.default_rng(seed))
        values = evaluate(model, tasks, (3, 5), np.random.default_rng(seed)).values
        popularity = popularity or values
        columns = {metric: values[metric] for metric in _METRICS}
        columns |= {f"{metric} against popularity": values[metric] - popularity[metric] for metric in _METRICS}
        intervals = bootstrap(columns, tasks.customers, np.random.default_rng(seed))
        results[name] = {metric: interval.rounded() for metric, interval in intervals.items()}
    return results


def _draw(customers: int, seed: int, progress: Progress) -> _Bank:
    world = World.build(customers, _MONTHS, seed, system_clock())
    events = draw_history(world, progress).events
    kinds = [KINDS.index(kind) for kind in (InteractionKind.HOLDING, InteractionKind.ACCEPTED)]
    taken = np.isin(events.kind, kinds) & ~world.offers.is_service[events.offer]
    people, sales = world.population, np.flatnonzero(~world.offers.is_service)
    where = (events.person[taken], events.offer[taken])
    holdings = csr_matrix((np.ones(int(taken.sum()), np.float32), where), shape=world.taste.shape)
    holdings.data[:] = 1.0
    columns = {name: _column(getattr(people, name)) for name in _CUSTOMER_FACTS}
    of_customers = FeatureSpace.of_columns(columns, at_least=20)
    rows = [{name: row[name] for name in _OFFER_FACTS if name in row} for row in world.offers.rows]
    of_offers = FeatureSpace.of_rows(rows)
    encoded = of_customers.encode_columns(columns, customers), of_offers.encode(rows)
    eligible = (world.eligible | (holdings.toarray() > 0)) & ~world.offers.is_service
    return _Bank(holdings, eligible, sales, SideFeatures(*encoded, of_customers, of_offers))


def _column(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float64 if values.dtype.kind in "if" else object)


def _only(matrix: csr_matrix, where: NDArray[np.bool_]) -> csr_matrix:
    kept = csr_matrix(matrix.multiply(where))
    kept.eliminate_zeros()
    return kept

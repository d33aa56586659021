"""Small worlds of purchases in which the right answer is known."""

import numpy as np
from scipy.sparse import csr_matrix

from recsys.domain.facts import Facts
from recsys.interactions.matrix import InteractionMatrix, build_matrix
from recsys.interactions.side_features import FeatureSpace, SideFeatures
from recsys.models.base import RelevanceModel
from recsys.models.families import create_model


def a_checkerboard(size: int = 50) -> InteractionMatrix:
    """Customer i bought every offer of the same parity but number i, which is the right answer (after implicit)."""
    rows, columns = np.indices((size, size))
    bought = ((rows + columns) % 2 == 0) & (rows != columns)
    names = tuple(f"{number:02d}" for number in range(size))
    return InteractionMatrix(csr_matrix(bought.astype(np.float32)), names, names)


def a_market(customers: int = 200, offers: int = 30, seed: int = 0) -> InteractionMatrix:
    """Random purchases, a few offers taken far more often than the others, known times; the last offer by nobody."""
    rng = np.random.default_rng(seed)
    count = customers * 5
    who = [f"客户{number}" for number in rng.integers(0, customers, count)]
    what = [f"产品{number:02d}" for number in rng.zipf(1.4, count) % (offers - 1)]
    catalogue = [f"产品{number:02d}" for number in range(offers)]
    return build_matrix(who, what, rng.uniform(0.2, 1.0, count), rng.uniform(0, 700, count), catalogue)


def facts_of(world: InteractionMatrix, seed: int = 0) -> SideFeatures:
    """Random facts of everybody in `world`, and a family for every offer."""
    rng = np.random.default_rng(seed)
    count = len(world.customer_ids)
    columns = {
        "segment": rng.choice(["mass", "private", "青年"], count).astype(object),
        "age": np.where(rng.random(count) < 0.1, np.nan, rng.uniform(18, 80, count)),
    }
    people = FeatureSpace.of_columns(columns)
    rows: list[Facts] = [{"family": f"f{place % 4}", "margin": 10.0 * place} for place in range(len(world.offer_ids))]
    offers = FeatureSpace.of_rows(rows)
    return SideFeatures(people.encode_columns(columns, count), offers.encode(rows), people, offers)


def fitted(name: str, world: InteractionMatrix, seed: int = 1) -> RelevanceModel:
    """A model with its usual parameters, fitted on `world`."""
    return create_model(name).fit(world, rng=np.random.default_rng(seed))


def every_offer(world: InteractionMatrix) -> np.ndarray:
    """All columns."""
    return np.arange(len(world.offer_ids))

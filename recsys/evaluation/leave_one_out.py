"""Leave-one-out: one offer of each customer is hidden, and found again from the others; no order in time is needed."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.evaluation.ranking_tasks import RankingTasks
from recsys.interactions.matrix import InteractionMatrix


def hide_one(
    interactions: InteractionMatrix,
    held: csr_matrix,
    rows: NDArray[np.intp],
    rng: np.random.Generator,
    facts: csr_matrix | None = None,
) -> tuple[InteractionMatrix, RankingTasks]:
    """Hide one entry of `held` in each of `rows`, drawn from `rng`; return what is left, and a task a row.

    A task is to find what is hidden; what is left of the history is left out of the ranking. `held` has the shape of
    the matrix, stored entries only where the matrix has some, and one or more in each of `rows`. `facts` are those of
    all rows of the matrix.
    """
    matrix = interactions.matrix
    columns = held.indices[held.indptr[rows] + rng.integers(0, np.diff(held.indptr)[rows])].astype(np.int64)
    width = np.int64(matrix.shape[1])
    places = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)) * width + matrix.indices
    left = interactions.without_entries(np.flatnonzero(np.isin(places, rows * width + columns)))
    histories = left.matrix[rows]
    tasks = np.arange(len(rows))
    marks = (np.ones(len(rows), dtype=np.float32), (tasks, columns))
    relevant = csr_matrix(marks, shape=histories.shape)
    of_tasks = None if facts is None else facts[rows]
    return left, RankingTasks(histories, relevant, tasks, excluded=histories, facts=of_tasks)

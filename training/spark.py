"""ALS fitted by Spark's MLlib: the offers' factors come from there, everything else is the local family's."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from features.spark_session import Spark
from recsys.models.als import AlternatingLeastSquares
from recsys.models.families import create_model
from training.config import Engine

_ROWS_OF_A_GROUP = 500_000


def spark_engine(spark: Spark) -> Engine:
    """Return the engine that fits ALS on the workers of `spark`."""
    return Engine("spark", {AlternatingLeastSquares.name: partial(SparkAlternatingLeastSquares, spark)})


class SparkAlternatingLeastSquares(AlternatingLeastSquares):
    """The same confidences, factors and iterations, alternated by MLlib.

    MLlib adds regularization × (how many offers a customer has, or how many customers an offer has) to each system of
    equations, where implicit adds the regularization itself. It is given regularization ÷ √(both means multiplied), so
    that the product of what a mean customer and a mean offer get is the same. What the two get is not, which a common
    factor of all offers' numbers makes good: with it a mean customer is folded in as MLlib solved for one.
    """

    def __init__(self, spark: Spark, parameters: Mapping[str, Any]) -> None:
        super().__init__(**create_model(self.name, parameters).parameters())
        self._spark = spark

    def _solve(self, matrix: csr_matrix, factors: int, rng: np.random.Generator) -> NDArray[np.float32]:
        from pyspark.ml.recommendation import ALS

        spark = self._spark.session
        customers, offers = (np.count_nonzero(matrix.getnnz(axis)) for axis in (1, 0))
        ratings = spark.read.parquet(self._write(matrix))
        blocks = max(2, spark.sparkContext.defaultParallelism)
        solver = ALS(
            rank=factors,
            maxIter=self.iterations,
            regParam=self.regularization * float(np.sqrt(customers * offers)) / matrix.nnz,
            alpha=self.alpha,
            implicitPrefs=True,
            numUserBlocks=blocks,
            numItemBlocks=blocks,
            userCol="customer",
            itemCol="offer",
            ratingCol="weight",
            seed=int(rng.integers(2**31)),
            finalStorageLevel="DISK_ONLY",
        )
        solved = solver.fit(ratings).itemFactors.collect()
        found = np.zeros((matrix.shape[1], factors), dtype=np.float32)  # an offer that nobody took has no row
        found[[row.id for row in solved]] = [row.features for row in solved]
        return found * np.float32((customers / offers) ** 0.25)

    def _write(self, matrix: csr_matrix) -> str:
        """Write the entries where Spark's workers find them, and return their address."""
        import pyarrow as pa
        from pyarrow.parquet import write_table

        file = self._spark.new_file("ratings")
        rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))
        entries = pa.table({"customer": rows, "offer": matrix.indices.astype(np.int32), "weight": matrix.data})
        write_table(entries, file, row_group_size=_ROWS_OF_A_GROUP)
        file.chmod(0o644)
        return self._spark.address_of(file)

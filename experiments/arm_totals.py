"""What estimates need to know of an arm: a count, sums and sums of products, which add up over days and epochs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ArmTotals:
    """Totals of `n` units over d variables: their sums (d,) and the sums of their products (d, d).

    The first variable is the outcome; for a ratio the second is its denominator; covariates follow.
    """

    n: int
    sums: FloatArray
    products: FloatArray

    @classmethod
    def of(cls, *variables: ArrayLike) -> "ArmTotals":
        """Return the totals of units given as d variables of shape (n,)."""
        table = np.column_stack([np.asarray(variable, dtype=np.float64) for variable in variables])
        return cls(len(table), table.sum(axis=0), table.T @ table)

    def __add__(self, other: "ArmTotals") -> "ArmTotals":
        return ArmTotals(self.n + other.n, self.sums + other.sums, self.products + other.products)

    @property
    def means(self) -> FloatArray:
        """Means of the variables, (d,); not a number where there is no unit."""
        return self.sums / self.n if self.n else np.full(len(self.sums), np.nan)

    @property
    def covariances(self) -> FloatArray:
        """Unbiased covariances of the variables, (d, d); not a number below two units."""
        if self.n < 2:
            return np.full(self.products.shape, np.nan)
        return (self.products - np.outer(self.sums, self.sums) / self.n) / (self.n - 1)

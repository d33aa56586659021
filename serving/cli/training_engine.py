"""Which engine `nbo train` reads and fits by: this process, or Spark, which is started for the length of a block."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from features.offline import OfflineFeatures
    from serving.settings import Settings
    from training.config import Engine

ENGINES = ("local", "spark")
_FITTED_BY_SPARK = ("als",)


def check_engine(engine: str, models: Sequence[str]) -> None:
    """Raise BadParameter for an engine that there is not, or that does not fit all of `models`."""
    if engine not in ENGINES:
        said = f"there is no engine {engine!r}; there are {' and '.join(ENGINES)}"
        raise typer.BadParameter(said, param_hint="--engine")
    if engine == "spark" and (others := [name for name in models if name not in _FITTED_BY_SPARK]):
        said = f"spark fits als alone, not {', '.join(others)}: add --model als, or leave --engine out"
        raise typer.BadParameter(said, param_hint="--engine")


@contextmanager
def training_engine(
    settings: "Settings", name: str
) -> "Iterator[tuple[Engine, Callable[[OfflineFeatures], OfflineFeatures]]]":
    """Start the engine; yields where models are fitted, and what makes opened features be read by it.

    Raises InvalidInput, which says what to do, where PySpark or Java is missing or Spark does not start.
    """
    from training.config import LOCAL

    if name != "spark":
        yield LOCAL, lambda features: features
        return
    from features.offline_spark import SparkFeatures
    from features.spark_session import open_spark
    from training.spark import spark_engine

    with open_spark(settings) as spark:
        yield spark_engine(spark), lambda features: SparkFeatures(features, spark)

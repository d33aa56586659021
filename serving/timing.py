"""Times the stages of a decision, for operators (/metrics) and for the benchmark."""

import time
from functools import cache

from prometheus_client import Histogram

STAGE_SECONDS = Histogram(
    "nbo_decision_stage_seconds",
    "Time a decision spends in each of its stages.",
    ["stage"],
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25),
)


class stage:
    """Time what happens inside as the stage `name`."""

    __slots__ = ("_began", "_name")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        _stage(self._name).observe(time.perf_counter() - self._began)


@cache
def _stage(name: str) -> Histogram:
    return STAGE_SECONDS.labels(name)

"""Times the stages of a decision, for operators (/metrics) and for the benchmark."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from prometheus_client import Histogram

STAGE_SECONDS = Histogram(
    "nbo_decision_stage_seconds",
    "Time a decision spends in each of its stages.",
    ["stage"],
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25),
)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time what happens inside as the stage `name`."""
    began = time.perf_counter()
    try:
        yield
    finally:
        _stage(name).observe(time.perf_counter() - began)


@cache
def _stage(name: str) -> Histogram:
    return STAGE_SECONDS.labels(name)

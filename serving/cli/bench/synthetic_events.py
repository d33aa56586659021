"""Writes a seeded export of made-up interactions at any size: popular and rare offers, customers with tastes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

FIRST_DAY = date(2025, 1, 1)
DAYS = 365
FAMILIES = 10
OWN_TASTE = 0.7
"""The share of a customer's interactions with offers of the family they like."""

_KINDS = {"holding": 0.15, "accepted": 0.15, "inquiry": 0.25, "view": 0.35, "declined": 0.08, "cancelled": 0.02}
_CHANNELS = ("phone", "app", "branch")
_ROWS_OF_A_GROUP = 20_000
_MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many of each there are."""

    customers: int
    offers: int
    interactions: int


def write_events(directory: Path, sizes: Sizes, rng: Generator, step: Callable[[int], None]) -> None:
    """Write customers and interactions as `recsys.storage.export` lays them out; `step` gets the rows written so far.

    Offers of the same family stand `FAMILIES` apart, the popular ones first; busy customers have low numbers.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    customer_ids = pa.array([f"c{number:09d}" for number in range(sizes.customers)])
    offer_ids = pa.array([f"o{number:05d}" for number in range(sizes.offers)])
    tastes = rng.integers(FAMILIES, size=sizes.customers)
    directory.mkdir(parents=True, exist_ok=True)
    consents = pa.array([True, None] * (sizes.customers // 2 + 1), pa.bool_())[: sizes.customers]
    people = pa.table({"customer_id": customer_ids, "consent_profiling": consents})
    pq.write_table(people, directory / "customers.parquet")
    ends = np.linspace(0, sizes.interactions, DAYS + 1).astype(np.int64)
    for number, rows in enumerate(np.diff(ends)):
        if rows:
            day = FIRST_DAY + timedelta(days=number)
            folder = directory / "interactions" / f"day={day}"
            folder.mkdir(parents=True)
            table = _day(day, int(rows), customer_ids, offer_ids, tastes, rng)
            pq.write_table(table, folder / "events.parquet", row_group_size=_ROWS_OF_A_GROUP)
        step(int(ends[number + 1]))


def _day(
    day: date, rows: int, customer_ids: "pa.Array", offer_ids: "pa.Array", tastes: NDArray[np.int64], rng: Generator
) -> "pa.Table":
    import pyarrow as pa

    customers = (len(customer_ids) * rng.random(rows) ** 1.5).astype(np.int64)
    offers = _offers(tastes[customers], len(offer_ids), rng)
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
    moments = midnight + np.sort(rng.integers(_MICROSECONDS_A_DAY, size=rows))
    kinds = rng.choice(len(_KINDS), size=rows, p=list(_KINDS.values()))
    return pa.table(
        {
            "customer_id": customer_ids.take(pa.array(customers)),
            "offer_id": offer_ids.take(pa.array(offers)),
            "occurred_at": pa.array(moments).cast(pa.timestamp("us", tz="UTC")),
            "kind": pa.array(list(_KINDS)).take(pa.array(kinds)),
            "channel": pa.array(_CHANNELS).take(pa.array(rng.integers(len(_CHANNELS), size=rows))),
            "weight": pa.array(np.ones(rows)),
        }
    )


def _offers(tastes: NDArray[np.int64], offers: int, rng: Generator) -> NDArray[np.int64]:
    """Return one offer for each of the customers with these tastes."""
    chances = 1.0 / np.arange(1, offers + 1) ** 0.8
    anything = np.searchsorted(np.cumsum(chances) / chances.sum(), rng.random(len(tastes)))
    in_family = chances[: -(-offers // FAMILIES)]
    places = np.searchsorted(np.cumsum(in_family) / in_family.sum(), rng.random(len(tastes)))
    liked = places * FAMILIES + tastes
    chosen = np.where((rng.random(len(tastes)) < OWN_TASTE) & (liked < offers), liked, anything)
    return np.minimum(chosen, offers - 1)

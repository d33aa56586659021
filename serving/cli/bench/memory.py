"""Measures what a fit has in memory at its peak, each in a process of its own, beside what the family says before."""

import ctypes
import gc
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.cli.bench.train import measured
from serving.cli.output import Progress

if TYPE_CHECKING:
    from recsys.interactions.matrix import InteractionMatrix

_MIB = 2**20
_DAYS = 720.0
_ONE_PASS: Mapping[str, Mapping[str, int]] = {
    "als": {"iterations": 1}, "bpr": {"iterations": 1}, "lmf": {"iterations": 1}, "lightfm": {"epochs": 1},
}  # fmt: skip
"""More passes over the same data need no more memory."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to fit, on how many customers with how many purchases each; nothing above `memory` bytes is started.

    `parameters` by family go before the defaults.
    """

    families: tuple[str, ...]
    catalogues: tuple[int, ...]
    customers: int
    purchases: int
    memory: int | None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def measure(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Fit every family on made-up purchases from a catalogue of each size; one too large for a family is left out.

    A figure is what the process had resident at most during the fit, above what it had before.
    """
    from recsys.models.families import FAMILIES

    wanted = [(family, offers) for offers in plan.catalogues for family in plan.families]
    wanted = [(family, offers) for family, offers in wanted if offers <= (FAMILIES[family].most_offers or offers)]
    found = []
    for number, (family, offers) in enumerate(wanted):
        progress("fit in a process of its own", number, len(wanted))
        found.append(_fit(plan, family, offers))
    progress("fit in a process of its own", len(wanted), len(wanted))
    return {
        "customers": plan.customers, "purchases": plan.purchases, "memory_bytes": plan.memory, "fits": found,
    }  # fmt: skip


def _fit(plan: Plan, family: str, offers: int) -> dict[str, Any]:
    from recsys.models.data_shape import DataShape
    from recsys.models.families import create_model

    entries = plan.customers * plan.purchases
    shape = DataShape(plan.customers, offers, entries, entries)
    model = create_model(family, {**_ONE_PASS.get(family, {}), **plan.parameters.get(family, {})}, shape)
    found: dict[str, Any] = {
        "model": family,
        "offers": offers,
        "parameters": model.parameters(),
        "needs_bytes": model.needs(shape),
    }
    if plan.memory is not None and found["needs_bytes"] > plan.memory:
        return {**found, "peak_bytes": None, "said_over_measured": None, "seconds": None}
    asked = [family, str(plan.customers), str(offers), str(plan.purchases), json.dumps(model.parameters())]
    command = [sys.executable, "-W", "ignore", "-c", f"from {__name__} import fit_alone; fit_alone()", *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{family} with {offers} offers: {done.stderr.strip()[-500:]}")
    found |= json.loads(done.stdout)
    return {**found, "said_over_measured": round(found["needs_bytes"] / found["peak_bytes"], 2)}


def fit_alone() -> None:
    """Fit what the command line says in this process, and write what it needed as JSON."""
    from recsys.models.data_shape import DataShape
    from recsys.models.families import create_model

    family, customers, offers, purchases, parameters = sys.argv[1:]
    model = create_model(family, json.loads(parameters))
    small, world = made_up(50, 20, 5), made_up(int(customers), int(offers), int(purchases))
    model.fit(small, rng=np.random.default_rng(0))  # what is imported at the first fit is no fit's
    gc.collect()
    with suppress(OSError, AttributeError):  # what is free but not given back would not be seen as needed
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    _, before = measured(lambda: None)
    _, phase = measured(lambda: model.fit(world, rng=np.random.default_rng(0)))
    peak = max(1, round((phase.peak_mib - before.peak_mib) * _MIB))
    needs = model.needs(DataShape.of(world))
    sys.stdout.write(json.dumps({"needs_bytes": needs, "peak_bytes": peak, "seconds": round(phase.seconds, 2)}))


def made_up(customers: int, offers: int, purchases: int) -> "InteractionMatrix":
    """Return random purchases over two years; the popularity of an offer falls with the root of its place."""
    from recsys.interactions.matrix import build_matrix

    rng = np.random.default_rng(1)
    count = customers * purchases
    people = rng.integers(0, customers, count)
    places = (offers * rng.random(count) ** 2).astype(np.int64)
    names = [np.char.zfill(np.arange(many).astype(str), 8) for many in (customers, offers)]
    return build_matrix(names[0][people], names[1][places], None, rng.uniform(0, _DAYS, count), names[1])

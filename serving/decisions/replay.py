"""Replay: a stored decision made once more from what its record holds, and compared to the last byte."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from recsys.domain.summation import compensated
from serving.basis import Basis
from serving.decisions.record import Made, make_record, situation_of, to_json

_MOST_DIFFERENCES = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One place of the record where the replay says something else."""

    path: str
    stored: Any
    replayed: Any


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of deciding again; identical means the same record to the last byte."""

    decision_id: str
    is_identical: bool
    differences: tuple[Difference, ...] = ()


def replay(stored: str, basis: Basis) -> Replay:
    """Return the outcome of deciding again what the record `stored` says was asked, on the basis it names."""
    record = orjson.loads(stored)
    situation = situation_of(record)

    def decide() -> str:
        return to_json(make_record(basis.decide(situation), situation, basis, record["sequence"], Made.of(record)))

    again = decide()
    if again != stored and "runtime" not in record:  # perhaps made on a Python whose sums are compensated
        with compensated():
            again = again if (other := decide()) != stored else other
    if again == stored:
        return Replay(record["decision_id"], True)
    found: list[Difference] = []
    for difference in _differences(record, orjson.loads(again), ""):
        found.append(difference)
        if len(found) == _MOST_DIFFERENCES:
            break
    return Replay(record["decision_id"], False, tuple(found))


def _differences(stored: Any, again: Any, path: str) -> Iterator[Difference]:
    if isinstance(stored, Mapping) and isinstance(again, Mapping):
        for name in {**stored, **again}:
            yield from _differences(stored.get(name), again.get(name), f"{path}.{name}" if path else name)
    elif isinstance(stored, Sequence) and isinstance(again, Sequence) and len(stored) == len(again) != 0:
        if isinstance(stored, str) or isinstance(again, str):
            if stored != again:
                yield Difference(path, stored, again)
            return
        for place, (one, other) in enumerate(zip(stored, again, strict=True)):
            yield from _differences(one, other, f"{path}[{place}]")
    elif stored != again:
        yield Difference(path, stored, again)

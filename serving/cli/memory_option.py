"""The option that says how much memory a fit may have."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

_SHARE = 0.8
"""How much of what is free is used where nothing else is said: the fit is not alone on the machine."""
_CONTROL_GROUP = Path("/sys/fs/cgroup")

MemoryOption = Annotated[
    float | None,
    typer.Option(min=0, help="GiB a fit may need; what needs more is not started. [default: 80 % of what is free]"),
]


def memory_bytes(gib: float | None) -> int | None:
    """Return the bytes that a fit may need; None (any) where nothing is asked for and the machine does not say."""
    if gib is not None:
        return int(gib * 2**30)
    free = [found for found in (_free_of_machine(), _free_of_group()) if found is not None]
    return int(_SHARE * min(free)) if free else None


def refused_lines(refused: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Say which families were not started, and both figures."""
    from recsys.domain.errors import NotEnoughMemory

    return [str(NotEnoughMemory(name, **figures)) for name, figures in refused.items()]


def _free_of_machine() -> int | None:
    """Return the bytes that programs can have without swapping, where Linux says it."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _free_of_group() -> int | None:
    """Return the bytes left to this container, where it has a limit."""
    with suppress(OSError, ValueError):  # "max": no limit
        limit = int((_CONTROL_GROUP / "memory.max").read_text())
        return max(0, limit - int((_CONTROL_GROUP / "memory.current").read_text()))
    return None

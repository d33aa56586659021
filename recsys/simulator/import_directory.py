"""Writes the simulated bank as the import directory that any bank would deliver; hidden truths stay behind."""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import yaml
from numpy.typing import NDArray

from recsys.domain.channel import BRANCH
from recsys.domain.contact import Direction
from recsys.simulator.arrivals import CAMPAIGN, CHANNELS
from recsys.simulator.history import History, Progress, draw_history
from recsys.simulator.offers import reasons
from recsys.simulator.population import Population
from recsys.simulator.purchases import KINDS
from recsys.simulator.world import World

_CONTACT_COLUMNS = (
    "contact_id", "customer_id", "opened_at", "channel", "direction", "reason", "sentiment", "agent_id", "csat",
)  # fmt: skip
_CONSENT_TEXT = {1: "true", 0: "false", -1: ""}


def write_import_directory(world: World, directory: Path, progress: Progress | None = None) -> dict[str, int]:
    """Write customers, offers, interactions and contacts below `directory` (made if needed); return rows by file.

    The same world gives the same bytes. `progress` is called with (what, done, of how many).
    """
    directory.mkdir(parents=True, exist_ok=True)
    history = draw_history(world, progress)
    rows = {
        "customers": _write_customers(world.population, directory / "customers.csv"),
        "offers": _write_offers(world, directory / "offers.yaml"),
        "interactions": _write_interactions(world, history, directory / "interactions.csv.gz"),
        "contacts": _write_contacts(world, history, directory / "contacts.csv.gz"),
    }
    if progress:
        progress("writing the import directory", sum(rows.values()), sum(rows.values()))
    return rows


def _write_customers(population: Population, path: Path) -> int:
    names = [field.name for field in fields(population)]
    columns = [_texts(name, getattr(population, name)) for name in names]
    with path.open("w", encoding="utf-8", newline="") as file:
        return _write_table(file, names, columns)


def _texts(name: str, column: Sequence[str] | NDArray[Any]) -> list[str]:
    """Return a column of the population as CSV text: unknown is empty, amounts are whole CNY."""
    if not isinstance(column, np.ndarray):
        return list(column)
    if name.startswith("consent_"):
        return [_CONSENT_TEXT[value] for value in column.tolist()]
    if column.dtype.kind == "b":
        return ["true" if value else "false" for value in column.tolist()]
    if column.dtype.kind == "f":
        return ["" if value != value else f"{value:.0f}" for value in column.tolist()]
    return [str(value) for value in column.tolist()]


def _write_offers(world: World, path: Path) -> int:
    rows = [dict(row) for row in world.offers.rows]
    path.write_text(yaml.safe_dump(rows, allow_unicode=True, sort_keys=False, width=120), encoding="utf-8")
    return len(rows)


def _write_interactions(world: World, history: History, path: Path) -> int:
    events = history.events
    columns: list[Iterable[Any]] = [
        np.array(world.population.customer_id)[events.person],
        np.array(world.offers.ids)[events.offer],
        _moments(events.at),
        np.array([kind.value for kind in KINDS])[events.kind],
        np.array([*CHANNELS, BRANCH])[events.channel],
    ]
    with _open_gzip(path) as file:
        return _write_table(file, ["customer_id", "offer_id", "occurred_at", "event", "channel"], columns)


def _write_contacts(world: World, history: History, path: Path) -> int:
    contacts = history.contacts
    is_campaign = contacts.reason == CAMPAIGN
    columns: list[Iterable[Any]] = [
        [f"H{number:07d}" for number in range(1, len(contacts.at) + 1)],
        np.array(world.population.customer_id)[contacts.person],
        _moments(contacts.at),
        np.array(CHANNELS)[contacts.channel],
        np.where(is_campaign, Direction.OUTBOUND.value, Direction.INBOUND.value),
        np.array([*(reason.name for reason in reasons()), "campaign"])[contacts.reason],
        contacts.sentiment,
        [f"A{number:03d}" for number in history.agent.tolist()],
        ["" if score == 0 else str(score) for score in history.csat.tolist()],
    ]
    with _open_gzip(path) as file:
        return _write_table(file, _CONTACT_COLUMNS, columns)


def _moments(at: NDArray[np.int64]) -> list[str]:
    return [f"{text}Z" for text in np.datetime_as_string(at.astype("datetime64[s]"), unit="s").tolist()]


@contextmanager
def _open_gzip(path: Path) -> Iterator[TextIO]:
    """Open for writing text, with neither the time nor the file's name in the header: same content, same bytes."""
    with (
        path.open("wb") as plain,
        gzip.GzipFile(filename="", mode="wb", compresslevel=5, fileobj=plain, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        yield text


def _write_table(file: TextIO, names: Sequence[str], columns: Sequence[Iterable[Any]]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    lists = [column.tolist() if isinstance(column, np.ndarray) else list(column) for column in columns]
    writer.writerows(zip(*lists, strict=True))
    return len(lists[0])

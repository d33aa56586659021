"""Event files for the back-test: CSV or Parquet with columns under any name, or one line of offers a customer."""

import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import ImportInvalid
from recsys.domain.extract import Date, is_extract
from recsys.interactions.file_queries import open_duckdb

_SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class EventTable:
    """Parallel columns (events,) of a file; a column the file does not have is None.

    `occurred_at` is in days since 1970.
    """

    offer_ids: NDArray[np.str_]
    customer_ids: NDArray[np.str_] | None
    event_ids: NDArray[np.str_] | None
    occurred_at: NDArray[np.float64] | None
    weights: NDArray[np.float64] | None


def read_events(path: Path, columns: Mapping[str, str], required: Sequence[str]) -> EventTable:
    """Return the events in the file; `columns` maps our names to the file's, where they differ.

    Our names are customer_id, offer_id, event_id, occurred_at (ISO 8601, UTC where no zone is given) and
    weight. A `.dat` file, plain or gzipped, has one line a customer: how many offers, then their ids; customers
    go by line number (the format of the published splits of collaborative topic regression). Raises
    ImportInvalid when the file cannot be read or lacks a column of `required`.
    """
    if path.name.removesuffix(".gz").endswith(".dat"):
        return _read_lists(path)
    import duckdb

    with open_duckdb() as connection:
        try:
            relation = _open(connection, path)
            found = {ours: columns.get(ours, ours) for ours in _CASTS if columns.get(ours, ours) in relation.columns}
            missing = [columns.get(name, name) for name in required if name not in found]
            if missing:
                have = ", ".join(relation.columns)
                raise ImportInvalid(f"{path.name} has no column {', '.join(missing)} (it has {have}); see --columns.")
            wanted = ", ".join(f"{_CASTS[ours].format(_quoted(theirs))} AS {ours}" for ours, theirs in found.items())
            data = relation.project(wanted).fetchnumpy()
        except duckdb.Error as error:
            raise ImportInvalid(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error
    if any(np.ma.is_masked(values) for values in data.values()):
        raise ImportInvalid(f"{path.name} has empty fields in a column that the back-test reads.")
    texts = {name: np.asarray(values, dtype=str) for name, values in data.items() if name.endswith("_id")}
    numbers = {name: np.asarray(values, dtype=np.float64) for name, values in data.items() if name not in texts}
    if len(texts["offer_id"]) == 0:
        raise ImportInvalid(f"{path.name} has no rows.")
    return EventTable(
        offer_ids=texts["offer_id"],
        customer_ids=texts.get("customer_id"),
        event_ids=texts.get("event_id"),
        occurred_at=numbers.get("occurred_at"),
        weights=numbers.get("weight"),
    )


def without_repeats(table: EventTable) -> tuple[EventTable, str | None]:
    """Return the events; of an extract, which says at each of its dates what is held, only when each holding began.

    An extract is told by `recsys.domain.extract`, days are those of UTC; the second value says what was done to one.
    """
    if table.occurred_at is None or table.customer_ids is None:
        return table, None
    days, numbers = np.unique(np.floor(table.occurred_at), return_inverse=True)
    customers, offers = (np.unique(ids, return_inverse=True)[1] for ids in (table.customer_ids, table.offer_ids))
    pairs = customers * np.int64(offers.max() + 1) + offers
    order = np.lexsort((numbers, pairs))
    pairs, numbers = pairs[order], numbers[order]
    is_new = (np.diff(pairs, prepend=-1) != 0) | (np.diff(numbers, prepend=-1) != 0)
    order, pairs, numbers = order[is_new], pairs[is_new], numbers[is_new]
    goes_on = (np.diff(pairs, prepend=-1) == 0) & (np.diff(numbers, prepend=-1) == 1)
    stand = np.bincount(numbers, minlength=len(days))
    again = np.bincount(numbers[goes_on] - 1, minlength=len(days))
    if not is_extract([Date(*counts) for counts in zip(stand.tolist(), again.tolist(), strict=True)]):
        return table, None
    first = np.sort(order[~goes_on])
    rows, holdings = f"{len(table.offer_ids):,} rows at {len(days):,} dates", f"{len(first):,} holdings"
    said = f"is an extract: {rows} say {holdings}, each used once"
    columns = (table.offer_ids, table.customer_ids, table.event_ids, table.occurred_at, table.weights)
    return EventTable(*(None if column is None else column[first] for column in columns)), said  # type: ignore[arg-type]


def _read_lists(path: Path) -> EventTable:
    if not path.is_file():
        raise ImportInvalid(f"{path} is not there.")
    customers: list[str] = []
    offers: list[str] = []
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for number, line in enumerate(lines):
                count, *ids = line.split() or ["0"]
                if int(count) != len(ids):
                    raise ImportInvalid(f"{path.name}, line {number + 1}: {count} offers announced, {len(ids)} found.")
                customers += [str(number)] * len(ids)
                offers += ids
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise ImportInvalid(f"{path.name} cannot be read: {error}") from error
    if not offers:
        raise ImportInvalid(f"{path.name} has no rows.")
    return EventTable(np.array(offers), np.array(customers), None, None, None)


_CASTS: Mapping[str, str] = {
    "customer_id": "CAST({} AS VARCHAR)",
    "offer_id": "CAST({} AS VARCHAR)",
    "event_id": "CAST({} AS VARCHAR)",
    "occurred_at": f"epoch(CAST({{}} AS TIMESTAMPTZ)) / {_SECONDS_PER_DAY}",
    "weight": "CAST({} AS DOUBLE)",
}


def _open(connection, path: Path):  # type: ignore[no-untyped-def]  # duckdb's relation has no public type
    if not path.is_file():
        raise ImportInvalid(f"{path} is not there.")
    if path.suffix == ".parquet":
        return connection.read_parquet(str(path))
    return connection.read_csv(str(path), header=True, all_varchar=True)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

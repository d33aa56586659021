"""Logged decisions and a target policy from CSV files; what is wrong is named with file, line and column."""

import csv
import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import ImportInvalid
from recsys.evaluation.policy_log import ROUNDING, PolicyLog

_EXPECTED = "q_"
"""What stands before an action in the name of the column with its expected reward."""


def read_policy_log(log: Path, target: Path, clusters: str | None = None) -> PolicyLog:
    """Return the decisions of `log` and the policy of `target` over them, from `.csv` or `.csv.gz` files.

    The log has columns decision_id, action, reward, propensity and, where `clusters` names one, that column;
    with columns q_<action> there must be one for each action of either file. The target has decision_id,
    action, probability. Raises ImportInvalid for the first value that cannot be used.
    """
    import pyarrow as pa

    required = ["decision_id", "action", "reward", "propensity"]
    logged = _open(log, [*required, clusters] if clusters else required, _EXPECTED)
    wanted = _open(target, ["decision_id", "action", "probability"], "")
    decisions, repeats = _encoded(logged.texts("decision_id"))
    if (again := _first(repeats[1:] <= np.maximum.accumulate(repeats)[:-1])) is not None:
        logged.fail(again + 1, "decision_id", "the decision is in the file twice")
    rows = _rows(wanted, decisions)
    actions, numbers = _encoded(pa.concat_arrays([logged.texts("action"), wanted.texts("action")]))
    taken, target_actions = numbers[: len(repeats)], numbers[len(repeats) :]
    probabilities = _probabilities(wanted, logged, rows, target_actions)
    propensities = logged.numbers("propensity")
    if (bad := _first((propensities <= 0) | (propensities > 1))) is not None:
        logged.fail(bad, "propensity", f"{propensities[bad]:g} is not above 0 and at most 1")
    names = tuple(actions.to_pylist())
    return PolicyLog(
        actions=names,
        taken=taken,
        rewards=logged.numbers("reward"),
        propensities=propensities,
        target_rows=rows,
        target_actions=target_actions,
        target_probabilities=probabilities,
        clusters=_encoded(logged.texts(clusters))[1] if clusters else None,
        expected_rewards=_expected_rewards(logged, names),
    )


def _rows(wanted: "_Table", decisions: Any) -> NDArray[np.intp]:
    """Return the number of the decision of each row of the target."""
    import pyarrow.compute as pc

    places = pc.index_in(wanted.texts("decision_id"), value_set=decisions)
    rows: NDArray[np.intp] = np.asarray(places.fill_null(-1), dtype=np.intp)
    if (unknown := _first(rows < 0)) is not None:
        wanted.fail(unknown, "decision_id", "the decision is not in the log")
    return rows


def _probabilities(
    wanted: "_Table", logged: "_Table", rows: NDArray[np.intp], actions: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the probability of each row of the target, which must be a distribution in each decision."""
    probabilities = wanted.numbers("probability")
    if (bad := _first((probabilities < 0) | (probabilities > 1))) is not None:
        wanted.fail(bad, "probability", f"{probabilities[bad]:g} is not from 0 to 1")
    keys = rows * (int(actions.max()) + 1) + actions
    order = np.argsort(keys, kind="stable")
    repeated = order[1:][np.diff(keys[order]) == 0]
    if len(repeated):
        wanted.fail(int(repeated.min()), "action", "the action is in this decision twice")
    count = len(logged)
    if (missing := _first(np.bincount(rows, minlength=count) == 0)) is not None:
        logged.fail(missing, "decision_id", f"{wanted.path.name} has no row of this decision")
    totals = np.bincount(rows, probabilities, count)
    if (bad := _first(np.abs(totals[rows] - 1) > ROUNDING)) is not None:
        wanted.fail(bad, "probability", f"the probabilities of this decision add up to {totals[rows[bad]]:g}, not 1")
    return probabilities


def _expected_rewards(logged: "_Table", actions: Sequence[str]) -> NDArray[np.float64] | None:
    columns = [_EXPECTED + action for action in actions]
    missing = [name for name in columns if name not in logged.names]
    if len(missing) == len(columns):
        return None
    if missing:
        raise ImportInvalid(f"{logged.path.name}, line 1, column {missing[0]}: is missing, but other actions have one.")
    return np.column_stack([logged.numbers(name) for name in columns])


@dataclass(frozen=True, slots=True)
class _Table:
    """Some columns of a CSV file, as text."""

    path: Path
    content: bytes
    names: tuple[str, ...]
    columns: Mapping[str, Any]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def texts(self, column: str) -> Any:
        """Return a column as one Arrow array of trimmed text; an empty cell is an error."""
        import pyarrow as pa
        import pyarrow.compute as pc

        texts = pc.utf8_trim_whitespace(pa.concat_arrays(self.columns[column].chunks))
        if (empty := pc.index(pc.utf8_length(texts), 0).as_py()) >= 0:
            self.fail(empty, column, "is empty")
        return texts

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column as finite numbers (rows,)."""
        import pyarrow as pa

        texts = self.texts(column)
        try:
            values = np.asarray(texts.cast(pa.float64()), dtype=np.float64)
        except pa.ArrowInvalid:
            values = np.array([_number(text) for text in texts.to_pylist()])
        if (bad := _first(~np.isfinite(values))) is not None:
            self.fail(bad, column, f"{texts[bad].as_py()!r} is not a finite number")
        return values

    def fail(self, row: int, column: str, reason: str) -> NoReturn:
        """Raise ImportInvalid for a row, from 0."""
        raise ImportInvalid(f"{self.path.name}, line {_line(self.content, row)}, column {column}: {reason}.")


def _open(path: Path, required: Sequence[str], prefix: str) -> _Table:
    """Return the required columns, and those whose names begin with the prefix."""
    content = _content(path)
    header = next((line for line in content.splitlines() if line), b"")
    try:
        names = tuple(name.strip() for name in next(csv.reader([header.decode("utf-8-sig")])))
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise ImportInvalid(f"{path.name} does not begin with the names of its columns, as UTF-8 text.") from error
    for name in required:
        if names.count(name) != 1:
            what = "is there twice" if name in names else f"is missing; the columns are {', '.join(names) or 'none'}"
            raise ImportInvalid(f"{path.name}, line 1, column {name}: {what}.")
    wanted = {
        name: f"f{place}"
        for place, name in enumerate(names)
        if name in required or (prefix and name.startswith(prefix))
    }
    table = _arrow_table(path, content, tuple(wanted.values()), len(names))
    if table.num_rows == 0:
        raise ImportInvalid(f"{path.name} has no rows below its header.")
    return _Table(path, content, names, {name: table.column(place) for name, place in wanted.items()})


def _arrow_table(path: Path, content: bytes, places: Sequence[str], width: int) -> Any:
    """Return the columns f0, f1, … of `places` as text, without the header."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    wrong: list[Any] = []

    def keep(row: Any) -> str:
        wrong.append(row)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(content + b"\n"),  # a header alone must have an end
            arrow_csv.ReadOptions(use_threads=False, autogenerate_column_names=True),
            arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(places, pa.string()), include_columns=list(places)),
        )
    except pa.ArrowInvalid as error:
        raise ImportInvalid(f"{path.name} cannot be read: {error}") from error
    if wrong:
        line = _line(content, wrong[0].number - 2)
        raise ImportInvalid(f"{path.name}, line {line}: {wrong[0].actual_columns} cells, the header has {width}.")
    return table.slice(1)


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise ImportInvalid(f"{path} is not there.")
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ImportInvalid(f"{path.name} cannot be read to its end; copy it again. ({error})") from error


def _line(content: bytes, row: int) -> int:
    """Return the line, from 1, on which a row begins; rows count from 0 below the header, without empty lines."""
    reached, is_quoted = -2, False
    for number, line in enumerate(content.splitlines(), 1):
        if not is_quoted and line:
            reached += 1
            if reached == row:
                return number
        is_quoted ^= line.count(b'"') % 2 == 1
    raise AssertionError("the row is not in the file")


def _encoded(texts: Any) -> tuple[Any, NDArray[np.intp]]:
    """Return the distinct texts in order of appearance, and the number of each text among them."""
    encoded = texts.dictionary_encode()
    return encoded.dictionary, np.asarray(encoded.indices, dtype=np.intp)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _first(is_wrong: NDArray[np.bool_]) -> int | None:
    """Return the first row that is wrong, if any is."""
    return int(is_wrong.argmax()) if is_wrong.any() else None

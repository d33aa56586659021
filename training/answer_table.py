"""Any table of answers in time order as the propensity model reads it: text as indicators, the base rate so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import ImportInvalid
from recsys.domain.offer import Offer
from recsys.domain.policy import Policy
from recsys.interactions.file_queries import open_duckdb

_NEW_OFFER = Offer("new", "", "")
MOST_LEVELS = 50
"""Values of a text column that get an indicator, the most frequent first."""


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """Numeric columns (n, columns) with their names, NaN unknown, and answers (n,) of 0 and 1, in time order."""

    names: tuple[str, ...]
    table: NDArray[np.float64]
    answers: NDArray[np.float64]


def read_answer_table(path: Path, answer: str, yes: str, without: Sequence[str], known: float) -> AnswerTable:
    """Return the file's rows in their order; the first `known` (0–1) of them say which values of text there are.

    `answer` names the column that is `yes` where the offer was accepted, `without` the columns to leave out. A text
    column becomes an indicator for each value; a value that comes up later is none of them. Raises ImportInvalid when
    the file cannot be read or has no such columns, or nothing was accepted or everything.
    """
    columns = _read(path)
    missing = [name for name in (answer, *without) if name not in columns]
    if missing:
        raise ImportInvalid(f"{path.name} has no column {', '.join(missing)} (it has {', '.join(columns)}).")
    answers = (columns[answer] == yes).astype(np.float64)
    if not 0 < answers.mean() < 1:
        raise ImportInvalid(f"{path.name}: {answer} is {yes!r} in no row or in every one; see --yes.")
    cut = int(len(answers) * known)
    encoded: dict[str, NDArray[np.float64]] = {}
    for name, values in columns.items():
        if name != answer and name not in without:
            encoded |= _encode(name, values, cut)
    if not encoded:
        raise ImportInvalid(f"{path.name} has no column to learn from.")
    return AnswerTable(tuple(encoded), np.column_stack(list(encoded.values())), answers)


def running_rate(answers: NDArray[np.float64], half_life: float) -> NDArray[np.float64]:
    """Return the log-odds (n + 1,) of the acceptance rate before each answer, and after the last.

    The mean of the Beta prior that every new offer starts from, moved by the answers before, each counting half as
    much `half_life` answers later: the base rate as it was known then, and so no row's own answer is in it.
    """
    evidence, prior = Policy().starting_evidence, _NEW_OFFER.starting_propensity
    kept = 0.5 ** (1.0 / half_life)
    accepted = answered = 0.0
    rates = np.empty(len(answers) + 1)
    for place, answer in enumerate([*answers.tolist(), 0.0]):
        rates[place] = (evidence * prior + accepted) / (evidence + answered)
        accepted, answered = kept * accepted + answer, kept * answered + 1.0
    return np.log(rates / (1.0 - rates))


def tells_the_time(table: NDArray[np.float64], beyond: float) -> NDArray[np.bool_]:
    """Return of each column (columns,) whether it separates the later half of the rows from the earlier one.

    That is an AUC further than `beyond` from .5. What such a column says of an answer cannot be told from what the
    time says; where the world changes, it misleads. NaN ranks below every number.
    """
    from scipy.stats import rankdata

    half, n = len(table) // 2, len(table)
    later = n - half
    ranks = rankdata(np.nan_to_num(table, nan=-np.inf), axis=0)
    auc = (ranks[half:].sum(axis=0) - later * (later + 1) / 2) / (half * later)
    return np.asarray(np.abs(auc - 0.5) > beyond)


def _read(path: Path) -> dict[str, NDArray[np.object_]]:
    """Return every column as text, None where it is empty: a reader would guess that yes means true."""
    import duckdb

    with open_duckdb() as connection:
        try:
            if path.suffix == ".parquet":
                found = connection.read_parquet(str(path))
            else:
                found = connection.read_csv(str(path), all_varchar=True)
            data = found.project("COLUMNS(*)::VARCHAR").fetchnumpy()
        except (duckdb.Error, OSError) as error:
            raise ImportInvalid(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error
    return {name: np.ma.filled(np.ma.asarray(values, dtype=object), None) for name, values in data.items()}


def _encode(name: str, texts: NDArray[np.object_], known: int) -> dict[str, NDArray[np.float64]]:
    """Return the column as numbers: itself, or an indicator for each value among the first `known` rows."""
    try:
        return {name: np.array([np.nan if text in (None, "") else float(text) for text in texts])}
    except ValueError:
        said = np.where(texts == None, "", texts).astype(str)  # noqa: E711, elementwise
    levels, counts = np.unique(said[:known], return_counts=True)
    kept = np.sort(levels[np.argsort(-counts, kind="stable")[:MOST_LEVELS]])
    return {f"{name}={level}": (said == level).astype(np.float64) for level in kept}

"""From the exported event log to what models learn from, as it stood at any moment, and the held-out tasks."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.domain.errors import ImportInvalid
from recsys.domain.interaction import InteractionKind
from recsys.evaluation.ranking_tasks import RankingTasks
from recsys.interactions.matrix import InteractionMatrix, build_matrix
from recsys.interactions.weights import EVIDENCE, SIGNAL_CEILING, SIGNAL_HALF_LIFE_DAYS, SIGNALS

_PURCHASES = (InteractionKind.HOLDING.value, InteractionKind.ACCEPTED.value)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """Which events a model was trained on; `digest` changes with every change of any of them."""

    events: int
    first: datetime
    last: datetime
    digest: str

    def described(self) -> dict[str, Any]:
        """Return the window as JSON values."""
        return {
            "events": self.events,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "digest": self.digest,
        }


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the log knew at a moment: the evidence, and which offers each customer held (same rows and columns)."""

    interactions: InteractionMatrix
    held: csr_matrix


class Dataset:
    """The exported events of `directory`, read by DuckDB; use as a context manager."""

    def __init__(self, directory: Path) -> None:
        import duckdb

        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        if not any(directory.glob("interactions/*/*.parquet")):
            raise ImportInvalid("There are no interactions to learn from; run `nbo import DIR` first.")
        self._view("interactions", directory)
        self._has_answers = any(directory.glob("answers/*/*.parquet"))
        if self._has_answers:
            self._view("answers", directory)

    def __enter__(self) -> "Dataset":
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def _view(self, table: str, directory: Path) -> None:
        files = self._connection.read_parquet(str(directory / table / "*" / "*.parquet"))
        files.create_view(f"{table}_files")
        self._connection.execute(f"CREATE VIEW {table} AS FROM {table}_files")

    def window(self) -> Window:
        """Return count, first and last moment and digest of all interactions; their order does not matter."""
        row = self._connection.execute(
            """SELECT count(*), epoch_us(min(occurred_at)), epoch_us(max(occurred_at)),
                      sum(md5_number_lower(concat_ws('|', customer_id, offer_id, epoch_us(occurred_at), kind, weight)))
               FROM interactions"""
        ).fetchone()
        assert row is not None
        count, first, last, checksum = row
        digest = hashlib.sha256(f"{count}|{checksum}".encode()).hexdigest()
        return Window(int(count), _moment(first), _moment(last), digest)

    def offers(self) -> list[str]:
        """Return every offer that an interaction names, in id order."""
        rows = self._connection.execute("SELECT DISTINCT offer_id FROM interactions ORDER BY offer_id").fetchall()
        return [str(row[0]) for row in rows]

    def split_at(self, test_share: float) -> datetime:
        """Return the moment after which the last `test_share` of all purchases happened."""
        row = self._connection.execute(
            "SELECT epoch_us(quantile_disc(occurred_at, ?)) FROM interactions WHERE kind IN (?, ?)",
            [1.0 - test_share, *_PURCHASES],
        ).fetchone()
        if row is None or row[0] is None:
            raise ImportInvalid("No customer holds or accepted anything yet: there is nothing to learn from.")
        return _moment(row[0])

    def as_of(self, now: datetime) -> Knowledge:
        """Return what the log knew at `now`, with all offers of the log as columns.

        The weights are those of `recsys.interactions.weights.history_weights`. Raises ImportInvalid when
        nothing is known yet.
        """
        data = self._connection.execute(_AS_OF, _as_of_parameters(now)).fetchnumpy()
        if len(data["customer_id"]) == 0:
            raise ImportInvalid("There is no evidence to learn from; import interactions with purchases.")
        customers, offers = _texts(data["customer_id"]), _texts(data["offer_id"])
        catalogue = self.offers()
        interactions = build_matrix(customers, offers, data["total"], data["age_days"], catalogue)
        held = build_matrix(customers, offers, (data["held"] > 0).astype(np.float32), None, catalogue).matrix
        held.eliminate_zeros()
        return Knowledge(interactions, held)

    def tasks_after(self, split: datetime, known: Knowledge, until: datetime | None = None) -> RankingTasks:
        """Return one task per customer who bought after `split`, and not after `until`, what they did not hold then.

        The model sees the customer as `known` at the split; what was held is left out of the ranking.
        Raises ImportInvalid when nobody bought anything new.
        """
        data = self._connection.execute(
            """SELECT DISTINCT customer_id, offer_id FROM interactions
               WHERE epoch_us(occurred_at) > $1 AND ($2 IS NULL OR epoch_us(occurred_at) <= $2)
               AND kind IN ($3, $4) AND weight > 0 ORDER BY customer_id, offer_id""",
            [_microseconds(split), None if until is None else _microseconds(until), *_PURCHASES],
        ).fetchnumpy()
        customers, row_of = np.unique(_texts(data["customer_id"]), return_inverse=True)
        offer_ids = np.asarray(known.interactions.offer_ids, dtype=str)
        columns = np.searchsorted(offer_ids, _texts(data["offer_id"]))
        marks = np.ones(len(columns), dtype=np.float32)
        relevant = csr_matrix((marks, (row_of, columns)), shape=(len(customers), len(offer_ids)))
        pick = _picker(customers, known.interactions.customer_ids)
        held = (pick @ known.held).tocsr()
        relevant = (relevant - relevant.multiply(held > 0)).tocsr()
        relevant.eliminate_zeros()
        asked = np.flatnonzero(np.diff(relevant.indptr))
        if len(asked) == 0:
            raise ImportInvalid("Nobody bought anything new at the end of the log; models cannot be compared.")
        histories = (pick @ known.interactions.matrix).tocsr()[asked]
        return RankingTasks(histories, relevant[asked], np.arange(len(asked)), excluded=held[asked])

    def answer_counts(self) -> dict[str, tuple[int, int]]:
        """Return offer → (accepted, answered) of all recorded answers that say yes or no."""
        if not self._has_answers:
            return {}
        rows = self._connection.execute(
            """SELECT offer_id, count(*) FILTER (answer = 'accepted'), count(*) FROM answers
               WHERE answer IN ('accepted', 'declined') GROUP BY offer_id ORDER BY offer_id"""
        ).fetchall()
        return {str(offer): (int(accepted), int(answered)) for offer, accepted, answered in rows}


_AS_OF = """
WITH known AS (
    SELECT customer_id, offer_id, occurred_at, kind, ($now - epoch_us(occurred_at)) / 86400e6 AS age_days,
           weight * CASE kind {evidence} ELSE 0 END AS evidence
    FROM interactions WHERE epoch_us(occurred_at) <= $now
), cancelled AS (
    SELECT customer_id, offer_id, max(occurred_at) AS last FROM known WHERE kind = 'cancelled' GROUP BY ALL
), evidence AS (
    SELECT customer_id, offer_id,
           coalesce(sum(evidence) FILTER (kind NOT IN ({signals}) AND (last IS NULL OR occurred_at > last)), 0) AS held,
           least($ceiling, coalesce(sum(evidence * 0.5 ** (age_days / $half_life)) FILTER (kind IN ({signals})), 0))
               AS signalled,
           min(age_days) FILTER (evidence > 0) AS age_days
    FROM known LEFT JOIN cancelled USING (customer_id, offer_id) GROUP BY ALL
)
SELECT customer_id, offer_id, held, held + signalled AS total, age_days FROM evidence
WHERE held + signalled > 0 ORDER BY customer_id, offer_id
""".format(
    evidence=" ".join(f"WHEN '{kind.value}' THEN {worth}" for kind, worth in EVIDENCE.items()),
    signals=", ".join(f"'{kind.value}'" for kind in sorted(SIGNALS)),
)


def _as_of_parameters(now: datetime) -> dict[str, float]:
    return {"now": _microseconds(now), "ceiling": SIGNAL_CEILING, "half_life": SIGNAL_HALF_LIFE_DAYS}


def _picker(wanted: NDArray[np.str_], rows: tuple[str, ...]) -> csr_matrix:
    """Return the 0/1 matrix (wanted, rows) that picks each wanted customer's row, or none."""
    listed = np.asarray(rows, dtype=str)
    places = np.minimum(np.searchsorted(listed, wanted), len(listed) - 1)
    known = np.flatnonzero(listed[places] == wanted)
    marks = np.ones(len(known), dtype=np.float32)
    return csr_matrix((marks, (known, places[known])), shape=(len(wanted), len(rows)))


def _texts(values: Any) -> NDArray[np.str_]:
    return np.asarray(values, dtype=str)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(microseconds))

"""From the exported event log to what models learn from, as it stood at any moment, and the held-out tasks."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from features.offline import OfflineFeatures
from recsys.domain.errors import ImportInvalid
from recsys.domain.interaction import InteractionKind
from recsys.evaluation.ranking_tasks import RankingTasks
from recsys.interactions.matrix import EventSequence, InteractionMatrix
from recsys.interactions.past import Earlier, Past
from recsys.interactions.side_features import SideFeatures
from recsys.interactions.weights import EVIDENCE, SIGNAL_CEILING, SIGNAL_HALF_LIFE_DAYS, SIGNALS
from training.exported_events import has_view, number_ids, open_events
from training.facts import customer_facts, digest_of, offer_facts, repeatable_offers, side_features
from training.leaks import Bought, Undated

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
    """What the log knew at a moment: the evidence, and which offers each customer held (same rows and columns).

    `side` are the facts of both, those of customers as they were known then, and `facts_digest` changes with any of
    a customer's; offers are as in the catalogue of the export.
    """

    interactions: InteractionMatrix
    held: csr_matrix
    side: SideFeatures | None = None
    facts_digest: str = ""


class Dataset:
    """What `features` gives to learn from, read by DuckDB (on all cores, or `threads`); use as a context manager."""

    def __init__(self, features: OfflineFeatures, threads: int | None = None) -> None:
        self._features = features
        self._connection = open_events(features, threads)
        self._is_numbered = False

    def __enter__(self) -> "Dataset":
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def window(self) -> Window:
        """Return count, first and last moment and digest of all interactions; their order does not matter.

        Raises ImportInvalid when there are none.
        """
        row = self._connection.execute(
            """SELECT count(*), epoch_us(min(occurred_at)), epoch_us(max(occurred_at)),
                      sum(md5_number_lower(concat_ws('|', customer_id, offer_id, epoch_us(occurred_at), kind, weight)))
               FROM interactions"""
        ).fetchone()
        assert row is not None
        count, first, last, checksum = row
        if not count:
            raise ImportInvalid("Nobody who did anything may be profiled: there is nothing to learn from.")
        digest = hashlib.sha256(f"{count}|{checksum}".encode()).hexdigest()
        return Window(int(count), _moment(first), _moment(last), digest)

    def offers(self) -> list[str]:
        """Return every offer that an interaction names, in id order."""
        rows = self._connection.execute("SELECT DISTINCT offer_id FROM interactions ORDER BY offer_id").fetchall()
        return [str(row[0]) for row in rows]

    def split_at(self, test_share: float) -> datetime:
        """Return the moment after which the last `test_share` of all purchases happened.

        Where so many have the last date that none comes after, it is the date before, if half of all lie up to that.
        """
        row = self._connection.execute(_SPLIT, {"before": 1.0 - test_share}).fetchone()
        if row is None or row[0] is None:
            raise ImportInvalid("No customer holds or accepted anything yet: there is nothing to learn from.")
        return _moment(row[0])

    def buys_after(self, split: datetime, until: datetime | None = None) -> bool:
        """Return whether anybody bought anything after `split`, and not after `until`."""
        self._number_ids()
        moments = {"split": _microseconds(split), "until": None if until is None else _microseconds(until)}
        return self._connection.execute(f"SELECT 1 FROM ({_BOUGHT_AFTER}) LIMIT 1", moments).fetchone() is not None

    def as_of(self, now: datetime) -> Knowledge:
        """Return what the log knew at `now`, with all offers of the log as columns.

        The weights are those of `recsys.interactions.weights.history_weights`. Raises ImportInvalid when
        nothing is known yet.
        """
        self._number_ids()
        moment = {"now": _microseconds(now)}
        self._connection.execute(_CANCELLED, moment)
        weighing = {"ceiling": SIGNAL_CEILING, "half_life": SIGNAL_HALF_LIFE_DAYS}
        data = self._connection.execute(_AS_OF, moment | weighing).fetchnumpy()
        if len(data["customer"]) == 0:
            raise ImportInvalid("There is no evidence to learn from; import interactions with purchases.")
        return _knowledge(data, self._customer_ids(), self.offers())

    def with_facts(
        self, known: Knowledge, now: datetime, facts_at: datetime | None = None, like: SideFeatures | None = None
    ) -> Knowledge:
        """Return what the log knew at `now` with all that only some families use.

        That is the single purchases in time order, the share of customers to whom each offer is open –
        everybody for one that can be bought again, else who does not hold it – and the facts as they were known at
        `now`, or at `facts_at`, encoded as those of `like` are. It can go back to earlier moments.
        """
        matrix = known.interactions
        held = np.asarray((known.held > 0).mean(axis=0)).ravel()
        is_repeatable = np.isin(matrix.offer_ids, repeatable_offers(self._connection))
        interactions = replace(
            matrix, events=self._purchases(known, now), open_share=np.where(is_repeatable, 1.0, 1.0 - held)
        )
        facts = self.customer_facts(matrix.customer_ids, facts_at or now)
        side = side_features(self._connection, facts, matrix, like)
        interactions = replace(interactions, earlier=self._earlier(now, side))
        return Knowledge(interactions, known.held, side, digest_of(facts))

    def _earlier(self, now: datetime, side: SideFeatures | None) -> Earlier:
        """Return what goes back from `now`, with facts encoded as those of `side`; each moment is read once."""
        found: dict[tuple[float, float], Past | None] = {}

        def go_back(ages: Sequence[float], window: float) -> list[Past]:
            for age in ages:
                if (age, window) not in found:
                    moment = now - timedelta(days=age)
                    found[age, window] = self._past(moment, moment + timedelta(days=window), side)
            return [past for age in ages if (past := found[age, window]) is not None]

        return go_back

    def _past(self, moment: datetime, until: datetime, side: SideFeatures | None) -> Past | None:
        """Return what was known at `moment`, and bought after it until `until`; None where nobody did."""
        try:
            known = self.with_facts(self.as_of(moment), moment, like=side)
            names, tasks = self._tasks(moment, known, until)
        except ImportInvalid:
            return None
        customers = known.side.customers if known.side else None
        assert tasks.excluded is not None
        return Past(known.interactions, customers, names, tasks.histories, tasks.relevant, tasks.excluded, tasks.facts)

    def _purchases(self, known: Knowledge, now: datetime) -> EventSequence | None:
        self._number_ids()
        data = self._connection.execute(_PURCHASED_UNTIL, {"now": _microseconds(now)}).fetchnumpy()
        pick = _picker(self._customer_ids(), known.interactions.customer_ids)
        row_of = np.full(pick.shape[0], -1)
        row_of[pick.nonzero()[0]] = pick.nonzero()[1]
        rows = row_of[data["customer"]]
        is_known = rows >= 0
        if not is_known.any():
            return None
        columns = (rows, data["offer"].astype(np.intp), data["age_days"], data["weight"])
        return EventSequence(*(column[is_known] for column in columns))

    def tasks_after(self, split: datetime, known: Knowledge, until: datetime | None = None) -> RankingTasks:
        """Return one task per customer who bought after `split`, and not after `until`, what they did not hold then.

        The model sees the customer as `known` at the split; what was held is left out of the ranking.
        Raises ImportInvalid when nobody bought anything new.
        """
        return self._tasks(split, known, until)[1]

    def _tasks(self, split: datetime, known: Knowledge, until: datetime | None) -> tuple[tuple[str, ...], RankingTasks]:
        """Return the customers of `tasks_after`, by id, and their tasks."""
        self._number_ids()
        moments = {"split": _microseconds(split), "until": None if until is None else _microseconds(until)}
        data = self._connection.execute(_BOUGHT_AFTER, moments).fetchnumpy()
        customers, row_of = np.unique(data["customer"], return_inverse=True)
        marks = np.ones(len(row_of), dtype=np.float32)
        shape = (len(customers), len(known.interactions.offer_ids))
        relevant = csr_matrix((marks, (row_of, data["offer"])), shape=shape)
        pick = _picker(self._customer_ids()[customers], known.interactions.customer_ids)
        held = (pick @ known.held).tocsr()
        relevant = (relevant - relevant.multiply(held > 0)).tocsr()
        relevant.eliminate_zeros()
        asked = np.flatnonzero(np.diff(relevant.indptr))
        if len(asked) == 0:
            raise ImportInvalid("Nobody bought anything new at the end of the log; models cannot be compared.")
        histories = (pick @ known.interactions.matrix).tocsr()[asked]
        names = tuple(self._customer_ids()[customers[asked]].tolist())
        facts = self.customer_facts(names, split)
        segments = facts.get("segment")
        return names, RankingTasks(
            histories,
            relevant[asked],
            np.arange(len(asked)),
            excluded=held[asked],
            facts=known.side.customer_space.encode_columns(facts, len(asked)) if known.side else None,
            segments=segments if segments is not None and any(segments) else None,
        )

    def undated(self) -> Undated:
        """Return the customers whose facts carry no date, a sample of at most 100,000, with what their import said.

        Their facts are dated by the import that brought them: in truth they may be as young as that.
        """
        self._number_ids()
        nobody = np.zeros(0, dtype=np.int64)
        if (
            not has_view(self._connection, "customers")
            or "recorded_at" not in self._connection.table("customers").columns
        ):
            return Undated({}, nobody, Bought(nobody, nobody, nobody))
        first = "SELECT customer_id, min(known_at) AS known_at FROM customer_versions GROUP BY customer_id"
        if not has_view(self._connection, "customer_versions"):
            first = "SELECT '' AS customer_id, NULL::TIMESTAMPTZ AS known_at WHERE false"
        found = self._connection.execute(_UNDATED.format(first=first, most=_MOST_JUDGED)).fetchnumpy()
        bought = self._connection.execute(_BOUGHT).fetchnumpy()
        place = np.full(len(self._customer_ids()), -1, dtype=np.intp)
        place[found["customer"]] = np.arange(len(found["customer"]))
        is_judged = place[bought["customer"]] >= 0
        purchases = Bought(place[bought["customer"]], bought["offer"].astype(np.intp), bought["moment"])
        facts = self.customer_facts(found["customer_id"].tolist(), [_moment(date) for date in found["date"].tolist()])
        return Undated(facts, found["date"], purchases.select(is_judged))

    def refusers(self) -> int:
        """Return how many customers refused profiling, and so are in nothing that training sees."""
        row = self._connection.execute("SELECT count(*) FROM refusers").fetchone()
        assert row is not None
        return int(row[0])

    def customer_facts(
        self, customer_ids: Sequence[str], moment: datetime | Sequence[datetime]
    ) -> dict[str, NDArray[Any]]:
        """Return what was known of these customers, in their order, at the moment or each one's: name → values.

        Names are those in rules. Numbers are float64 with NaN, everything else objects with None, where it was not
        known; what was known of nobody is left out.
        """
        return customer_facts(self._features, customer_ids, moment)

    @property
    def features(self) -> OfflineFeatures:
        """Where everything comes from."""
        return self._features

    def offer_facts(self) -> dict[str, dict[str, Any]]:
        """Return offer → name → value of what the catalogue in force says; empty when the export has none."""
        return offer_facts(self._connection)

    def _number_ids(self) -> None:
        if not self._is_numbered:
            number_ids(self._connection)
        self._is_numbered = True

    def _customer_ids(self) -> NDArray[np.object_]:
        found = self._connection.execute("SELECT customer_id FROM customer_numbers ORDER BY customer").fetchnumpy()
        return np.asarray(found["customer_id"], dtype=object)


_CANCELLED = """
CREATE OR REPLACE TEMP TABLE cancelled AS
SELECT customer, offer, max(occurred_at) AS last FROM numbered
WHERE kind = 'cancelled' AND occurred_at <= make_timestamp($now)::TIMESTAMPTZ GROUP BY ALL
"""
_SPLIT = f"""
WITH purchases AS (SELECT occurred_at FROM interactions WHERE kind IN {_PURCHASES} AND weight > 0),
ends AS (SELECT max(occurred_at) AS last, quantile_disc(occurred_at, $before) AS split FROM purchases),
earlier AS (SELECT max(occurred_at) AS at, count(*) AS up_to FROM purchases, ends WHERE occurred_at < last)
SELECT epoch_us(CASE WHEN split = last AND 2 * up_to >= (SELECT count(*) FROM purchases) THEN earlier.at ELSE split END)
FROM ends, earlier
"""
_AS_OF = """
WITH known AS (
    SELECT customer, offer, occurred_at, kind IN ({signals}) AS is_signal,
           ($now - epoch_us(occurred_at)) / 86400e6 AS age_days, weight * CASE kind {evidence} END AS evidence
    FROM numbered WHERE kind IN ({kinds}) AND occurred_at <= make_timestamp($now)::TIMESTAMPTZ
), weighed AS (  -- single precision: doubles then add up to the same in any order
    SELECT customer, offer, CASE WHEN evidence > 0 THEN age_days END AS age_days,
           cast(CASE WHEN is_signal OR occurred_at <= last THEN 0 ELSE evidence END AS FLOAT) AS held,
           cast(CASE WHEN is_signal THEN evidence * 0.5 ** (age_days / $half_life) ELSE 0 END AS FLOAT) AS signalled
    FROM known LEFT JOIN cancelled USING (customer, offer)
), pairs AS (
    SELECT customer, offer, sum(held) AS held, least($ceiling, sum(signalled)) AS signalled, min(age_days) AS age_days
    FROM weighed GROUP BY customer, offer
)
SELECT customer, offer, held > 0 AS held, cast(held + signalled AS FLOAT) AS total, cast(age_days AS FLOAT) AS age_days
FROM pairs WHERE held + signalled > 0
""".format(
    evidence=" ".join(f"WHEN '{kind.value}' THEN {worth}" for kind, worth in EVIDENCE.items() if worth),
    kinds=", ".join(f"'{kind.value}'" for kind, worth in EVIDENCE.items() if worth),
    signals=", ".join(f"'{kind.value}'" for kind in sorted(SIGNALS)),
)
_PURCHASED_UNTIL = f"""
SELECT customer, offer, cast(($now - epoch_us(occurred_at)) / 86400e6 AS FLOAT) AS age_days,
       cast(weight AS FLOAT) AS weight
FROM numbered
WHERE kind IN {_PURCHASES} AND weight > 0 AND occurred_at <= make_timestamp($now)::TIMESTAMPTZ
ORDER BY customer, occurred_at, offer
"""
_BOUGHT = f"""
SELECT customer, offer, epoch_us(occurred_at) AS moment FROM numbered WHERE kind IN {_PURCHASES} AND weight > 0
ORDER BY customer, occurred_at, offer
"""
_MOST_JUDGED = 100_000
_UNDATED = """
SELECT customer, customer_id, epoch_us(recorded_at) AS date
FROM customers JOIN customer_numbers USING (customer_id) LEFT JOIN ({first}) AS first USING (customer_id)
WHERE (first.known_at IS NULL OR first.known_at = recorded_at) AND recorded_at IS NOT NULL
    AND customer % (1 + (SELECT count(*) FROM customer_numbers) // {most}) = 0
ORDER BY customer
"""
_BOUGHT_AFTER = f"""
SELECT DISTINCT customer, offer FROM numbered
WHERE occurred_at > make_timestamp($split)::TIMESTAMPTZ AND kind IN {_PURCHASES} AND weight > 0
AND ($until IS NULL OR occurred_at <= make_timestamp($until::BIGINT)::TIMESTAMPTZ)
"""


def _knowledge(data: Mapping[str, NDArray[Any]], customer_ids: NDArray[np.object_], offers: list[str]) -> Knowledge:
    """Put the pairs of customer and offer, each there once, in the order of rows and columns."""
    is_known = np.bincount(data["customer"], minlength=len(customer_ids)) > 0
    rows = (np.cumsum(is_known, dtype=np.int32) - 1)[data["customer"]]
    places = np.arange(len(rows), dtype=np.int32)
    ordered = csr_matrix((places, (rows, data["offer"])), shape=(int(is_known.sum()), len(offers)))
    order, shape = ordered.data, ordered.shape
    matrix = csr_matrix((data["total"][order], ordered.indices, ordered.indptr), shape)
    held = csr_matrix((data["held"][order].astype(np.float32), ordered.indices.copy(), ordered.indptr.copy()), shape)
    held.eliminate_zeros()
    known_ids = tuple(customer_ids[is_known].tolist())
    return Knowledge(InteractionMatrix(matrix, known_ids, tuple(offers), data["age_days"][order]), held)


def _picker(wanted: NDArray[np.object_], rows: tuple[str, ...]) -> csr_matrix:
    """Return the 0/1 matrix (wanted, rows) that picks each wanted customer's row, or none."""
    row_of = dict(zip(rows, range(len(rows)), strict=True))
    places = np.array([row_of.get(customer_id, -1) for customer_id in wanted], dtype=np.int64)
    known = np.flatnonzero(places >= 0)
    marks = np.ones(len(known), dtype=np.float32)
    return csr_matrix((marks, (known, places[known])), shape=(len(wanted), len(rows)))


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(microseconds))

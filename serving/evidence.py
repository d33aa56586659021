"""The evidence in service: what customers answered to the catalogue's offers over a year, until a few seconds ago."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from features.offer_rows import OfferRow
from recsys.domain.errors import FeaturesUnavailable
from recsys.ranking.evidence import OfferEvidence
from recsys.storage.evidence_log import Counts, EvidenceLog

WINDOW = timedelta(days=365)
"""A whole year, so that every season counts once, and what is older and no longer true does not; a shorter window
would leave most offers with fewer answers than the declared `starting_evidence`."""

_FEW = 20
_WORDS = "offer_{}_count_365d"
_DAY = timedelta(days=1)
_JUST_AFTER = timedelta(microseconds=1)
logger = structlog.get_logger()

Rows = Mapping[str, OfferRow]
ReadRows = Callable[[Sequence[str]], Rows]
"""Reads the feature view `offer_answers` of these offers online; raises FeaturesUnavailable."""


class EvidenceReader:
    """Reads evidence: the rows of the feature view brought up to date by the log, or the log alone.

    Both give the same: the answers from the midnight (UTC) that lies `WINDOW` before the last one on until now. What
    lies before the last midnight is kept until that or the rows change, so that a look costs the answers of one day.
    """

    def __init__(self, read_rows: ReadRows) -> None:
        self._read_rows = read_rows
        self._found: tuple[datetime, Sequence[str], Rows] | None = None
        self._until_today: Counts = {}

    def read(self, log: EvidenceLog, offer_ids: Sequence[str], now: datetime) -> OfferEvidence:
        """Return the evidence of these offers at `now`."""
        today = _midnight(now)
        found = today, offer_ids, self._rows(offer_ids, now)
        if found != self._found:
            self._until_today = _until(log, *found)
            self._found = found
        return OfferEvidence(_sum(self._until_today, _logged(log, today, now + _JUST_AFTER, offer_ids)))

    def _rows(self, offer_ids: Sequence[str], now: datetime) -> Rows:
        try:
            rows = self._read_rows(offer_ids)
        except FeaturesUnavailable:
            return {}
        oldest = _midnight(now) - WINDOW
        return {offer_id: row for offer_id, row in rows.items() if oldest < _midnight(row.moment) and row.moment <= now}


def logged_evidence(log: EvidenceLog, offer_ids: Sequence[str], now: datetime) -> OfferEvidence:
    """Return the evidence of these offers at `now`, which may be past, from the log alone."""
    return EvidenceReader(_nothing_online).read(log, offer_ids, now)


class EvidenceInService:
    """Holds the evidence for a few seconds; a thread looks again, so that no decision waits for it.

    Where nothing follows it, as in a program that makes a few decisions, it is read again when it is too old.
    """

    def __init__(self, hold_seconds: float = 5.0) -> None:
        self._hold = hold_seconds
        self._reader = EvidenceReader(_nothing_online)
        self._held: tuple[datetime, OfferEvidence] | None = None
        self._stored: str | None = None
        self._looking = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, read_rows: ReadRows, look: Callable[[], None]) -> None:
        """Call `look`, which is to call `refresh`, every few seconds in a thread; rows come from `read_rows`."""
        self._reader = EvidenceReader(read_rows)
        self._thread = threading.Thread(target=self._follow, args=(look,), name="evidence", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=self._hold)

    def refresh(self, log: EvidenceLog, offer_ids: Sequence[str], now: datetime) -> OfferEvidence:
        """Read the evidence as it is now, and hold it."""
        with self._looking:
            evidence = self._reader.read(log, offer_ids, now)
            if self._held is not None and evidence.version == self._held[1].version:
                evidence = self._held[1]  # whose arrays are made already
            self._held = now, evidence
            return evidence

    def current(self, log: EvidenceLog, offer_ids: Sequence[str], now: datetime) -> OfferEvidence:
        """Return what is held; the first time after a start what the last decision was made with, if there was one."""
        if self._held is None and self._thread is not None and (stored := log.latest_evidence()) is not None:
            return OfferEvidence(stored)
        if self._held is None or (self._thread is None and abs(now - self._held[0]).total_seconds() >= self._hold):
            return self.refresh(log, offer_ids, now)
        return self._held[1]

    def keep(self, log: EvidenceLog, evidence: OfferEvidence | None, now: datetime) -> None:
        """Store the evidence of a decision in the decision's own transaction, unless it is known to be there."""
        if evidence is None or evidence.version == self._stored:
            return
        log.add_evidence(evidence.version, evidence.counts, now)
        log.after_commit.append(lambda: self._is_stored(evidence.version))

    def _is_stored(self, version: str) -> None:
        self._stored = version

    def _follow(self, look: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            try:
                look()
            except Exception as error:  # the thread must outlive every failure of the log
                logger.warning("evidence_not_read", error=type(error).__name__, reason=str(error)[:300])
            self._stopped.wait(self._hold)


def _until(log: EvidenceLog, today: datetime, offer_ids: Sequence[str], rows: Rows) -> Counts:
    """Return the answers of the window's whole days, those before `today`."""
    by_day: dict[datetime, list[str]] = {}
    for offer_id in offer_ids:
        row = rows.get(offer_id)
        by_day.setdefault(today - WINDOW if row is None else _midnight(row.moment), []).append(offer_id)
    found: Counts = {offer_id: _counts(row) for offer_id, row in rows.items()}
    for day, of_day in by_day.items():
        if day == today:
            continue
        found = _sum(found, _logged(log, day, today, of_day))
        if day > today - WINDOW:  # there are rows, which still count what is now too old
            found = _sum(found, _logged(log, day - WINDOW, today - WINDOW, of_day), sign=-1)
    return found


def _logged(log: EvidenceLog, since: datetime, before: datetime, offer_ids: Sequence[str]) -> Counts:
    """Return what was answered to these offers; of many it is quicker to count all."""
    if len(offer_ids) < _FEW:
        return log.answers_between(since, before, offer_ids)
    wanted = frozenset(offer_ids)
    return {one: counts for one, counts in log.answers_between(since, before).items() if one in wanted}


def _counts(row: OfferRow) -> tuple[int, int]:
    accepted, declined, later = (row.values.get(_WORDS.format(one), 0) for one in ("accepted", "declined", "later"))
    return accepted, accepted + declined + later


def _sum(one: Counts, other: Counts, sign: int = 1) -> Counts:
    found = dict(one)
    for offer_id, (accepted, answered) in other.items():
        before = found.get(offer_id, (0, 0))
        found[offer_id] = before[0] + sign * accepted, before[1] + sign * answered
    return found


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _nothing_online(_offer_ids: Sequence[str]) -> Rows:
    return {}

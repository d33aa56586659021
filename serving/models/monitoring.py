"""How decisions do over time: calibration, acceptance, coverage and drift, from a fixed sample of the event log."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

import numpy as np

from experiments.proportions import wilson
from recsys.evaluation.exposure import gini
from recsys.evaluation.probability_metrics import Forecasts
from recsys.evaluation.stability import population_stability
from recsys.storage.decision_samples import Sample
from serving.contacts.service import new_id
from serving.models import schemas
from serving.models.monitored import (
    Answered,
    Decided,
    by_period,
    columns_of,
    judged,
    period_of,
    read_answers,
    read_decisions,
)
from serving.models.schemas import MonitoringBody, ShareBody
from serving.wiring import Services

DAYS = 90
MOST_DECISIONS, MOST_ANSWERS = 5_000, 5_000
LEAST_ANSWERS, LEAST_CONTACTS = 100, 200
SHIFTING, DRIFTED = 0.1, 0.25
"""The usual readings of the population stability index (Siddiqi 2006)."""

CALIBRATION_BOUND = 0.03
"""That of the promotion gate `calibration error`."""

_DECILES, _DRAWS, _Z = 10, 300, 1.959963984540054


def monitor(services: Services) -> MonitoringBody:
    """Return how the decisions of the last `DAYS` days did; more than `MOST_DECISIONS` are sampled by their ids."""
    now = services.clock()
    since = now - timedelta(days=DAYS)
    after = new_id("d", since).rpartition("-")[0]
    with services.database.read() as log:
        decisions, answers = log.sizes_after(after)
        offers = [offer.offer_id for offer in services.catalogue.current(log).offers]
        decided = read_decisions(log.sampled_decisions(Sample(after, MOST_DECISIONS / max(decisions, 1))))
        answered = read_answers(log.sampled_answers(Sample(after, MOST_ANSWERS / max(answers, 1)), now))
    period = period_of(decided)
    return MonitoringBody(
        as_of=now,
        since=since,
        period=period,
        decisions=schemas.SizeBody(total=decisions, looked_at=len(decided)),
        answers=schemas.SizeBody(total=answers, looked_at=len(answered)),
        refused_profiling=sum(one.is_refused for one in decided),
        calibration=calibration(answered),
        coverage=coverage(decided, offers),
        over_time=over_time(by_period(decided, period), by_period(answered, period)),
        drift=drift(by_period(judged(decided), period)),
        least_contacts=LEAST_CONTACTS,
    )


def share(successes: float, rows: int) -> ShareBody:
    """Return the share with its Wilson interval, none of it without rows."""
    if not rows:
        return ShareBody(rows=0, share=None, low=None, high=None)
    low, high = wilson(np.array([float(successes)]), np.array([float(rows)]), _Z)
    return ShareBody(rows=rows, share=successes / rows, low=float(low[0]), high=float(high[0]))


def calibration(answered: Sequence[Answered]) -> list[schemas.CalibrationBody]:
    """Return how true the chances of each propensity version with `LEAST_ANSWERS` answers were, the latest first."""
    ordered = sorted(answered, key=lambda one: one.propensity_version)
    groups = [list(rows) for _, rows in groupby(ordered, key=lambda one: one.propensity_version)]
    enough = [rows for rows in groups if len(rows) >= LEAST_ANSWERS]
    return [
        _calibrated(rows) for rows in sorted(enough, key=lambda rows: max(one.moment for one in rows), reverse=True)
    ]


def _calibrated(rows: Sequence[Answered]) -> schemas.CalibrationBody:
    chances, answers = np.array([one.propensity for one in rows]), np.array([one.accepted for one in rows])
    forecasts = Forecasts.of(chances, answers)
    error = forecasts.metrics()["ECE"]
    by_chance = forecasts.chance_error(np.random.default_rng(0), draws=_DRAWS)
    said, came, counts = Forecasts.of(chances, answers, _DECILES).reliability()
    deciles = [
        schemas.CalibrationBinBody(predicted=float(chance), **share(float(accepted * count), int(count)).model_dump())
        for chance, accepted, count in zip(said, came, counts, strict=True)
    ]
    return schemas.CalibrationBody(
        propensity_version=rows[0].propensity_version,
        answers=len(rows),
        accepted=int(answers.sum()),
        error=error,
        by_chance=by_chance,
        bound=CALIBRATION_BOUND,
        verdict="off" if error > max(CALIBRATION_BOUND, by_chance) else "true",
        deciles=deciles,
    )


def coverage(decided: Sequence[Decided], offers: Sequence[str]) -> schemas.CoverageBody:
    """Return which of the catalogue's `offers` these decisions showed and how evenly, and what sort they were."""
    counts = Counter(offer_id for one in decided for offer_id in one.shown)
    shown = np.array([counts[offer_id] for offer_id in offers], dtype=np.int64)
    return schemas.CoverageBody(
        catalogue=len(offers), offers_shown=int((shown > 0).sum()), gini=gini(shown), **_sorts(decided)
    )


def over_time(
    decided: Mapping[datetime, Sequence[Decided]], answered: Mapping[datetime, Sequence[Answered]]
) -> list[schemas.PeriodBody]:
    """Return every period in which something was decided or answered."""
    found = []
    for period in sorted({*decided, *answered}):
        rows, answers = decided.get(period, ()), answered.get(period, ())
        found.append(
            schemas.PeriodBody(
                period=period,
                acceptance=share(sum(one.accepted for one in answers), len(answers)),
                decisions=len(rows),
                offers_shown=len({offer_id for one in rows for offer_id in one.shown}),
                **_sorts(rows),
            )
        )
    return found


def drift(contacts: Mapping[datetime, Sequence[Decided]]) -> schemas.DriftBody | None:
    """Return how far every signal moved from the first to the latest period that has `LEAST_CONTACTS`.

    None before there are two of them. A signal that never differs says nothing.
    """
    usable = {period: columns_of(rows) for period, rows in contacts.items() if len(rows) >= LEAST_CONTACTS}
    if len(usable) < 2:
        return None
    (reference, before), *later = usable.items()
    current, now = later[-1]
    moved = [_moved(name, before[name], now[name]) for name in sorted(before.keys() & now.keys())]
    scores = [
        schemas.DriftTimeBody(
            period=period,
            **{name: _moved(name, before[name], columns[name]).index for name in ("propensity", "relevance")},
        )
        for period, columns in later
    ]
    told = sorted((one for one in moved if one.by_chance), key=lambda one: (-one.index, one.signal))
    return schemas.DriftBody(reference=reference, current=current, signals=told, over_time=scores)


def _moved(name: str, before: Sequence[float], now: Sequence[float]) -> schemas.SignalDriftBody:
    found = population_stability(np.array(before), np.array(now))
    verdict: Literal["steady", "shifting", "drifted"] = "steady"
    if found.index > max(SHIFTING, found.by_chance):
        verdict = "drifted" if found.index > DRIFTED else "shifting"
    return schemas.SignalDriftBody(signal=name, index=found.index, by_chance=found.by_chance, verdict=verdict)


def _sorts(rows: Sequence[Decided]) -> dict[str, ShareBody]:
    kinds = {
        "no_offer": sum(not one.shown for one in rows),
        "degraded": sum(one.is_degraded for one in rows),
        "explored": sum(one.is_explored for one in rows),
    }
    return {name: share(count, len(rows)) for name, count in kinds.items()}

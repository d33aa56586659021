"""A customer's history as one bounded row as of a moment, and the evidence that it and later events make together."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from recsys.domain.interaction import HistoryRow, Interaction, InteractionKind
from recsys.interactions.weights import EVIDENCE, evidence, faded, total_weights

MOST_OFFERS = 100
"""A row holds the offers with the newest evidence, at most so many."""
COUNTED = frozenset(kind for kind in InteractionKind if EVIDENCE[kind] or kind is InteractionKind.CANCELLED)
"""Kinds of event that can change what a row says."""


def history_row(history: Iterable[Interaction], now: datetime) -> HistoryRow:
    """Return the row of what `history` says at the moment `now`; later events are ignored."""
    known = [event for event in history if event.occurred_at <= now and event.kind in COUNTED]
    held, signalled = evidence(known, now)
    last: dict[str, datetime] = {}
    for event in known:
        if event.kind is not InteractionKind.CANCELLED:
            last[event.offer_id] = max(event.occurred_at, last.get(event.offer_id, event.occurred_at))
    telling = [offer for offer in last if held.get(offer) or signalled.get(offer)]
    offers = sorted(telling, key=lambda offer: (-last[offer].timestamp(), offer))[:MOST_OFFERS]
    return HistoryRow(
        at=now,
        event_count=len(known),
        offers=tuple(offers),
        held=tuple(held.get(offer, 0.0) for offer in offers),
        signalled=tuple(signalled.get(offer, 0.0) for offer in offers),
        last_at=tuple(last[offer].timestamp() for offer in offers),
    )


def is_whole(row: HistoryRow, history: Sequence[Interaction], now: datetime) -> bool:
    """Return whether `row` was made, not after `now`, of as many events as `history` has up to the row's moment.

    Events are added to the log and hardly ever replaced: as many are taken to be the same ones.
    """
    return row.at <= now and row.event_count == sum(e.occurred_at <= row.at and e.kind in COUNTED for e in history)


def fold(row: HistoryRow, events: Iterable[Interaction], now: datetime) -> dict[str, float]:
    """Return what `history_weights` gives at `now` of all events, from the row and the events after its moment.

    Earlier events and those after `now` are ignored. An offer that had no room in the row counts from its later
    events alone.
    """
    since = [event for event in events if row.at < event.occurred_at <= now]
    held, signals = evidence(since, now)
    cancelled = {event.offer_id for event in since if event.kind is InteractionKind.CANCELLED}
    left = faded(row.at, now)
    for offer, own, signal in zip(row.offers, row.held, row.signalled, strict=True):
        if offer not in cancelled:
            held[offer] = held.get(offer, 0.0) + own
        signals[offer] = signals.get(offer, 0.0) + signal * left
    return total_weights(held, signals)

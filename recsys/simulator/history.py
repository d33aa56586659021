"""The simulated bank's past: who got in touch, what they held, were offered, looked at and took."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.domain.interaction import InteractionKind
from recsys.domain.vocabulary import COMPLAINT
from recsys.simulator.arrivals import CAMPAIGN, CHANNELS, Contacts, Period, draw_contacts, draw_sessions
from recsys.simulator.chance import Generator, choose_row_wise, sigmoid, stream
from recsys.simulator.offers import reasons
from recsys.simulator.purchases import KINDS, Events, Market, Touch
from recsys.simulator.world import World, draw_csat

BLOCK = 10_000
BRANCH = -1
_MONTH = 365.25 / 12 * 86_400
_HOLDING, _ACCEPTED, _DECLINED, _CANCELLED = (
    KINDS.index(kind)
    for kind in (InteractionKind.HOLDING, InteractionKind.ACCEPTED, InteractionKind.DECLINED, InteractionKind.CANCELLED)
)

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class History:
    """Everything that happened, each in time order; `agent` numbers from 1, `csat` 0 is none given."""

    contacts: Contacts
    agent: NDArray[np.int64]
    csat: NDArray[np.int64]
    events: Events


def draw_history(world: World, progress: Progress | None = None) -> History:
    """Return the world's past; `progress` hears how many of the people are done."""
    size = len(world.taste)
    period = Period.before(world.now, world.months)
    contacts: list[Contacts] = []
    events: list[Events] = []
    for low in range(0, size, BLOCK):
        people = np.arange(low, min(low + BLOCK, size))
        block_contacts, block_events = _block_history(
            world, people, period, stream(world.seed, "history", low // BLOCK)
        )
        contacts.append(block_contacts)
        events.append(block_events)
        if progress:
            progress("living through the months", int(people[-1]) + 1, size)
    return _in_time_order(world, contacts, Events.joined(events))


def _in_time_order(world: World, parts: list[Contacts], events: Events) -> History:
    names = ("person", "at", "channel", "reason", "sentiment")
    joined = Contacts(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    order = np.lexsort((joined.person, joined.at))
    contacts = Contacts(*(getattr(joined, name)[order] for name in names))
    rng = stream(world.seed, "agents")
    agents = max(8, len(world.taste) // 250)
    agent = 1 + np.minimum(rng.integers(0, agents, len(order)), rng.integers(0, agents + 3, len(order)))
    csat = draw_csat(contacts.sentiment, rng)
    return History(contacts, agent, csat, events.at_rows(np.lexsort((events.offer, events.person, events.at))))


def _block_history(world: World, people: NDArray[np.intp], period: Period, rng: Generator) -> tuple[Contacts, Events]:
    contacts = draw_contacts(world.hidden, people, period, world.months, rng)
    start = _draw_holdings(world, people, period, rng)
    market = _open_market(world, people, start, rng)
    session_person, session_at = draw_sessions(world.hidden, people, period, world.months, rng)
    none = np.zeros(len(session_at), dtype=np.intp)
    touches = Contacts(
        np.concatenate([contacts.person, session_person]),
        np.concatenate([contacts.at, session_at]),
        np.concatenate([contacts.channel, none]),
        np.concatenate([contacts.reason, none + CAMPAIGN]),
        np.concatenate([contacts.sentiment, none]),
    )
    is_session = np.arange(len(touches.at)) >= len(contacts.at)
    for rows in _rounds(touches):
        market.pitch(_touch(world, people, touches, rows[~is_session[rows]], period))
        market.browse(_touch(world, people, touches, rows[is_session[rows]], period))
    bought = Events.joined(market.events)
    bought = Events(people[bought.person], bought.offer, bought.at, bought.kind, bought.channel)
    bought = Events.joined([start, bought, _service_actions(world, contacts, rng)])
    bought = bought.at_rows(bought.at < period.end)
    return contacts, Events.joined([bought, _cancellations(world, bought, period, rng)])


def _draw_holdings(world: World, people: NDArray[np.intp], period: Period, rng: Generator) -> Events:
    """Return what customers hold as the months begin, opened some time since they came."""
    offers = world.offers
    share = np.clip(offers.held, 1e-9, 1 - 1e-9)
    chance = sigmoid(np.log(share / (1 - share)) + 1.1 * world.taste[people])
    may_hold = world.eligible[people] & world.population.is_customer[people, None]
    may_hold &= offers.launched_days_ago * 86_400 > world.now.timestamp() - period.start
    person, offer = np.nonzero((rng.random(chance.shape) < chance) & may_hold)
    age = rng.random(len(person)) * np.maximum(world.population.tenure_months[people[person]] - world.months, 1)
    at = (period.start - 86_400 - np.minimum(age, 60) * _MONTH).astype(np.int64)
    return Events(people[person], offer, at, np.full(len(at), _HOLDING), np.full(len(at), BRANCH))


def _open_market(world: World, people: NDArray[np.intp], start: Events, rng: Generator) -> Market:
    population, offers = world.population, world.offers
    open_to = world.eligible[people] & ~offers.is_service
    once = ~offers.is_repeatable[start.offer]
    open_to[start.person[once] - people[0], start.offer[once]] = False
    sheltered = population.vulnerable | population.arrears | population.do_not_contact
    may_sell = (population.consent_marketing != 0) & ~sheltered
    may_pitch = may_sell[people, None] & ((population.consent_partner[people, None] == 1) | ~offers.is_partner)
    return Market(
        base=offers.base,
        taste=world.taste[people],
        price_pain=np.outer(world.hidden.thrift[people], offers.price),
        open_to=open_to,
        may_pitch=may_pitch,
        launched_at=np.nan_to_num(world.now.timestamp() - offers.launched_days_ago * 86_400, neginf=0).astype(np.int64),
        is_on_display=~offers.is_retention & ~offers.is_service,
        is_repeatable=offers.is_repeatable,
        rng=rng,
    )


def _rounds(touches: Contacts) -> list[NDArray[np.intp]]:
    """Return the rows of everybody's first touch, then of everybody's second, and so on."""
    order = np.lexsort((touches.at, touches.person))
    person = touches.person[order]
    starts = np.flatnonzero(np.diff(person, prepend=-1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    by_rank = np.argsort(rank, kind="stable")
    return np.split(order[by_rank], np.cumsum(np.bincount(rank))[:-1]) if len(order) else []


def _touch(world: World, people: NDArray[np.intp], touches: Contacts, rows: NDArray[np.intp], period: Period) -> Touch:
    at, reason = touches.at[rows], touches.reason[rows]
    month = np.minimum((at - period.start) // int(_MONTH), world.months)
    calendar = at.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12
    is_complaint = reason == next(i for i, one in enumerate(reasons()) if one.name == COMPLAINT)
    matches = np.vstack([world.offers.answers_reason, np.zeros_like(world.offers.answers_reason[0])])[reason]
    popularity = world.offers.popularity + world.drift[month] + world.offers.season[calendar]
    return Touch(
        person=touches.person[rows] - people[0],
        at=at,
        channel=touches.channel[rows],
        sentiment=touches.sentiment[rows],
        popularity=popularity,
        matches=matches.astype(np.float64),
        is_open=~is_complaint & (touches.sentiment[rows] > -0.6),
    )


def _service_actions(world: World, contacts: Contacts, rng: Generator) -> Events:
    """Return the service actions that agents took or proposed in contacts whose reason calls for one."""
    fits = world.offers.answers_reason & world.offers.is_service
    fits = np.vstack([fits, np.zeros_like(fits[0])])[contacts.reason] & world.eligible[contacts.person]
    rows = np.flatnonzero(fits.any(axis=1) & (rng.random(len(contacts.at)) < 0.3))
    offer = choose_row_wise(fits[rows].astype(np.float64), rng)
    accepted = rng.random(len(rows)) < sigmoid(world.offers.base[offer] + 1.0)
    kind = np.where(accepted, _ACCEPTED, _DECLINED)
    return Events(contacts.person[rows], offer, contacts.at[rows] + 120, kind, contacts.channel[rows])


def _cancellations(world: World, events: Events, period: Period, rng: Generator) -> Events:
    """Return the few holdings that end within the months, less often where the taste for them is strong."""
    is_kept = np.isin(events.kind, (_HOLDING, _ACCEPTED)) & ~world.offers.is_service[events.offer]
    chance = sigmoid(-3.6 - 0.8 * world.taste[events.person, events.offer])
    rows = np.flatnonzero(is_kept & (rng.random(len(events.at)) < chance))
    since = np.maximum(events.at[rows] + 86_400, period.start)
    at = (since + rng.random(len(rows)) * np.maximum(period.end - since, 0)).astype(np.int64)
    ended = at < period.end
    channel = rng.integers(-1, len(CHANNELS), len(rows))
    return Events(events.person[rows], events.offer[rows], at, np.full(len(rows), _CANCELLED), channel).at_rows(ended)

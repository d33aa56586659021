"""What happens to offers when people touch the bank: pitched or found, looked at, asked about, taken or declined."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recsys.domain.interaction import InteractionKind
from recsys.simulator.arrivals import APP
from recsys.simulator.behaviour import LATER_SHARE, acceptance
from recsys.simulator.chance import Generator, sigmoid

KINDS = tuple(InteractionKind)
_CODE = {kind: code for code, kind in enumerate(KINDS)}
_DAY = 86_400
_COOL_OFF = 30 * _DAY
_PRESSURE_DAYS = 30.0

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Events:
    """K interactions: person and offer (rows), moment (Unix seconds), kind (into `KINDS`), channel (−1 a branch)."""

    person: Rows
    offer: Rows
    at: Times
    kind: Rows
    channel: Rows

    @classmethod
    def joined(cls, parts: "list[Events]") -> "Events":
        """Return all the events of `parts`, in their order."""
        names = ("person", "offer", "at", "kind", "channel")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def at_rows(self, rows: NDArray[np.generic]) -> "Events":
        """Return the events at these rows (or where this mask is true)."""
        return Events(self.person[rows], self.offer[rows], self.at[rows], self.kind[rows], self.channel[rows])


@dataclass(frozen=True, slots=True)
class Touch:
    """At most one touch of each of b people: `matches` (b, m) is what the reason of a contact asks for.

    `is_open` (b,) is false where selling would be out of place: a complaint, or somebody very upset.
    """

    person: Rows
    at: Times
    channel: Rows
    sentiment: Floats
    popularity: Floats
    matches: Floats
    is_open: Bools


@dataclass(slots=True)
class Market:
    """What n people may have of m offers and how they stand to each, as it changes from touch to touch."""

    base: Floats
    taste: NDArray[np.float32]
    price_pain: Floats
    open_to: Bools
    """(n, m) eligible, suitable and not held."""
    may_pitch: Bools
    """(n, m) what marketing and partner consents and flags let an agent pitch."""
    launched_at: Times
    is_on_display: Bools
    """(m,) whether people can find it in the app by themselves."""
    is_repeatable: Bools
    rng: Generator
    cool_until: Times = field(init=False)
    pressure: Floats = field(init=False)
    pressed_at: Times = field(init=False)
    events: list[Events] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cool_until = np.zeros(self.taste.shape, dtype=np.int64)
        self.pressure = np.zeros(len(self.taste))
        self.pressed_at = np.zeros(len(self.taste), dtype=np.int64)

    def pitch(self, touch: Touch) -> None:
        """Let the agents of these contacts pitch what is popular or fits the reason, and note the answers."""
        person, at = touch.person, touch.at
        open_now = self.open_to[person] & self.may_pitch[person] & (self.launched_at <= at[:, None])
        open_now &= self.cool_until[person] <= at[:, None]
        wanted = touch.popularity + 0.25 * self.taste[person] + 1.6 * touch.matches
        rows, offer = self._choose(wanted, open_now, touch.is_open & (self.rng.random(len(person)) < 0.6))
        person, at, channel = person[rows], at[rows], touch.channel[rows]
        pressure = self._press(person, at)
        odds = self.base[offer] + 0.8 * touch.matches[rows, offer]
        taste, pain = self.taste[person, offer], self.price_pain[person, offer]
        yes = self.rng.random(len(rows)) < acceptance(odds, taste, pain, touch.sentiment[rows], pressure)
        later = ~yes & (self.rng.random(len(rows)) < LATER_SHARE)
        self._note(person[yes], offer[yes], at[yes], InteractionKind.ACCEPTED, channel[yes])
        self._note(person[later], offer[later], at[later], InteractionKind.INQUIRY, channel[later])
        no = ~yes & ~later
        self._note(person[no], offer[no], at[no], InteractionKind.DECLINED, channel[no])
        self.cool_until[person[no], offer[no]] = at[no] + _COOL_OFF

    def browse(self, touch: Touch) -> None:
        """Let people look at what they like in the app, ask about some of it and take some."""
        person, at = touch.person, touch.at
        open_now = self.open_to[person] & self.is_on_display & (self.launched_at <= at[:, None])
        wanted = 0.7 * touch.popularity + 1.3 * self.taste[person]
        rows, offer = self._choose(wanted, open_now, np.ones(len(person), dtype=np.bool_))
        person, at = person[rows], at[rows]
        channel = np.full(len(rows), APP)
        self._note(person, offer, at, InteractionKind.VIEW, channel)
        taste, pain = self.taste[person, offer], self.price_pain[person, offer]
        asks = self.rng.random(len(rows)) < sigmoid(-1.6 + 0.8 * taste)
        self._note(person[asks], offer[asks], at[asks] + 60, InteractionKind.INQUIRY, channel[asks])
        nothing = np.zeros(len(rows))
        chance = acceptance(self.base[offer] - 0.9 + 1.6 * asks, taste, pain, nothing, nothing)
        takes = self.rng.random(len(rows)) < chance
        self._note(person[takes], offer[takes], at[takes] + 300, InteractionKind.ACCEPTED, channel[takes])

    def _choose(self, wanted: Floats, open_now: Bools, active: Bools) -> tuple[Rows, Rows]:
        """Return the rows that are active and have something open, and the offer each chooses (Gumbel-max draw)."""
        rows = np.flatnonzero(active & open_now.any(axis=1))
        noise = -np.log(-np.log(self.rng.random((len(rows), wanted.shape[1]), dtype=np.float32) + 1e-12) + 1e-12)
        return rows, np.where(open_now[rows], wanted[rows] + noise, -np.inf).argmax(axis=1)

    def _press(self, person: Rows, at: Times) -> Floats:
        """Return how many recent pitches each person still feels, and add this one."""
        felt = self.pressure[person] * np.exp(-(at - self.pressed_at[person]) / (_PRESSURE_DAYS * _DAY))
        self.pressure[person], self.pressed_at[person] = felt + 1, at
        return np.asarray(felt)

    def _note(self, person: Rows, offer: Rows, at: Times, kind: InteractionKind, channel: Rows) -> None:
        self.events.append(Events(person, offer, at, np.full(len(person), _CODE[kind]), channel))
        if kind is InteractionKind.ACCEPTED:
            once = ~self.is_repeatable[offer]
            self.open_to[person[once], offer[once]] = False

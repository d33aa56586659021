"""When, where and why people get in touch or look around in the app: the timetable of the simulated months."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from recsys.domain import channel
from recsys.simulator.chance import Generator, choose_row_wise
from recsys.simulator.offers import reasons
from recsys.simulator.temperament import Temperament

CHANNELS = (channel.PHONE, channel.WEB_CHAT, channel.WECHAT, channel.APP)
APP = CHANNELS.index(channel.APP)
PHONE = CHANNELS.index(channel.PHONE)
CAMPAIGN = -1
"""The reason of a contact that the bank began."""

_DAY = 86_400
_LOCAL_SHIFT = 8 * 3600
_WEEKDAY_LOAD = np.array([1.25, 1.1, 1.05, 1.0, 1.05, 0.7, 0.55])
_MONTH_LOAD = np.array([1.15, 0.9, 1.0, 1.0, 0.95, 1.0, 1.0, 1.0, 1.05, 0.95, 1.1, 1.2])


@dataclass(frozen=True, slots=True)
class Contacts:
    """N contacts: whose (row of the population), when (Unix seconds), where, why and in what mood."""

    person: NDArray[np.intp]
    at: NDArray[np.int64]
    channel: NDArray[np.intp]
    reason: NDArray[np.intp]
    sentiment: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Period:
    """The simulated months, in whole local days: [start, end) in Unix seconds, with the load of each day."""

    start: int
    end: int
    load: NDArray[np.float64]

    @classmethod
    def before(cls, now: datetime, months: int) -> "Period":
        """Return the `months` that end with the last full local day before `now`."""
        end = (int(now.timestamp()) + _LOCAL_SHIFT) // _DAY * _DAY - _LOCAL_SHIFT
        days = round(months * 365.25 / 12)
        noon = [datetime.fromtimestamp(end, now.tzinfo) - timedelta(days=days - day - 0.5) for day in range(days)]
        load = np.array([_WEEKDAY_LOAD[day.weekday()] * _MONTH_LOAD[day.month - 1] for day in noon])
        return cls(end - days * _DAY, end, load / load.sum())

    def draw_times(self, count: int, hours: tuple[float, float], rng: Generator) -> NDArray[np.int64]:
        """Return `count` moments between the two local hours of the day, busiest around the middle of the day."""
        day = rng.choice(len(self.load), count, p=self.load)
        second = 3600 * (hours[0] + (hours[1] - hours[0]) * rng.beta(1.7, 1.9, count))
        return np.asarray(self.start + day * _DAY + second.astype(np.int64), dtype=np.int64)


def draw_contacts(
    hidden: Temperament, people: NDArray[np.intp], period: Period, months: int, rng: Generator
) -> Contacts:
    """Return the contacts of `people` (rows) within the period, in no particular order."""
    person = np.repeat(people, rng.poisson(hidden.contact_rate[people] * months))
    at = period.draw_times(len(person), (8, 21), rng)
    outbound = rng.random(len(person)) < 0.07
    reason = np.where(outbound, CAMPAIGN, draw_reasons(hidden.needs[person], rng))
    channel = np.where(outbound, PHONE, draw_channels(hidden.digital[person], rng))
    return Contacts(person, at, channel, reason, draw_sentiments(reason, hidden.mood[person], rng))


def draw_sessions(
    hidden: Temperament, people: NDArray[np.intp], period: Period, months: int, rng: Generator
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return whose and when the visits to product pages in the app are, in no particular order."""
    person = np.repeat(people, rng.poisson(hidden.browsing_rate[people] * months))
    return person, period.draw_times(len(person), (7, 24), rng)


def draw_reasons(needs: NDArray[np.float64], rng: Generator) -> NDArray[np.intp]:
    """Return a reason (index into `reasons()`) for each row of needs (n, 8): what is needed is asked for more."""
    shares = np.array([reason.share for reason in reasons()])
    return choose_row_wise(shares * np.exp(0.5 * needs[:, [reason.need for reason in reasons()]]), rng)


def draw_channels(digital: NDArray[np.float64], rng: Generator) -> NDArray[np.intp]:
    """Return a channel (index into `CHANNELS`) for each ease with the app (0–1)."""
    weights = [1.5 - digital, 0.25 + 0.2 * digital, 0.2 + 0.5 * digital, 0.05 + 0.7 * digital]
    return choose_row_wise(np.stack(weights, axis=1), rng)


def draw_sentiments(reason: NDArray[np.intp], mood: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    """Return a sentiment (−1…1, two decimals) for each reason and mood."""
    usual = np.array([reason.sentiment for reason in reasons()] + [0.0])  # the last is CAMPAIGN's
    return np.asarray(np.round(np.clip(usual[reason] + mood + rng.normal(0, 0.25, len(reason)), -1, 1), 2))

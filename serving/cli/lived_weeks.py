"""The demo's last weeks: contacts that the service itself decides for, in campaigns, before visitors see any of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import uuid4

import yaml

from recsys.domain.clock import system_clock
from recsys.domain.errors import Conflict
from recsys.simulator.chance import stream
from recsys.simulator.world import World
from serving.campaigns.service import CampaignService
from serving.cli.output import Progress
from serving.cli.simulated_agent import (
    CARDS,
    HEARD_SHARE,
    Generator,
    Pitch,
    an_agent,
    event,
    exposures,
    opening,
    pitches,
)
from serving.contacts.schemas import AnswerRequest, CloseContact, ExposureRequest, NewContactEvent, OpenContact
from serving.contacts.service import ContactService
from serving.live_hub import LiveHub
from serving.settings import Settings
from serving.wiring import build_services

DAYS = 21
CUSTOMERS_A_CONTACT = 50
"""A bank of so many customers has one contact a day in which something can be offered."""
AUTHOR, APPROVER = "mei", "ines"
SEEN_SHARE = 0.9
"""Share of the contacts in which the agent looks at the suggestions at all."""
BEGIN_HOUR, HOURS = 1.0, 12.0
"""The centre's day in UTC: nine in the morning till nine in the evening in China."""


@dataclass
class _MovingClock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class _Weeks:
    world: World
    contacts: ContactService
    clock: _MovingClock

    def day(self, number: int, begin: datetime) -> int:
        """Live through one day; returns how many contacts it had."""
        rng = stream(self.world.seed, "lived", number)
        count = int(rng.poisson(len(self.world.population.customer_id) / CUSTOMERS_A_CONTACT))
        for hour in sorted(BEGIN_HOUR + HOURS * rng.beta(1.7, 1.9, count)):
            self.clock.now = max(self.clock.now, begin + timedelta(hours=float(hour)))
            self._contact(rng)
        return count

    def _contact(self, rng: Generator) -> None:
        visit = self.world.visitor(rng)
        view = self.contacts.open(OpenContact.model_validate(opening(visit, an_agent(rng))), visit.language)
        contact_id, decision, sentiment = view["contact"]["contact_id"], view["decision"], visit.sentiment
        if rng.random() < HEARD_SHARE:
            for moment in visit.moments:
                self._pass(moment.after_seconds)
                heard = NewContactEvent.model_validate(event(moment))
                decision = self.contacts.add_event(contact_id, heard, visit.language)["decision"]
                sentiment = moment.sentiment if moment.sentiment is not None else sentiment
        if rng.random() < SEEN_SHARE:
            self._expose(decision, "seen", decision["offers"][:CARDS])
            for pitch in pitches(self.world, visit, decision, sentiment, rng):
                self._answer(decision, pitch, rng)
        self._pass(rng.exponential(60))
        closing = CloseContact(csat=self.world.csat(sentiment, rng))
        self.contacts.close(contact_id, closing, visit.language)
        self.contacts.push_features(visit.customer_id)

    def _answer(self, decision: dict[str, Any], pitch: Pitch, rng: Generator) -> None:
        self._pass(rng.exponential(40))
        try:
            if pitch.is_pitched:
                self._expose(decision, "pitched", [pitch.offer])
            self.contacts.answer(AnswerRequest.model_validate(pitch.outcome(decision)), f"lived-{uuid4()}")
        except Conflict:
            pass  # permission may end while a contact is live: then the agent records nothing

    def _expose(self, decision: dict[str, Any], stage: str, offers: list[dict[str, Any]]) -> None:
        for body in exposures(decision, stage, offers):
            self.contacts.expose(ExposureRequest.model_validate(body))

    def _pass(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=float(seconds))


def live_through(
    settings: Settings, redis_url: str, world: World, lived: int, day_done: Callable[[int], None], progress: Progress
) -> dict[str, int]:
    """Live through the `DAYS` that end now, from day `lived` on; `day_done` hears how many are over.

    `world.now` is the beginning of the first day. Returns how many contacts there were and campaigns are.
    """
    contacts = 0
    with _weeks(settings.model_copy(update={"redis_url": redis_url}), world) as (weeks, campaigns):
        for number in range(lived, DAYS):
            begin = world.now + timedelta(days=number)
            weeks.clock.now = begin
            if number == 0:
                _launch(campaigns)
            contacts += weeks.day(number, begin)
            day_done(number + 1)
            progress("living through three weeks", number + 1, DAYS)
    return {"contacts": contacts, "campaigns": len(_plans())}


def first_day(now: datetime) -> datetime:
    """Return the beginning of the first of the `DAYS` full days before `now`."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)


@contextmanager
def _weeks(settings: Settings, world: World) -> Iterator[tuple[_Weeks, Callable[[str], CampaignService]]]:
    clock = _MovingClock(system_clock())
    services = build_services(settings, clock)
    services.start()
    try:
        services.features.wait()
        services.champion.wait()
        contacts = ContactService(services, LiveHub(settings.redis_url or ""))
        yield _Weeks(world, contacts, clock), lambda actor: CampaignService(services, actor)
    finally:
        services.close()


def _launch(campaigns: Callable[[str], CampaignService]) -> None:
    """Draft the demo's campaigns and start those that are not to stay drafts."""
    for plan in _plans():
        is_draft = plan.pop("stays_draft", False)
        campaign_id = campaigns(AUTHOR).draft(plan).campaign_id
        if not is_draft:
            campaigns(APPROVER).approve(campaign_id)
            campaigns(APPROVER).start(campaign_id)


def _plans() -> list[dict[str, Any]]:
    text = (files("serving.cli") / "demo_campaigns.yaml").read_text(encoding="utf-8")
    plans: list[dict[str, Any]] = yaml.safe_load(text)
    return plans

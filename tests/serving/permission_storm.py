"""A storm of contacts: eight agents at once on the same few customers, while everything around them changes."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from recsys.catalogue import build_catalogue, offer_to_dict, parse_offers
from recsys.domain.clock import Clock
from recsys.domain.customer import Customer
from recsys.domain.errors import Conflict, OfferNotFound
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy, parse_policy
from recsys.domain.protection import FLAGS, Statement
from recsys.rules import BUILT_IN, ValueType
from recsys.storage import schema
from recsys.storage.database import open_database
from recsys.storage.event_log import EventLog
from recsys.storage.idempotency_log import IdempotentRequest
from serving.access import Access
from serving.archive import Archive
from serving.champion import ChampionInService
from serving.contacts.schemas import AnswerRequest, CloseContact, HandOff, NewContactEvent, OpenContact
from serving.contacts.service import ContactService
from serving.idempotency import Once
from serving.in_force import CatalogueInService
from serving.live_hub import LiveHub
from serving.settings import Settings
from serving.wiring import FeaturesInService, Services
from tests.builders import NOW
from tests.serving.permission_journal import mark_commits

THREADS = 8
COHORT = 6
"""So many customers at a time, so that the agents meet; after `STAY` decisions come the next ones."""
STAY = 750
CHANNELS = ("phone", "wechat", "app")
AGENTS = (None, None, "a0", "a1", "a2")
"""Nobody is the queue, or the customer who serves themselves."""
VOCABULARY = {**BUILT_IN, "age": ValueType.NUMBER}
SHORT = {
    "exploration_share": 0.3, "declined_cool_off_days": 2, "declined_cool_off_most_days": 16, "later_cool_off_days": 1,
    "complaint_open_days": 1, "later_accept_days": 3, "sales_cap_days": 8, "channel_cap_days": 6, "family_cap_days": 5,
    "offer_cap_days": 10,
}  # fmt: skip


def a_policy(**changes: float) -> Policy:
    """A policy whose windows are short."""
    return parse_policy({**SHORT, **changes})


POLICIES = (
    a_policy(sales_cap=9, channel_cap=6, family_cap=4, offer_cap=2),
    a_policy(list_length=4, sales_cap=5, channel_cap=3, family_cap=2, offer_cap=1),
    a_policy(list_length=5, sales_cap=40, channel_cap=30, family_cap=9, offer_cap=6, unasked_partner=True),
)
OFFERS = parse_offers(
    [
        {"offer_id": f"{family or 'own'}-{number}", "title": "An offer", "family": family, **more}
        for family, more in (
            ("card", {}),
            ("loan", {"repeatable": True, "eligibility": "age >= 30"}),
            ("fund", {"risk_level": 3, "repeatable": True, "disclosure_zh": "投资有风险"}),
            ("travel", {"kind": "partner", "repeatable": True}),
            ("gift", {"repeatable": True, "total_cap": 5}),
            ("ticket", {"kind": "retention", "repeatable": True, "daily_cap": 1, "channels": "phone|app"}),
            ("repair", {"kind": "service", "intents": "complaint|card_declined"}),
            ("", {"repeatable": True, "margin": 90}),
        )
        for number in (1, 2)
    ],
    VOCABULARY,
)


class MovingClock:
    """A clock that never stands still and jumps ahead when told to; the same for all threads."""

    def __init__(self) -> None:
        self._now, self._lock = NOW, threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self._now += timedelta(microseconds=1)
            return self._now

    def pass_time(self, rng: np.random.Generator) -> None:
        """Let minutes pass, seldom hours or days."""
        chance = rng.random()
        days = rng.uniform(0, 3) if chance < 0.03 else rng.uniform(0, 0.5) if chance < 0.1 else rng.uniform(0, 0.004)
        self.move(timedelta(days=days))

    def move(self, by: timedelta) -> None:
        """Let exactly this time pass."""
        with self._lock:
            self._now += by


class Unheard(LiveHub):
    """A hub without streams to wake."""

    def __init__(self) -> None:
        """Needs no Redis."""

    def changed(self, contact_id: str) -> None:
        """Tell nobody."""


class RulesGate:
    """Many pass at once, or one alone: on a database whose writers run side by side, rules change in between."""

    def __init__(self, width: int) -> None:
        self._places, self._width, self._one_alone = threading.Semaphore(width), width, threading.Lock()

    @contextmanager
    def passing(self, alone: bool) -> Iterator[None]:
        """Hold one place, or all of them."""
        held = self._width if alone else 1
        with self._one_alone if alone else nullcontext():
            for _ in range(held):
                self._places.acquire()
        try:
            yield
        finally:
            self._places.release(held)


def services_of(url: str, folder: Path, clock: Clock, zone: str = "UTC") -> Services:
    """Return the parts of a service over the database at `url`, with neither a model nor features."""
    settings = Settings(home=folder / "home", database_url=url, time_zone=zone)
    database = open_database(settings.event_log_url, settings.calendar)
    return Services(
        settings=settings,
        database=database,
        catalogue=CatalogueInService(),
        champion=ChampionInService(settings.tracking_uri, settings.bundles),
        archive=Archive(settings),
        access=Access(settings, database),
        features=FeaturesInService(settings),
        clock=clock,
    )


class Storm:
    """`decisions` random decisions through the real service over the database at `url`, which keeps a journal."""

    def __init__(self, url: str, folder: Path, decisions: int, seed: int = 0) -> None:
        self.decisions, self._seed, self._made = decisions, seed, 0
        self._clock, self._counting = MovingClock(), threading.Lock()
        self._services = services_of(url, folder, self._clock)
        mark_commits(self._services.database._engine)
        self._contacts = ContactService(self._services, Unheard())
        self._gate = RulesGate(THREADS)
        self._rules_wait = self._services.database.writers_at_once > 1
        self._open: list[str] = []
        self._put_off: list[AnswerRequest] = []

    def run(self) -> None:
        """Rage until the decisions are made; raises what any agent's request raised unexpectedly."""
        rng = np.random.default_rng(self._seed)
        with self._services.database.transaction() as log:
            log.set_attribute_types({"age": "number"})
            log.save_policy(POLICIES[0], NOW)
            self._save_offers(log)
            for number in range((self.decisions // STAY + 1) * COHORT):
                age = {} if number % 5 == 0 else {"age": float(rng.integers(20, 60))}
                risk = int(rng.integers(1, 6)) if number % 3 else None
                log.add_customer(Customer(f"c{number}", risk_level=risk, attributes=age), NOW)
                log.add_statement(f"c{number}", Statement("marketing", True, NOW, NOW, "test"))
        try:
            with ThreadPoolExecutor(THREADS) as pool:
                agents = [pool.submit(self._work, number) for number in range(THREADS)]
            for agent in agents:
                agent.result()
        finally:
            self._services.database.close()

    def _work(self, number: int) -> None:
        """Do one thing after another; each says whether it made a decision (the contact's id) or not."""
        rng = np.random.default_rng((self._seed, number))
        steps = (
            self._open_one, self._answer, self._take_up, self._hear, self._hand_over, self._close, self._change,
            self._change_rules,
        )  # fmt: skip
        while self._made < self.decisions:
            step = steps[rng.choice(len(steps), p=[0.22, 0.42, 0.04, 0.1, 0.06, 0.07, 0.07, 0.02])]
            alone = self._rules_wait and step == self._change_rules
            with self._gate.passing(alone), suppress(Conflict, OfferNotFound):
                if step(rng) is not None:
                    with self._counting:
                        self._made += 1
            self._clock.pass_time(rng)

    def _customer(self, rng: np.random.Generator) -> str:
        return f"c{self._made // STAY * COHORT + int(rng.integers(COHORT))}"

    def _contact(self, rng: np.random.Generator) -> str:
        latest = self._open[-3 * COHORT :]
        return latest[int(rng.integers(len(latest)))] if latest else self._open_one(rng)

    def _open_one(self, rng: np.random.Generator) -> str:
        earlier = self._contact(rng) if self._open and rng.random() < 0.1 else None
        request = OpenContact(
            customer_id=self._contacts.contact(earlier).customer_id if earlier else self._customer(rng),
            channel=CHANNELS[rng.integers(3)],
            direction="outbound" if rng.random() < 0.3 else "inbound",
            agent_id=AGENTS[rng.integers(len(AGENTS))],
            reason=_one_of(rng, question=90, card_declined=4, gift=4, complaint=2),
            continues=earlier,
        )
        named = IdempotentRequest("storm", "open", f"key-{rng.integers(2**62)}", "digest")
        contact_id = str(self._contacts.open(request, "en", Once(named))["contact"]["contact_id"])
        if rng.random() < 0.1:
            assert self._contacts.open(request, "en", Once(named))["contact"]["contact_id"] == contact_id
        self._open.append(contact_id)
        return contact_id

    def _answer(self, rng: np.random.Generator) -> str | None:
        contact_id = self._contact(rng)
        with self._services.database.read() as log:
            records = log.decisions_of(contact_id)
        record = records[-1] if rng.random() < 0.7 else records[int(rng.integers(len(records)))]
        if not record["offers"]:
            return None
        offer = record["offers"][int(rng.integers(len(record["offers"])))]["offer_id"]
        said = list(Answer)[int(rng.choice(4, p=[0.35, 0.3, 0.15, 0.2]))]
        request = AnswerRequest(
            decision_id=record["decision_id"], offer_id=offer, answer=said, disclosure_read=rng.random() < 0.8
        )
        self._give(request, rng)
        if said is Answer.LATER:
            self._put_off.append(request)
        return contact_id

    def _take_up(self, rng: np.random.Generator) -> str | None:
        """Accept something that was put off lately, whatever has become of its contact."""
        latest = self._put_off[-3 * COHORT :]
        if not latest:
            return None
        asked = latest[int(rng.integers(len(latest)))]
        self._give(asked.model_copy(update={"answer": Answer.ACCEPTED, "disclosure_read": True}), rng)
        return asked.decision_id

    def _give(self, request: AnswerRequest, rng: np.random.Generator) -> None:
        key = f"key-{rng.integers(2**62)}"
        first, is_new = self._contacts.answer(request, key)
        assert is_new
        if rng.random() < 0.1:
            assert self._contacts.answer(request, key) == (first, False)

    def _hear(self, rng: np.random.Generator) -> str:
        contact_id, intent = self._contact(rng), _one_of(rng, fund=4, loan=3, card_declined=2, complaint=1)
        heard = (
            NewContactEvent(type="intent", intent=intent),
            NewContactEvent(type="sentiment", sentiment=float(rng.uniform(-1, 1))),
            NewContactEvent(type="note", text="went on"),
        )
        self._contacts.add_event(contact_id, heard[rng.integers(3)], "en")
        return contact_id

    def _hand_over(self, rng: np.random.Generator) -> str:
        contact_id = self._contact(rng)
        channel = CHANNELS[rng.integers(3)] if rng.random() < 0.5 else None
        to = HandOff(agent_id=f"a{rng.integers(4)}", channel=channel)
        self._contacts.hand_off(contact_id, to, "en")
        return contact_id

    def _close(self, rng: np.random.Generator) -> None:
        self._contacts.close(self._contact(rng), CloseContact(csat=int(rng.integers(1, 6))), "en")

    def _change(self, rng: np.random.Generator) -> None:
        """Something changes that nobody in the contact did; imports may know what is yet to come."""
        customer_id = self._customer(rng)
        with self._services.database.transaction(customer_id) as log:
            execute, now, chance = log._connection.execute, self._clock(), rng.random()
            if chance < 0.45:
                purpose = ("marketing", "partner", "profiling")[rng.integers(3)]
                log.add_statement(customer_id, Statement(purpose, bool(rng.random() < 0.85), now, now, "test"))
            elif chance < 0.75:
                for name in FLAGS:
                    log.add_statement(customer_id, Statement(name, bool(rng.random() < 0.04), now, now, "test"))
            else:
                at = now + timedelta(days=float(rng.uniform(0, 2))) if rng.random() < 0.3 else now
                event = {"customer_id": customer_id, "occurred_at": at, "weight": 1.0, "offer_id": self._any_offer(rng)}
                kind, channel = ("cancelled", "declined", "holding")[rng.integers(3)], CHANNELS[rng.integers(3)]
                execute(insert(schema.interactions).values(**event, kind=kind, channel=channel))

    def _change_rules(self, rng: np.random.Generator) -> None:
        """Another policy or another catalogue."""
        with self._services.database.transaction() as log:
            if rng.random() < 0.33:
                log.save_policy(POLICIES[rng.integers(len(POLICIES))], self._clock())
            else:
                self._save_offers(log, rng)

    def _any_offer(self, rng: np.random.Generator) -> str:
        return OFFERS[rng.integers(len(OFFERS))].offer_id

    def _save_offers(self, log: EventLog, rng: np.random.Generator | None = None) -> None:
        """Save the catalogue; with `rng`, one offer is gone, one has run out of time and the caps are others."""
        offers = {offer.offer_id: offer for offer in OFFERS}
        if rng is not None:
            del offers[self._any_offer(rng)]
            some = list(offers)[rng.integers(len(offers))]
            offers[some] = replace(offers[some], valid_to=self._clock() + timedelta(hours=float(rng.uniform(-1, 20))))
            accepted = log.acceptances(list(offers), NOW.date())
            for one in {"gift-1", "gift-2", "card-1", "own-1"} & offers.keys():
                cap = max(accepted.get(one, (0, 0))[1] + int(rng.integers(-2, 6)), 1)
                offers[one] = replace(offers[one], total_cap=cap)
            for one in {"ticket-1", "fund-2"} & offers.keys():
                offers[one] = replace(offers[one], daily_cap=int(rng.integers(1, 4)))
        catalogue = build_catalogue(offers.values(), VOCABULARY)
        saved = [offer_to_dict(offer) for offer in catalogue.offers]
        log.save_catalogue(catalogue.version, saved, catalogue.rule_types, self._clock())


def _one_of(rng: np.random.Generator, **weights: float) -> str:
    chances = np.array(list(weights.values()))
    return list(weights)[rng.choice(len(chances), p=chances / chances.sum())]

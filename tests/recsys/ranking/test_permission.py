"""Permission over arrays says for one customer and for many what the plainest words say, at and beside every edge."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from recsys.catalogue import Catalogue
from recsys.domain.contact import Direction, Intent
from recsys.domain.customer import Consents
from recsys.domain.decision import Situation
from recsys.domain.interaction import Interaction, InteractionKind, held_offers
from recsys.domain.offer import Offer, OfferKind
from recsys.domain.outcome import Answer, PastAnswer
from recsys.domain.policy import Policy
from recsys.domain.protection import FLAGS
from recsys.ranking.codes import CODES, NUMBER, Codes
from recsys.ranking.eligibility import people_of, permit
from recsys.ranking.people import AnswerColumns, Pairs, People, Protection
from recsys.ranking.permission import has_open_complaint, is_profiled, permit_all
from tests.builders import NOW, a_catalogue, a_contact, a_customer, a_situation, an_offer
from tests.recsys.ranking.plain_permission import DAY, Plain, is_adult, moments_around

OFFER_IDS = [f"o{number:02d}" for number in range(14)]
NAMED = [*OFFER_IDS, "gone-1", "gone-2"]
YEARS = (None, None, 18, 40)
CHANNELS = ("phone", "app", "branch")
INSTANT = timedelta(microseconds=1)
OF_RANK = {"allowed", "not_called_for", "below_threshold", "ranked_lower", "made_room", "withheld"}


class World:
    """A catalogue, a policy and customers in the same kind of contact, drawn so that every edge is met."""

    def __init__(self, seed: int, customers: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.now = NOW + timedelta(microseconds=int(self.rng.integers(0, 86_400_000_000)))
        self.policy = self.a_policy()
        self.years = {offer_id: YEARS[self.rng.integers(len(YEARS))] for offer_id in OFFER_IDS}
        self.catalogue: Catalogue = a_catalogue(*map(self.an_offer, OFFER_IDS))
        self.acceptances = {one: (int(self.rng.integers(0, 4)), int(self.rng.integers(8, 12))) for one in OFFER_IDS}
        self.contact = {"channel": self.pick(CHANNELS), "direction": self.pick(list(Direction))}
        self.situations = [self.a_situation() for _ in range(customers)]

    def pick(self, values: Sequence[Any]) -> Any:
        """Return one of the values."""
        return values[int(self.rng.integers(len(values)))]

    def chance(self, share: float) -> bool:
        """Return whether something that happens this often does."""
        return bool(self.rng.random() < share)

    def a_policy(self) -> Policy:
        numbers: dict[str, Any] = {}
        for name, most in {"offer": 5, "family": 5, "sales": 9, "channel": 9}.items():
            numbers[f"{name}_cap"] = 0 if self.chance(0.03) else int(self.rng.integers(1, most))
            numbers[f"{name}_cap_days"] = self.pick([5, 30, 90])
        for name in ("marketing_inbound", "marketing_outbound", "partner"):
            numbers[f"unasked_{name}"] = self.chance(0.5)
        numbers["declined_cool_off_days"] = self.pick([0, 3, 10])
        numbers["declined_cool_off_most_days"] = self.pick([0, 25, 40])
        numbers["later_cool_off_days"] = self.pick([0, 7, 30])
        numbers["service_done_days"] = self.pick([1, 5, 30])
        numbers["complaint_open_days"] = self.pick([0, 14])
        return Policy(**numbers)

    def an_offer(self, offer_id: str) -> Offer:
        edges = [self.now - INSTANT, self.now, self.now + INSTANT]
        opens, closes = self.pick([None] * 30 + edges), self.pick([None] * 30 + edges)
        return an_offer(
            offer_id,
            kind=self.pick([OfferKind.PRODUCT, OfferKind.SERVICE, *OfferKind]),
            family=self.pick(["", "", "f1", "f2", "f3"]),
            repeatable=self.chance(0.3),
            risk_level=int(self.pick([1, 1, 1, 2, 3])),
            channels=frozenset(self.pick([()] * 15 + [("phone",), ("app", "branch")])),
            valid_from=opens,
            valid_to=closes,
            eligibility=None if self.years[offer_id] is None else f"age >= {self.years[offer_id]}",
            total_cap=self.pick([None] * 5 + [10]),
            daily_cap=self.pick([None] * 5 + [2]),
        )

    def a_moment(self, days: Sequence[int]) -> Any:
        """Return a moment at or beside the edge of one of these windows, or any."""
        if self.chance(0.7):
            return self.pick(moments_around(self.now, int(self.pick(days))))
        return self.now - timedelta(seconds=float(self.rng.uniform(0, 100 * 86_400)))

    def answers(self) -> tuple[PastAnswer, ...]:
        """Return answers to few offers, so that they come in rows."""
        policy, liked = self.policy, [self.pick(NAMED) for _ in range(3)]
        first = policy.declined_cool_off_days
        days = [policy.offer_cap_days, policy.family_cap_days, policy.sales_cap_days, policy.channel_cap_days,
                policy.later_cool_off_days, policy.service_done_days, policy.declined_cool_off_most_days,
                first, 2 * first, 4 * first]  # fmt: skip
        found = [
            PastAnswer(self.pick(liked), self.pick([*Answer, Answer.DECLINED]), self.a_moment(days),
                       self.pick((*CHANNELS, None, "?")))
            for _ in range(self.rng.integers(0, 9) if self.chance(0.8) else 0)
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda past: past.answered_at))

    def history(self) -> tuple[Interaction, ...]:
        """Return what was bought, cancelled and bought again."""
        kinds = [InteractionKind.HOLDING, InteractionKind.ACCEPTED, InteractionKind.CANCELLED, InteractionKind.VIEW]
        liked = [self.pick(NAMED) for _ in range(2)]
        return tuple(
            Interaction("c1", self.pick(liked), self.now - DAY * (10 - number), self.pick(kinds))
            for number in range(self.rng.integers(0, 6))
        )

    def a_situation(self) -> Situation:
        asked = [*[True] * 12, False, None, None]
        customer = a_customer(
            flags=frozenset(flag for flag in FLAGS if self.chance(0.5)) if self.chance(0.1) else frozenset(),
            risk_level=self.pick([None, 1, 2, 3, 3]),
            attributes={} if self.chance(0.3) else {"age": float(self.pick([17, 18, 39, 40]))},
            consents=Consents(self.pick(asked), self.pick(asked), self.pick(asked)),
        )
        elsewhere = frozenset(self.pick(NAMED) for _ in range(self.pick([0, 0, 0, 1, 3])))
        on = [(one, self.pick(["phone", "app", "?", None])) for one in sorted(elsewhere)]
        return a_situation(
            made_at=self.now,
            customer=customer,
            contact=a_contact(**self.contact, reason=self.pick([None] * 30 + ["card", "complaint"])),
            intents=self.pick([()] * 30 + [(Intent("loan"),), (Intent("loan"), Intent("complaint"))]),
            history=self.history(),
            answers=self.answers(),
            open_complaint_since=self.a_moment([self.policy.complaint_open_days, 3]) if self.chance(0.15) else None,
            complaint_days=self.pick([None, None, 0, 3]),
            offered_elsewhere=elsewhere,
            elsewhere_channels={one: channel for one, channel in on if channel is not None},
            acceptances=self.acceptances,
        )

    def plain(self, situation: Situation) -> Plain:
        """Return what the plainest words say of the situation."""
        age = situation.customer.attributes.get("age")

        def verdict(offer: Offer) -> bool | None:
            years = self.years[offer.offer_id]
            return True if years is None else is_adult(age, years)

        return Plain(situation, self.catalogue.offers, self.policy, verdict)

    def rule_codes(self) -> Codes:
        """Return (n, m) what the rules say of everybody, whether or not anything else stops the offer."""
        number = {True: 0, False: NUMBER["not_eligible"], None: NUMBER["eligibility_unknown"]}
        rows = [list(map(self.plain(one).verdict, self.catalogue.offers)) for one in self.situations]
        return np.array([[number[verdict] for verdict in row] for row in rows], dtype=np.int8)


def together(parts: Sequence[People]) -> People:
    """The rows of all, one under the other."""

    def rows_of(name: str) -> Any:
        return np.concatenate([getattr(one, name).rows + row for row, one in enumerate(parts)])

    def all_of(*path: str) -> Any:
        values: list[Any] = list(parts)
        for name in path:
            values = [getattr(one, name) for one in values]
        return values

    protections: list[Protection] = all_of("protection")
    answers = {one: np.concatenate(all_of("answers", one)) for one in ("offers", "at", "answers", "on_channel")}
    return People(
        parts[0].occasion,
        Protection(
            np.concatenate([one.risk_level for one in protections]),
            {flag: np.concatenate([one.flags[flag] for one in protections]) for flag in protections[0].flags},
            {one: np.concatenate([each.consents[one] for each in protections]) for one in protections[0].consents},
            *(np.concatenate(all_of("protection", one)) for one in ("complaint_at", "complaint_days", "is_complaint")),
        ),
        Pairs(rows_of("held"), np.concatenate(all_of("held", "offers"))),
        AnswerColumns(rows_of("answers"), **answers),
        Pairs(rows_of("elsewhere"), np.concatenate(all_of("elsewhere", "offers"))),
        np.concatenate([one.elsewhere_here for one in parts]),
        parts[0].acceptances,
    )


@pytest.mark.parametrize("seed", range(60))
def test_one_customer_and_many_are_permitted_what_the_plainest_words_say(seed: int) -> None:
    world = World(seed, customers=30)
    table = world.catalogue.table
    parts = [people_of(one, held_offers(one.history), table) for one in world.situations]
    rule_codes = world.rule_codes()
    many = permit_all(together(parts), world.catalogue, world.policy, lambda _: rule_codes)
    for row, situation in enumerate(world.situations):
        plain, one = world.plain(situation), permit(situation, world.catalogue, world.policy)
        expected = [plain.code(offer) for offer in world.catalogue.offers]
        assert [one.code(column) for column in range(len(table))] == expected
        assert [CODES[number] if number else None for number in many.codes[row].tolist()] == expected
        assert one.sales_left == many.sales_left[row] == plain.sales_left()
        assert one.has_complaint == many.has_complaint[row] == plain.has_complaint()
        assert one.allowed.tolist() == many.allowed[row].tolist() == [code is None for code in expected]
        unknown = [column for column, code in enumerate(expected) if code == "eligibility_unknown"]
        assert list(one.unknown.items()) == [(column, "age") for column in unknown]


def test_the_worlds_hold_every_code_often() -> None:
    worlds = [World(seed, customers=30) for seed in range(60)]
    codes = [
        code
        for world in worlds
        for situation in world.situations
        for code in map(world.plain(situation).code, world.catalogue.offers)
    ]
    counts = {code: codes.count(code) for code in CODES if code not in OF_RANK}
    assert min(counts.values()) >= 20, counts
    assert codes.count(None) > 1_000


@pytest.mark.parametrize("given", [True, False, None])
@pytest.mark.parametrize("unasked", [True, False])
def test_who_was_never_asked_for_profiling_is_as_the_policy_says(given: bool | None, unasked: bool) -> None:
    situation = a_situation(customer=a_customer(consents=Consents(profiling=given)))
    policy, catalogue = Policy(unasked_profiling=unasked), a_catalogue(an_offer())
    expected = unasked if given is None else given
    assert permit(situation, catalogue, policy).is_profiled is expected
    people = people_of(situation, frozenset(), catalogue.table)
    assert is_profiled(together([people, people]).protection, policy).tolist() == [expected] * 2


@pytest.mark.parametrize("days", [0, 1, 14, 1_000_000_000])
@pytest.mark.parametrize("instants", [-1, 0, 1])
@pytest.mark.parametrize("is_own", [True, False])
def test_a_complaint_is_open_for_whole_days_to_the_microsecond(days: int, instants: int, is_own: bool) -> None:
    since = NOW - min(days, 20_000) * DAY + instants * INSTANT
    situation = a_situation(open_complaint_since=since, complaint_days=days if is_own else None)
    people = people_of(situation, frozenset(), a_catalogue(an_offer()).table)
    silent = people_of(a_situation(), frozenset(), a_catalogue(an_offer()).table)
    found = has_open_complaint(
        together([people, silent]).protection, Policy(complaint_open_days=1 if is_own else days), people.occasion
    )
    assert found.tolist() == [(NOW - since).days < days, False]

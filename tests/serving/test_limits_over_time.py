"""Limits that depend on the day and on the past, through the real service: volumes at midnight, rests over years."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from recsys.catalogue import build_catalogue, offer_to_dict
from recsys.domain.errors import OfferNotAllowed
from recsys.domain.offer import Offer
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.rules import BUILT_IN
from serving.contacts.schemas import AnswerRequest, OpenContact
from serving.contacts.service import ContactService
from tests.builders import an_offer
from tests.serving.permission_storm import Unheard, services_of

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 6, 2, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@dataclass
class Centre:
    """A service whose clock says what it is told."""

    path: Path
    now: datetime = NOON
    zone: str = "UTC"

    def __post_init__(self) -> None:
        self._services = services_of(f"sqlite:///{self.path}", self.path.parent, lambda: self.now, self.zone)
        self._contacts = ContactService(self._services, Unheard())
        self._answers = 0

    def close(self) -> None:
        self._services.database.close()

    def offer(self, *offers: Offer, **policy: Any) -> None:
        catalogue = build_catalogue(offers, BUILT_IN)
        with self._services.database.transaction() as log:
            saved = [offer_to_dict(offer) for offer in catalogue.offers]
            log.save_catalogue(catalogue.version, saved, catalogue.rule_types, self.now)
            log.save_policy(Policy(exploration_share=0.0, **policy), self.now)

    def call(self, customer_id: str = "c1") -> Any:
        """Open a contact and return its decision."""
        request = OpenContact(customer_id=customer_id, channel="phone", agent_id="a1")
        return self._contacts.open(request, "en")["decision"]

    def shown(self, customer_id: str = "somebody") -> list[str]:
        return [offer["offer_id"] for offer in self.call(customer_id)["offers"]]

    def answer(self, decision: Any, answer: Answer = Answer.ACCEPTED, offer_id: str = "card") -> None:
        self._answers += 1
        request = AnswerRequest(decision_id=decision["decision_id"], offer_id=offer_id, answer=answer)
        self._contacts.answer(request, f"key-{self._answers}")


@pytest.fixture
def centre(sqlite_url: str) -> Iterator[Centre]:
    opened = Centre(Path(sqlite_url.removeprefix("sqlite:///")))
    yield opened
    opened.close()


def test_what_is_taken_today_is_there_again_at_midnight(centre: Centre) -> None:
    centre.offer(an_offer("card", daily_cap=1))
    centre.now = MIDNIGHT - 2 * INSTANT
    centre.answer(centre.call("c1"))
    centre.now = MIDNIGHT - INSTANT
    assert centre.shown() == []
    centre.now = MIDNIGHT
    assert centre.shown() == ["card"]


def test_a_list_from_before_midnight_is_answered_out_of_the_new_day(centre: Centre) -> None:
    centre.offer(an_offer("card", daily_cap=1))
    centre.now = MIDNIGHT - 3 * INSTANT
    early, late, latest = (centre.call(customer) for customer in ("c1", "c2", "c3"))
    centre.answer(early)
    with pytest.raises(OfferNotAllowed, match="sold_out_today"):
        centre.answer(late)
    centre.now = MIDNIGHT
    centre.answer(late)
    with pytest.raises(OfferNotAllowed, match="sold_out_today"):
        centre.answer(latest)


def test_a_total_cap_knows_no_midnight(centre: Centre) -> None:
    centre.offer(an_offer("card", total_cap=2))
    for customer, days in (("c1", 0), ("c2", 1)):
        centre.now = NOON + timedelta(days=days)
        centre.answer(centre.call(customer))
    centre.now = NOON + timedelta(days=400)
    assert centre.shown() == []


def test_a_refused_acceptance_leaves_no_count_behind(centre: Centre) -> None:
    centre.offer(an_offer("card", total_cap=1))
    first, second = centre.call("c1"), centre.call("c2")
    centre.answer(first)
    with pytest.raises(OfferNotAllowed):
        centre.answer(second)
    centre.offer(an_offer("card", total_cap=2))
    centre.answer(second)


@pytest.mark.parametrize("hours", [-8, 8])
def test_the_day_of_a_volume_is_the_one_in_utc_wherever_the_clock_hangs(centre: Centre, hours: int) -> None:
    centre.offer(an_offer("card", daily_cap=1))
    zone = timezone(timedelta(hours=hours))
    centre.now = (MIDNIGHT - INSTANT).astimezone(zone)
    centre.answer(centre.call("c1"))
    centre.now = MIDNIGHT.astimezone(zone)
    assert centre.shown() == ["card"]


def test_every_decline_in_a_row_counts_however_long_ago_it_was(centre: Centre) -> None:
    centre.offer(an_offer("card"))
    for days in (0, 300, 600, 900):
        centre.now = NOON + timedelta(days=days)
        centre.answer(centre.call(), Answer.DECLINED)
    centre.now = NOON + timedelta(days=900 + 240) - INSTANT
    assert centre.shown("c1") == []
    centre.now += INSTANT
    assert centre.shown("c1") == ["card"]


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("UTC", datetime(2026, 6, 2, 0, tzinfo=UTC)),
        ("Asia/Shanghai", datetime(2026, 6, 1, 16, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 6, 2, 4, tzinfo=UTC)),
    ],
)
def test_a_daily_cap_is_there_again_at_the_banks_midnight(zone: str, midnight: datetime, sqlite_url: str) -> None:
    centre = Centre(Path(sqlite_url.removeprefix("sqlite:///")), zone=zone)
    centre.offer(an_offer("card", daily_cap=1))
    centre.now = midnight - 2 * INSTANT
    first, second = centre.call("c1"), centre.call("c2")
    centre.answer(first)
    assert centre.shown() == []
    with pytest.raises(OfferNotAllowed, match="sold_out_today"):
        centre.answer(second)
    centre.now = midnight
    assert centre.shown() == ["card"]
    centre.close()

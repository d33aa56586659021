"""Contact policy at its edges: windows to the microsecond, caps of nothing, what counts and what does not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.domain.decision import Situation
from recsys.domain.offer import OfferKind
from recsys.domain.outcome import Answer, PastAnswer
from recsys.domain.policy import Policy, parse_policy
from recsys.ranking.codes import CODES
from recsys.ranking.contact_policy import cool_off_days, stop_by_contact_policy
from recsys.ranking.eligibility import people_of, permit
from tests.builders import NOW, a_catalogue, a_past_answer, a_situation, an_offer

INSTANT = timedelta(microseconds=1)
GENEROUS = Policy(sales_cap=99, channel_cap=99, family_cap=99, offer_cap=99)
CATALOGUE = a_catalogue(
    an_offer("card", family="plastic"),
    an_offer("fix", kind=OfferKind.SERVICE, family="plastic"),
    an_offer("gold", family="plastic"),
    an_offer("loan"),
)


def stopped(situation: Situation, policy: Policy) -> tuple[Mapping[str, str], int]:
    """What contact policy alone stops, by offer, and how many sales it leaves."""
    table = CATALOGUE.table
    codes = np.zeros((1, len(table)), dtype=np.int8)
    left = stop_by_contact_policy(codes, people_of(situation, frozenset(), table), table, policy)
    found = zip(table.offer_ids, codes[0].tolist(), strict=True)
    return {offer_id: CODES[code] for offer_id, code in found if code}, int(left[0])


def blocked(policy: Policy, *answers: PastAnswer, **changes: object) -> Mapping[str, str]:
    return stopped(a_situation(answers=answers, **changes), policy)[0]


def ago(answer: Answer, age: timedelta, offer_id: str = "card", channel: str | None = None) -> PastAnswer:
    return PastAnswer(offer_id, answer, NOW - age, channel)


@pytest.mark.parametrize(
    ("answer", "offer_id", "days", "code"),
    [
        (Answer.DECLINED, "card", 30, "cooling_off"),
        (Answer.LATER, "card", 7, "asked_for_later"),
        (Answer.ACCEPTED, "fix", 1, "just_done"),
        (Answer.DECLINED, "fix", 30, "cooling_off"),
    ],
)
def test_a_rest_ends_to_the_microsecond(answer: Answer, offer_id: str, days: int, code: str) -> None:
    window = timedelta(days=days)
    assert blocked(GENEROUS, ago(answer, window - INSTANT, offer_id)) == {offer_id: code}
    assert blocked(GENEROUS, ago(answer, window, offer_id)) == {}


@pytest.mark.parametrize(
    ("policy", "days", "code"),
    [
        (replace(GENEROUS, offer_cap=1), 90, {"card": "offer_cap"}),
        (replace(GENEROUS, family_cap=1), 30, {"card": "family_cap", "gold": "family_cap"}),
    ],
)
def test_the_window_of_a_cap_ends_to_the_microsecond(policy: Policy, days: int, code: Mapping[str, str]) -> None:
    assert blocked(policy, ago(Answer.LATER, timedelta(days=days) - INSTANT)) == code
    assert blocked(policy, ago(Answer.LATER, timedelta(days=days))) == {}


@pytest.mark.parametrize(("age", "left"), [(timedelta(days=30) - INSTANT, 1), (timedelta(days=30), 2)])
@pytest.mark.parametrize("cap", ["sales_cap", "channel_cap"])
def test_the_window_of_the_sales_ends_to_the_microsecond(cap: str, age: timedelta, left: int) -> None:
    situation = a_situation(answers=(ago(Answer.DECLINED, age, channel="phone"),))
    assert stopped(situation, parse_policy({cap: 2}, GENEROUS))[1] == left


@pytest.mark.parametrize("cap", ["sales_cap", "channel_cap", "family_cap", "offer_cap"])
def test_a_cap_of_nothing_leaves_no_sale_but_every_service_action(cap: str) -> None:
    permission = permit(a_situation(), CATALOGUE, parse_policy({cap: 0}, GENEROUS))
    assert CATALOGUE.table.ids[permission.allowed].tolist() == ["fix"]


def test_a_full_family_leaves_its_service_actions() -> None:
    assert "fix" not in blocked(replace(GENEROUS, family_cap=1), a_past_answer("card", Answer.LATER, 20))


def test_answers_to_service_actions_fill_no_cap() -> None:
    tight = Policy(sales_cap=1, channel_cap=1, family_cap=1, offer_cap=1)
    situation = a_situation(answers=(a_past_answer("fix", Answer.ACCEPTED, 5, channel="phone"),) * 3)
    assert stopped(situation, tight) == ({}, 1)


def test_a_sale_elsewhere_is_blocked_and_fills_its_family() -> None:
    policy = replace(GENEROUS, family_cap=1)
    found = blocked(policy, offered_elsewhere=frozenset({"gold", "fix", "gone"}))
    assert found == {"card": "family_cap", "gold": "family_cap"}


def test_offers_that_left_the_catalogue_still_count() -> None:
    situation = a_situation(
        answers=(a_past_answer("gone", Answer.LATER, 2),), offered_elsewhere=frozenset({"gone-too"})
    )
    assert stopped(situation, replace(GENEROUS, sales_cap=5))[1] == 3


@pytest.mark.parametrize(
    ("policy", "days"),
    [
        (Policy(declined_cool_off_days=10, declined_cool_off_most_days=35), [10, 20, 35, 35, 35]),
        (Policy(declined_cool_off_days=50, declined_cool_off_most_days=20), [50, 50, 50, 50, 50]),
        (Policy(declined_cool_off_days=0, declined_cool_off_most_days=240), [0, 0, 0, 0, 0]),
    ],
)
def test_the_rest_doubles_up_to_the_most(policy: Policy, days: list[int]) -> None:
    assert [cool_off_days(declines, policy) for declines in range(1, 6)] == days
    assert cool_off_days(10_000, policy) == days[-1]


def test_declines_years_apart_are_still_in_a_row() -> None:
    row = [a_past_answer("card", Answer.DECLINED, days) for days in (900, 500, 200)]
    assert blocked(GENEROUS, *row[:2], a_past_answer("card", Answer.DECLINED, 119)) == {"card": "cooling_off"}
    assert blocked(GENEROUS, *row) == {}


AGES = st.timedeltas(-INSTANT, timedelta(days=400))
ANSWERS = st.lists(
    st.builds(ago, st.sampled_from(Answer), AGES, st.sampled_from(["card", "fix", "gold", "loan", "gone"]),
              st.sampled_from(["phone", "app", None])),
    max_size=12,
).map(lambda answers: sorted(answers, key=lambda past: past.answered_at))  # fmt: skip


def plain_left(situation: Situation, policy: Policy) -> int:
    def counted(days: int, channel: str | None = None) -> int:
        return len(
            [
                past
                for past in situation.answers
                if past.answer is not Answer.NOT_PITCHED
                and past.offer_id != "fix"
                and (channel is None or past.channel == channel)
                and situation.made_at < past.answered_at + timedelta(days=days)
            ]
        )

    elsewhere = len(situation.offered_elsewhere - {"fix"})
    overall = policy.sales_cap - counted(policy.sales_cap_days)
    return max(min(overall, policy.channel_cap - counted(policy.channel_cap_days, "phone")) - elsewhere, 0)


@given(ANSWERS, st.sets(st.sampled_from(["card", "fix", "loan", "gone"])), st.integers(1, 9), st.integers(1, 9))
def test_what_is_left_is_what_the_plainest_count_says(
    answers: list[PastAnswer], elsewhere: set[str], sales_cap: int, channel_cap: int
) -> None:
    situation = a_situation(answers=tuple(answers), offered_elsewhere=frozenset(elsewhere))
    policy = Policy(sales_cap=sales_cap, channel_cap=channel_cap)
    assert stopped(situation, policy)[1] == plain_left(situation, policy)


@given(ANSWERS, st.integers(-12, 14))
def test_the_zone_in_which_a_moment_is_told_changes_nothing(answers: list[PastAnswer], hours: int) -> None:
    def told(moment: datetime) -> datetime:
        return moment.astimezone(timezone(timedelta(hours=hours)))

    here = a_situation(answers=tuple(answers))
    there = replace(
        here,
        made_at=told(here.made_at),
        answers=tuple(replace(past, answered_at=told(past.answered_at)) for past in answers),
    )
    dated = a_catalogue(an_offer("card", valid_from=NOW, valid_to=NOW + INSTANT), an_offer("loan", valid_to=NOW))
    assert permit(here, dated, Policy()).codes.tolist() == permit(there, dated, Policy()).codes.tolist()
    assert stopped(here, Policy()) == stopped(there, Policy())

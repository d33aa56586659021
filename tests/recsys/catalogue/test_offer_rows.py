"""Rows become offers or say everything that is wrong with them; offers become rows again."""

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.catalogue import check_offers, offer_to_dict, parse_offers
from recsys.domain.channel import CHANNELS
from recsys.domain.errors import CatalogueInvalid
from recsys.domain.offer import Offer, OfferKind
from recsys.rules import BUILT_IN, ValueType

VOCABULARY = {**BUILT_IN, "age": ValueType.NUMBER}


def a_row(**changes: object) -> dict[str, object]:
    return {"offer_id": "gold_card", "title_en": "Gold card", "title_zh": "金卡", **changes}


def problems_of(*rows: dict[str, object]) -> list[tuple[str, str, str]]:
    with pytest.raises(CatalogueInvalid) as refused:
        parse_offers(rows, VOCABULARY)
    return [(problem.offer_id, problem.field, problem.reason) for problem in refused.value.problems]


names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
sentences = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=20).map(str.strip)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2020, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (in UTC)
amounts = st.floats(-1e9, 1e9)
offers = st.builds(
    Offer,
    offer_id=names,
    title_en=sentences.filter(bool),
    title_zh=sentences,
    kind=st.sampled_from(OfferKind),
    family=st.just("") | names,
    repeatable=st.booleans(),
    margin=st.none() | amounts,
    handling_seconds=amounts.map(abs),
    risk_level=st.integers(1, 5),
    channels=st.frozensets(st.sampled_from(list(CHANNELS))),
    valid_from=st.none() | moments,
    valid_to=st.none() | moments.map(lambda moment: moment + timedelta(days=9000)),
    eligibility=st.none() | st.sampled_from(["age >= 25", "segment IN ('a')\nAND NOT arrears"]),
    terms=st.dictionaries(names, st.sampled_from(["3.5", "CASE WHEN age > 60 THEN 1 ELSE 2 END", "'free'"])),
    starting_propensity=st.floats(0, 1, exclude_min=True, exclude_max=True),
    talk_track_en=sentences,
    talk_track_zh=sentences,
    disclosure_en=sentences,
    disclosure_zh=sentences,
    intents=st.frozensets(names),
    lever=st.floats(0, 100),
    total_cap=st.none() | st.integers(1, 10**9),
    daily_cap=st.none() | st.integers(1, 10**9),
).flatmap(lambda offer: st.builds(replace, st.just(offer), term_bounds=bounds_of(offer)))


def bounds_of(offer: Offer) -> st.SearchStrategy[dict[str, tuple[float, float]]]:
    numeric = sorted(name for name, rule in offer.terms.items() if "'" not in rule)
    pairs = st.tuples(amounts, amounts).map(lambda pair: (min(pair), max(pair)))
    return st.dictionaries(st.sampled_from(numeric), pairs) if numeric else st.just({})


@settings(deadline=None)
@given(offers)
def test_an_offer_survives_the_way_through_json(offer: Offer) -> None:
    row = json.loads(json.dumps(offer_to_dict(offer)))
    assert parse_offers([row], VOCABULARY) == (offer,)


def test_a_row_of_text_gives_the_same_offer_as_a_typed_one() -> None:
    as_text = a_row(
        kind="Partner", repeatable="yes", margin="120.5", risk_level="2", channels="phone|app", intents="card, travel",
        valid_from="2026-01-01", valid_to="2026-02-01T08:00:00+08:00", terms='{"rate": "3.5", "fee": 0}',
        eligibility=" age >= 25 ", handling_seconds="", disclosure=None, starting_propensity=".1",
    )  # fmt: skip
    typed = a_row(
        kind=OfferKind.PARTNER, repeatable=True, margin=120.5, risk_level=2, channels=["app", "phone"],
        intents=("travel", "card"), valid_from=date(2026, 1, 1), terms={"rate": 3.5, "fee": 0},
        valid_to=datetime(2026, 2, 1, 8, tzinfo=timezone(timedelta(hours=8))), eligibility="age >= 25",
        handling_seconds=math.nan, starting_propensity=0.1,
    )  # fmt: skip
    assert parse_offers([as_text], VOCABULARY) == parse_offers([typed], VOCABULARY)


def test_one_title_is_enough() -> None:
    (offer,) = parse_offers([{"offer_id": "理财", "title": "稳健理财"}], VOCABULARY)
    assert (offer.title("en"), offer.title("zh-CN")) == ("稳健理财", "稳健理财")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("kind", "servise", "the nearest is service"),
        ("margin", "NaN", "must be a number"),
        ("margin", "12 yuan", "must be a number"),
        ("margin", 10**400, "must be a number"),
        ("handling_seconds", -1, "must be a number of at least 0"),
        ("risk_level", 6, "must be a number from 1 to 5"),
        ("risk_level", 2.5, "must be a whole number from 1 to 5"),
        ("starting_propensity", 0, "must lie between 0 and 1, both excluded"),
        ("starting_propensity", 1, "must lie between 0 and 1, both excluded"),
        ("repeatable", "perhaps", "must be true or false"),
        ("channels", "phone|fax", "must be one of phone, web_chat"),
        ("channels", 3, "must be a list"),
        ("valid_from", "soon", "must be a time"),
        ("valid_from", 20260101, "must be a time"),
        ("valid_from", "0001-01-01T00:00:00+08:00", "must be a time between"),
        ("lever", -1, "must be a number from 0 to 100"),
        ("total_cap", 0, "must be a number from 1"),
        ("daily_cap", 2.5, "must be a whole number"),
        ("term_bounds", {"rate": [3]}, "must map the name of each term to its lowest and highest value"),
        ("term_bounds", {"rate": [3, 2]}, "has a lowest value above the highest"),
        ("term_bounds", '{"rate": [2, 3]', "must be a JSON object"),
        ("terms", "rate: 3", "must be a JSON object"),
        ("terms", "[" * 100_000, "must be a JSON object"),
        ("terms", ["3"], "must map the name"),
        ("title_en", {"en": "x"}, "must be a text"),
        ("title_en", "bell \a", "must not hold control characters"),
        ("talk_track_zh", "话" * 4_001, "must have at most 4000 characters"),
        ("family", "two\nlines", "must be one line"),
        ("titel_en", "x", "did you mean title_en?"),
        ("", "x", "is not a column"),
    ],
)
def test_a_bad_value_names_its_field_and_what_is_allowed(field: str, value: object, reason: str) -> None:
    ((offer_id, named, said),) = problems_of(a_row(**{field: value}))
    assert (offer_id, named) == ("gold_card", field or "(no column name)")
    assert reason in said


def test_a_broken_rule_says_where_in_it() -> None:
    row = a_row(eligibility="age > 1 AND\n  agee > 2", terms={"rate": "age +", "fee": "1"})
    with pytest.raises(CatalogueInvalid) as refused:
        parse_offers([row], VOCABULARY)
    places = [(problem.field, problem.line, problem.column) for problem in refused.value.problems]
    assert places == [("eligibility", 2, 3), ("terms.rate", 1, 6)]


def test_an_eligibility_rule_must_be_a_condition() -> None:
    assert problems_of(a_row(eligibility="age + 1"))[0][1] == "eligibility"


def test_every_problem_is_reported_at_once() -> None:
    found = problems_of(
        a_row(kind="x", margin="y", valid_from="2026-02-01", valid_to="2026-01-31"),
        {"title": "no id"},
        {"offer_id": "untitled"},
        a_row(offer_id="twice"),
        a_row(offer_id=" twice "),
    )
    assert [(offer_id, field) for offer_id, field, _ in found] == [
        *(("gold_card", field) for field in ("kind", "margin", "valid_to")),
        ("in row 2", "offer_id"),
        ("untitled", "title"),
        *[("twice", "offer_id")] * 2,
    ]


def test_the_good_rows_can_be_kept() -> None:
    good, problems = check_offers([a_row(), a_row(offer_id="bad", margin="x")], VOCABULARY)
    assert [offer.offer_id for offer in good] == ["gold_card"]
    assert [problem.offer_id for problem in problems] == ["bad"]


def test_blank_columns_of_any_name_are_ignored() -> None:
    assert parse_offers([a_row(**{"": "", "notes": " ", "old": math.nan})], VOCABULARY)


def test_one_disclosure_is_read_in_both_languages() -> None:
    (offer,) = parse_offers([a_row(disclosure="APR 9 %")], VOCABULARY)
    assert (offer.disclosure("en"), offer.disclosure("zh")) == ("APR 9 %", "APR 9 %")
    (both,) = parse_offers([a_row(disclosure_en="APR 9 %", disclosure_zh="年利率9%")], VOCABULARY)
    assert both.disclosure("zh-CN") == "年利率9%"


def test_only_a_number_that_the_offer_has_can_be_bounded() -> None:
    assert problems_of(a_row(terms={"rate": "3.5"}, term_bounds={"limit": [1, 2]}))[0][1] == "term_bounds.limit"
    assert problems_of(a_row(terms={"rate": "'free'"}, term_bounds={"rate": [1, 2]}))[0][1] == "terms.rate"

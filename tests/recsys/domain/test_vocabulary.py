"""Words of other systems stand for the same things, however they are spelled."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.domain.bank_words import canonical_words, words_of
from recsys.domain.channel import CHANNELS
from recsys.domain.contact import Direction
from recsys.domain.customer import CustomerKind
from recsys.domain.errors import PolicyInvalid
from recsys.domain.interaction import InteractionKind
from recsys.domain.policy import Policy, parse_policy
from recsys.domain.protection import CONSENT_COLUMNS, CONSENT_HEADERS, DELIVERED_FLAGS, FLAGS, UNREADABLE
from recsys.domain.stems import looks_protective
from recsys.domain.vocabulary import (
    _CONSENTED,
    _REFUSED,
    COMPLAINT,
    FALSE_WORDS,
    NEEDS,
    SHIPPED,
    TRUE_WORDS,
    UNKNOWN_CHANNEL,
)
from recsys.domain.words import fold, is_misspelled

WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def ways(word: str) -> list[str]:
    """Return the ways in which files and people write one word."""
    spaced = word.replace("_", " ")
    found = [word, word.upper(), word.title(), f" {word}\u3000", spaced, word.replace("_", "-"), word.translate(WIDE)]
    return list(dict.fromkeys([*found, f"\u200b{spaced.capitalize()}\ufeff", f"{word}\u00a0"]))


WAYS = st.sampled_from([lambda w, n=n: ways(w)[n % len(ways(w))] for n in range(9)])


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        *((way, True) for word in (*TRUE_WORDS, "1.0", "01") for way in ways(word)),
        *((way, False) for word in (*FALSE_WORDS, "0.0", "00", "-0") for way in ways(word)),
    ],
)
def test_yes_and_no_are_read_in_every_spelling_for_flags_and_consents(word: str, meaning: bool) -> None:
    assert (SHIPPED.truth(word), SHIPPED.consent(word)) == (meaning, meaning)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        *((way, True) for one in _CONSENTED for way in ways(one)),
        *((way, False) for one in _REFUSED for way in ways(one)),
    ],
)
def test_a_consent_may_also_be_said_in_its_own_words(word: str, meaning: bool) -> None:
    assert SHIPPED.consent(word) is meaning


def test_no_word_says_yes_and_no() -> None:
    for one, other in combinations([TRUE_WORDS, FALSE_WORDS, _CONSENTED, _REFUSED], 2):
        assert {fold(word) for word in one} & {fold(word) for word in other} - {""} == set()


@pytest.mark.parametrize("cell", ["", " ", "\u3000", "\u200b", "\ufeff", "\t"])
def test_an_empty_cell_says_nothing(cell: str) -> None:
    assert (SHIPPED.truth(cell), SHIPPED.consent(cell)) == (None, None)


@pytest.mark.parametrize(
    "cell", ["2", "maybe", "nope!", "x", "yes and no", "-1", "1.5", "nan", "inf", "?", "是否", "opt"]
)
def test_anything_else_cannot_be_read(cell: str) -> None:
    with pytest.raises(ValueError, match="true or false"):
        SHIPPED.truth(cell)
    with pytest.raises(ValueError, match="true or false"):
        SHIPPED.consent(cell)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        (way, name)
        for name, one in CHANNELS.items()
        for word in (name, *one.spellings, *one.label)
        for way in ways(word)
    ],
)
def test_a_channel_is_known_by_every_spelling(word: str, name: str) -> None:
    assert SHIPPED.channel(word) == name


def test_a_word_for_no_channel_counts_on_every_channel() -> None:
    assert SHIPPED.channel("fax") is None
    assert SHIPPED.channel_or_unknown("fax") == UNKNOWN_CHANNEL
    assert [SHIPPED.channel_or_unknown(one) for one in (None, "phone", "Phone", "语音")] == [
        None,
        "phone",
        "phone",
        "phone",
    ]


def test_a_word_stands_for_one_channel_and_one_need_only() -> None:
    for table in (CHANNELS, NEEDS):
        words = [fold(word) for name, one in table.items() for word in {name, *map(fold, (*one.spellings, *one.label))}]
        assert sorted(words) == sorted(set(words))


COMPLAINTS = (COMPLAINT, *NEEDS[COMPLAINT].spellings, *NEEDS[COMPLAINT].label)


@pytest.mark.parametrize("word", [way for one in COMPLAINTS for way in ways(one)])
def test_a_complaint_is_one_however_it_is_written(word: str) -> None:
    assert SHIPPED.need(word) == COMPLAINT
    assert SHIPPED.is_complaint(word)


@given(st.sampled_from(COMPLAINTS), WAYS, st.sampled_from(["", "card ", "理财亏损 ", "Re: ", "2nd "]),
       st.sampled_from([" about fees", "：理财亏损", " - escalated", "　理财亏损", "/ombudsman", "!!"]))  # fmt: skip
def test_a_complaint_among_other_words_is_one(word: str, way: object, before: str, behind: str) -> None:
    assert callable(way)
    assert SHIPPED.is_complaint(f"{before}{way(word)}{behind}")


@given(st.integers(0, 8), st.sampled_from("abcdefghijklmnopqrstuvwxyz"), st.integers(0, 3))
def test_a_complaint_with_one_letter_wrong_is_one(place: int, letter: str, what: int) -> None:
    word = "complaint"
    wrong = [
        word[:place] + letter + word[place:],
        word[:place] + word[place + 1 :],
        word[:place] + letter + word[place + 1 :],
        word[:place] + word[place + 1 : place + 2] + word[place : place + 1] + word[place + 2 :],
    ][what]
    assert SHIPPED.is_complaint(wrong)
    assert is_misspelled(wrong, word)


@pytest.mark.parametrize("word", [name for name, need in NEEDS.items() if name != COMPLAINT] + [
    "card lost", "挂失", "company", "compliance", "plain question", "投资", "credit card", "不满足条件", "",
])  # fmt: skip
def test_other_reasons_are_no_complaints(word: str) -> None:
    assert not SHIPPED.is_complaint(word)


OTHER_COMPLAINTS = [
    "投 诉", "投.诉", "投\u200b诉", "投\n诉", "我要投 诉！", "Жалобы", "жалобу подать", "gréivance",
    "Reklamation zur Karte", "klagomål", "skarga na bank", "şikayet", "شكوى", "민원", "举报", "信访", "不满意",
    "DISSATISFIED",
]  # fmt: skip


@pytest.mark.parametrize("word", OTHER_COMPLAINTS)
def test_a_complaint_is_one_in_other_scripts_and_with_marks_between(word: str) -> None:
    assert SHIPPED.is_complaint(word)


def test_a_reason_nobody_named_stays_as_it_is_written_and_is_unknown() -> None:
    assert SHIPPED.need("  rate   of  exchange ") == "rate of exchange"
    assert not SHIPPED.is_known_need("rate of exchange")
    assert SHIPPED.is_known_need("card lost")


@pytest.mark.parametrize(
    ("word", "name"),
    [(way, name) for name in Direction for way in ways(name)]
    + [("呼入", "inbound"), ("Outgoing", "outbound"), ("外呼", "outbound"), ("IN", "inbound")],
)
def test_a_direction_is_known_by_its_spellings(word: str, name: str) -> None:
    assert SHIPPED.direction(word) == name


@pytest.mark.parametrize("name", [*InteractionKind])
def test_events_and_kinds_are_known_by_their_names(name: InteractionKind) -> None:
    assert all(SHIPPED.event(way) == name for way in ways(name))
    assert (SHIPPED.event("拒绝"), SHIPPED.event("Purchased"), SHIPPED.event("gift")) == ("declined", "accepted", None)
    assert (SHIPPED.customer_kind("Lead"), SHIPPED.customer_kind("客户")) == (
        CustomerKind.PROSPECT,
        CustomerKind.CUSTOMER,
    )


HEADERS = [
    *((way, flag) for flag in DELIVERED_FLAGS for word in (flag, *FLAGS[flag].headers) for way in ways(word)),
    *((way, column) for column, purpose in CONSENT_COLUMNS.items() for word in (column, *CONSENT_HEADERS[purpose])
      for way in ways(word)),
]  # fmt: skip


@pytest.mark.parametrize(("header", "column"), HEADERS)
def test_a_column_that_protects_is_known_by_every_spelling(header: str, column: str) -> None:
    assert SHIPPED.column(header) == column


@pytest.mark.parametrize(
    "header", ["consent_sms", "GDPR ok", "opt-in push", "投诉次数", "是否退订", "do not mail", "DNC list"]
)
def test_a_column_that_nobody_knows_but_sounds_protective_is_noticed(header: str) -> None:
    assert looks_protective(header)
    assert SHIPPED.column(header) == header


@pytest.mark.parametrize(
    "header", ["age", "branch", "city", "option_value", "topic", "收入", "permissible", "contact_count"]
)
def test_other_columns_are_left_alone(header: str) -> None:
    assert not looks_protective(header)


def test_the_flag_for_what_could_not_be_read_is_no_column() -> None:
    assert SHIPPED.column(UNREADABLE) == UNREADABLE
    assert UNREADABLE not in DELIVERED_FLAGS


BANK = {
    "channels": {"phone": ["Telebanking"], "kiosk": {"label": {"en": "Kiosk", "zh": "自助机"}, "self_service": True}},
    "reasons": {
        "wealth_loss": {"spellings": ["理财亏损"], "complaint": True, "days": 30},
        "regulatory": {"spellings": ["compliant"]},
        "complaint": ["Reklamation"],
    },
    "intents": {"travel": ["Urlaub"]},
    "truth": {"true": ["gesperrt"], "false": ["frei"]},
}


def test_a_banks_own_words_stand_beside_what_ships() -> None:
    words = words_of(canonical_words(BANK))
    assert (words.channel("TELEBANKING"), words.channel("自助机"), words.channel("voice")) == (
        "phone",
        "kiosk",
        "phone",
    )
    assert words.channels["kiosk"].is_self_service
    assert (words.need("urlaub"), words.need("出行")) == ("travel", "travel")
    assert (words.truth("Gesperrt"), words.truth("FREI"), words.truth("是")) == (True, False, True)


def test_a_bank_says_which_reasons_are_complaints_and_for_how_long() -> None:
    words = words_of(canonical_words(BANK))
    assert words.is_complaint("理财亏损")
    assert words.is_complaint("客户反映理财亏损严重")
    assert (words.complaint_days("wealth_loss"), words.complaint_days("complaint")) == (30, None)
    assert words.is_complaint("Reklamation!")
    assert not words.is_complaint("compliant"), "a word the bank gave another meaning"


def test_the_words_are_part_of_the_policys_version_and_come_back_as_they_were() -> None:
    policy = parse_policy({"vocabulary": BANK})
    assert policy.version != Policy().version
    assert parse_policy(policy.document()) == policy
    assert parse_policy({"sales_cap": 3}, policy).words == policy.words
    assert Policy().version == parse_policy({"vocabulary": {}}).version == parse_policy({"vocabulary": ""}).version


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"chanels": {}}, "vocabulary.chanels"),
        ({"x": {"a": 1}}, "vocabulary.x"),
        ([1], "vocabulary"),
        ("{", "vocabulary"),
        ({"channels": {"phone": "voice"}}, "channels.phone"),
        ({"channels": {"Pop Up": []}}, "channels.Pop Up"),
        ({"channels": {"kiosk": {"live": "yes"}}}, "channels.kiosk.live"),
        ({"channels": {"kiosk": {"colour": 1}}}, "channels.kiosk.colour"),
        ({"channels": {"phone": ["app"]}}, "vocabulary"),
        ({"channels": {"a": ["same"], "b": ["Same"]}}, "vocabulary"),
        ({"reasons": {"complaint": {"complaint": False}}}, "reasons.complaint"),
        ({"reasons": {"x": {"complaint": True, "days": 0}}}, "reasons.x.days"),
        ({"reasons": {"x": {"days": 3}}}, "reasons.x.days"),
        ({"reasons": {"x": {"complaint": "yes"}}}, "reasons.x.complaint"),
        ({"reasons": {"x": [1]}}, "reasons.x"),
        ({"reasons": {"x": [""]}}, "reasons.x"),
        ({"reasons": {"": ["y"]}}, "reasons"),
        ({"truth": {"maybe": ["x"]}}, "truth"),
        ({"truth": {"true": "x"}}, "truth.true"),
    ],
)
def test_words_that_cannot_be_used_are_refused_by_name(document: object, where: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        parse_policy({"vocabulary": document})
    assert where in caught.value.field

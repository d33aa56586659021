"""What the agent's page makes of a contact."""

from typing import Any

import pytest

from recsys.domain.protection import FLAGS
from serving.consoles import agent_view
from serving.contacts.schemas import ContactBody, ContactEventBody, ContactView, CustomerBody, PastAnswerBody
from serving.decisions.schemas import DecisionBody, HeldBackBody, OfferBody, ReasonBody
from tests.builders import NOW


def an_offer_body(**changes: Any) -> OfferBody:
    known = {"offer_id": "card", "position": 1, "title": "Gold card", "kind": "product", "family": "card"}
    texts = {"talk_track": "", "disclosure": "", "terms": {}, "reasons": []}
    figures = {"relevance": 0, "propensity": 0.2, "net_value": 1, "priority": 1, "selection_probability": 1}
    return OfferBody.model_validate({**known, **texts, **figures, **changes})


def a_decision(**changes: Any) -> DecisionBody:
    known = {"decision_id": "d1", "contact_id": "k1", "customer_id": "c1", "sequence": 4, "made_at": NOW}
    lists = {"offers": [], "held_back": [], "no_offer": True, "degraded": False, "degraded_reasons": []}
    versions = {"model_version": "m", "catalogue_version": "c", "policy_version": "p", "feature_age_seconds": None}
    return DecisionBody.model_validate({**known, **lists, **versions, **changes})


def a_contact_body(**changes: Any) -> ContactBody:
    known = {"contact_id": "k1", "customer_id": "c1", "status": "live", "channel": "phone", "direction": "inbound"}
    empty = dict.fromkeys(("reason", "sentiment", "closed_at", "csat", "continues"))
    return ContactBody.model_validate({**known, **empty, "agent_id": "me", "opened_at": NOW, **changes})


def a_customer_body(**changes: Any) -> CustomerBody:
    known = {"customer_id": "c1", "kind": "customer", "attributes": {}, "consents": {}}
    flags = dict.fromkeys(FLAGS, False)
    empty = dict.fromkeys(("name", "language", "segment", "risk_level", "open_complaint_since"))
    lists: dict[str, Any] = {"products": [], "answers": [], "contacts": []}
    return CustomerBody.model_validate({**known, **flags, **empty, **lists, **changes})


def an_event(sequence: int, **changes: Any) -> ContactEventBody:
    empty = dict.fromkeys(("intent", "sentiment", "text", "agent_id"))
    known = {"sequence": sequence, "type": "note", "occurred_at": NOW, "confidence": 1.0}
    return ContactEventBody.model_validate({**empty, **known, **changes})


def a_view(*events: ContactEventBody, **changes: Any) -> ContactView:
    known = {"contact": a_contact_body(), "customer": a_customer_body(), "decision": a_decision(), "events": events}
    return ContactView.model_validate({**known, **changes})


def a_reason(code: str, contribution: float) -> ReasonBody:
    return ReasonBody(code=code, text=code, contribution=contribution)


@pytest.mark.parametrize(
    ("chance", "band"), [(0.25, "strong"), (0.249, "good"), (0.1, "good"), (0.099, "fair"), (0, "fair")]
)
def test_fit_is_a_band(chance: float, band: str) -> None:
    assert agent_view.fit(chance) == band


def test_reasons_are_the_three_strongest_that_speak_for_this_offer() -> None:
    reasons = [
        a_reason("offer_base", 9), a_reason("good_mood", 8), a_reason("relevance", 7), a_reason("chosen_with", 0.2),
        a_reason("asked_about", 1.5), a_reason("chosen_with", -1), a_reason("popular", 0.04), a_reason("popular", 0.05),
        a_reason("popular", 0.06),
    ]  # fmt: skip
    shown = agent_view.plain_reasons(an_offer_body(reasons=reasons))
    assert [one.contribution for one in shown] == [1.5, 0.2, 0.06]


def test_the_general_fit_is_said_where_nothing_particular_is_known() -> None:
    shown = agent_view.plain_reasons(an_offer_body(reasons=[a_reason("relevance", 0.4)]))
    assert [one.code for one in shown] == ["relevance"]


def test_a_trial_is_always_told_and_last() -> None:
    reasons = [a_reason("explored", 0.0), *(a_reason("chosen_with", 0.1 * number) for number in range(1, 6))]
    shown = agent_view.plain_reasons(an_offer_body(reasons=reasons))
    assert [one.code for one in shown] == ["chosen_with", "chosen_with", "chosen_with", "explored"]


def test_the_mood_has_a_level_a_trend_and_a_line() -> None:
    heard = (an_event(1, sentiment=-0.5), an_event(3, sentiment=0.2))
    mood = agent_view.mood(a_view(*heard, contact=a_contact_body(sentiment=0.2)))
    assert mood == agent_view.Mood("mood_good", "rising", "2.0,12.5 62.0,7.6")


def test_a_mood_that_nobody_heard_is_not_made_up() -> None:
    assert agent_view.mood(a_view()).level == "mood_unknown"


def test_the_stream_goes_on_after_the_newest_thing_shown() -> None:
    assert agent_view.sequence(a_view(an_event(3), an_event(6))) == 6
    assert agent_view.sequence(a_view(an_event(3))) == 4


def test_intents_are_listed_once_the_newest_first() -> None:
    events = (an_event(1, intent="travel"), an_event(2, intent="fees"), an_event(3, intent="travel"))
    assert agent_view.heard_intents(events) == ["travel", "fees"]


def test_earlier_agents_are_those_before_the_present_one() -> None:
    assert agent_view.earlier_agents(a_view(an_event(1, agent_id="li"), an_event(2, agent_id="me"))) == ["li"]


def test_the_agent_of_the_contact_that_this_one_continues_held_it_before() -> None:
    chat = a_contact_body(contact_id="chat", agent_id="li", closed_at=NOW)
    view = a_view(contact=a_contact_body(continues="chat"), customer=a_customer_body(contacts=[chat]))
    assert agent_view.earlier_agents(view) == ["li"]
    assert agent_view.last_contact(view) == chat


def test_the_note_is_that_of_the_latest_hand_over() -> None:
    handed = [an_event(number, type="handoff", text=text) for number, text in enumerate(("first", "second"), start=1)]
    assert agent_view.handover_note(a_view(*handed, an_event(3, text="something heard"))) == "second"
    assert agent_view.handover_note(a_view(*handed, an_event(3, type="handoff", text=None))) is None
    assert agent_view.handover_note(a_view()) is None


def test_the_last_contact_is_the_latest_that_has_ended() -> None:
    contacts = [
        a_contact_body(),
        a_contact_body(contact_id="elsewhere"),
        a_contact_body(contact_id="last", closed_at=NOW),
        a_contact_body(contact_id="older", closed_at=NOW),
    ]
    found = agent_view.last_contact(a_view(customer=a_customer_body(contacts=contacts)))
    assert found is not None
    assert found.contact_id == "last"
    assert agent_view.last_contact(a_view()) is None


def held(offer_id: str, code: str) -> HeldBackBody:
    return HeldBackBody(offer_id=offer_id, title=offer_id.title(), code=code, text=f"because {code}")


def test_held_back_offers_are_counted_by_reason() -> None:
    decision = a_decision(held_back=[held("a", "not_eligible"), held("b", "arrears"), held("c", "not_eligible")])
    assert [(one.code, one.count) for one in agent_view.held_back_groups(decision)] == [
        ("not_eligible", 2),
        ("arrears", 1),
    ]


def test_what_stops_all_sales_is_named() -> None:
    stop = agent_view.sales_stop(a_decision(held_back=[held("a", "not_eligible"), held("b", "complaint_open")]))
    assert stop is not None
    assert stop.text == "because complaint_open"
    assert agent_view.sales_stop(a_decision(held_back=[held("a", "not_eligible")])) is None


def test_why_not_searches_titles_and_ids_without_case() -> None:
    decision = a_decision(offers=[an_offer_body()], held_back=[held("loan", "arrears"), held("gold_loan", "arrears")])
    suggested, held_back, more = agent_view.why_not(decision, " GOLD ")
    assert ([one.offer_id for one in suggested], [one.offer_id for one in held_back], more) == (
        ["card"],
        ["gold_loan"],
        0,
    )


def test_why_not_says_how_many_more_there_are() -> None:
    decision = a_decision(held_back=[held(f"card{number}", "arrears") for number in range(12)])
    _, held_back, more = agent_view.why_not(decision, "card")
    assert (len(held_back), more) == (8, 4)


def test_recent_history_mixes_contacts_and_answers_and_leaves_this_contact_out() -> None:
    answer = PastAnswerBody(offer_id="card", title="Gold card", answer="declined", answered_at=NOW)
    contacts = [a_contact_body(), a_contact_body(contact_id="k0", opened_at=NOW.replace(day=2), channel="email")]
    entries = agent_view.recent(a_customer_body(answers=[answer], contacts=contacts), "k1")
    assert [one.channel for one in entries] == ["email", None]


def test_a_degraded_decision_says_once_what_it_did_without() -> None:
    decision = a_decision(degraded_reasons=["features_unavailable", "no_model", "features_timeout"])
    assert agent_view.degraded_words(decision) == ["degraded_features", "degraded_no_model"]

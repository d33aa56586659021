"""How decisions do over time: figures against values computed by hand, and read from a real event log."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from serving.models.monitored import Answered, Decided, by_period, judged, period_of
from serving.models.monitoring import calibration, coverage, drift, over_time, share
from tests.serving.test_contacts import open_contact

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


def an_answer(accepted: bool, propensity: float = 0.5, version: str = "declared", days: float = 0) -> Answered:
    return Answered(MONDAY + timedelta(days=days), version, propensity, float(accepted))


def a_decision(*shown: str, days: float = 0, contact_id: str = "k1", **changes: Any) -> Decided:
    known = {"is_degraded": False, "is_explored": False, "signals": {"age": 30.0}, "is_refused": False}
    return Decided(MONDAY + timedelta(days=days), contact_id, shown, **{**known, **changes})


def contacts(ages: list[float], days: float) -> list[Decided]:
    return [
        a_decision(
            "card", days=days, contact_id=f"{days}/{place}", signals={"age": age, "propensity": 0.2, "relevance": 1}
        )
        for place, age in enumerate(ages)
    ]


def test_a_share_has_its_wilson_interval() -> None:
    found = share(8, 10)  # (.8 + 1.9208/10 ± 1.96 √(.016 + .009604)) / 1.38416, the textbook's [.490, .943]
    assert (found.share, found.low, found.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert share(0, 0).share is None


def test_calibration_is_counted_in_tenths_and_its_error_is_the_mean_gap() -> None:
    rows = [an_answer(number < 60, 0.8) for number in range(100)] + [
        an_answer(number < 20, 0.2) for number in range(100)
    ]
    (found,) = calibration(rows)
    assert [one.predicted for one in found.deciles] == pytest.approx([0.2, 0.8])
    assert [(one.share, one.rows) for one in found.deciles] == [(0.2, 100), (0.6, 100)]
    assert found.error == pytest.approx(0.1)  # (0 · 100 + .2 · 100) / 200
    assert (found.answers, found.accepted, found.verdict) == (200, 80, "off")


def test_chances_that_come_true_are_told_from_those_that_do_not_whatever_the_sample_size() -> None:
    rng = np.random.default_rng(1)
    chances = rng.uniform(0.05, 0.6, 150)
    found = calibration([an_answer(bool(rng.random() < chance), float(chance)) for chance in chances])
    assert found[0].error > found[0].bound
    assert found[0].verdict == "true"


def test_each_version_is_judged_by_its_own_answers_and_none_by_few() -> None:
    rows = (
        [an_answer(True, 1.0, "q-old")] * 100 + [an_answer(False, 0.5, "q-new", days=1)] * 100 + [an_answer(True)] * 99
    )
    assert [(one.propensity_version, one.verdict) for one in calibration(rows)] == [("q-new", "off"), ("q-old", "true")]


def test_coverage_counts_the_offers_of_the_catalogue_and_the_sorts_of_decisions() -> None:
    rows = [
        a_decision("card", "loan"),
        a_decision("card", is_explored=True),
        a_decision(is_degraded=True),
        a_decision("gone"),
    ]
    found = coverage(rows, ["card", "loan", "fund", "travel"])
    assert (found.catalogue, found.offers_shown) == (4, 2)
    assert found.gini == pytest.approx(7 / 12)  # shown 0, 0, 1, 2: (−3·0 −1·0 +1·1 +3·2) / (4 · 3)
    assert [one.share for one in (found.no_offer, found.degraded, found.explored)] == [0.25, 0.25, 0.25]


@pytest.mark.parametrize(("days", "period"), [(0.01, "hour"), (0.5, "hour"), (3, "day"), (14, "week")])
def test_the_period_is_the_longest_of_which_there_are_three(days: float, period: str) -> None:
    assert period_of([a_decision(), a_decision(days=days)]) == period


def test_a_week_begins_on_monday() -> None:
    assert list(by_period([a_decision(days=6.9), a_decision(days=7)], "week")) == [MONDAY, MONDAY + timedelta(days=7)]


def test_every_period_has_its_acceptance_and_its_decisions() -> None:
    decided = by_period([a_decision("card"), a_decision(days=1)], "day")
    answered = by_period([an_answer(True), an_answer(False), an_answer(True, days=2)], "day")
    found = over_time(decided, answered)
    assert [(one.decisions, one.acceptance.rows, one.acceptance.share) for one in found] == [
        (1, 2, 0.5),
        (1, 0, None),
        (0, 1, 1),
    ]


def test_what_has_moved_is_told_from_what_has_not() -> None:
    ages = [float(age) for age in range(20, 70)] * 5
    rows = [*contacts(ages, 0), *contacts(ages[::-1], 7), *contacts([age + 30 for age in ages], 14)]
    rows = [*rows, *contacts([30.0] * 50, 21)]  # too few to say anything
    found = drift(by_period(rows, "week"))
    assert found is not None
    assert (found.reference, found.current) == (MONDAY, MONDAY + timedelta(days=14))
    assert [(one.signal, one.verdict) for one in found.signals] == [("age", "drifted")]
    assert [one.propensity for one in found.over_time] == pytest.approx([0.0, 0.0])


def test_a_single_period_says_nothing_of_drift() -> None:
    assert drift(by_period(contacts([30.0] * 300, 0), "week")) is None


def test_a_contact_counts_once_by_its_last_decision_with_signals() -> None:
    rows = [
        a_decision("card"),
        a_decision("loan"),
        a_decision("fund", contact_id="k2"),
        a_decision(contact_id="k3", signals={}),
    ]
    assert [one.shown for one in judged(rows)] == [("loan",), ("fund",)]


def test_monitoring_reads_decisions_and_answers_over_http(api: TestClient) -> None:
    for number in range(3):
        opened = open_contact(api, customer_id=f"c{number}")
        answer = {"decision_id": opened["decision"]["decision_id"], "offer_id": "card", "answer": "declined"}
        assert api.post("/v1/outcomes", json=answer, headers={"idempotency-key": f"k{number}"}).status_code == 201
    found = api.get("/v1/models/monitoring").json()
    assert found["decisions"] == {"total": 6, "looked_at": 6}  # an answer is followed by the next decision
    assert found["answers"] == {"total": 3, "looked_at": 3}
    assert found["over_time"][0]["acceptance"]["share"] == 0
    assert found["coverage"]["degraded"]["share"] == 1
    assert (found["calibration"], found["drift"], found["period"]) == ([], None, "hour")


def test_who_refused_profiling_counts_for_coverage_alone(api: TestClient) -> None:
    opened = open_contact(api, customer_id="c1")
    answer = {"decision_id": opened["decision"]["decision_id"], "offer_id": "card", "answer": "declined"}
    api.post("/v1/outcomes", json=answer, headers={"idempotency-key": "k"})
    refused = api.post("/v1/customers/c1/consents", json={"purpose": "profiling", "granted": False})
    assert refused.status_code == 201
    open_contact(api, customer_id="c1")
    found = api.get("/v1/models/monitoring").json()
    assert found["answers"] == {"total": 1, "looked_at": 0}
    # a list a contact, one after the answer, and one after the refusal, which the open contact is told at once
    assert (found["decisions"]["looked_at"], found["refused_profiling"]) == (4, 2)


def test_nothing_decided_is_no_figure(empty_api: TestClient) -> None:
    found = empty_api.get("/v1/models/monitoring").json()
    assert found["decisions"] == {"total": 0, "looked_at": 0}
    assert (found["over_time"], found["coverage"]["no_offer"]["share"]) == ([], None)

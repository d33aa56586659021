"""Rows from answered offers: what counts, what is left out, and who is never fitted on."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from features.from_events import interaction_features, with_ages
from features.offline import features_of_export
from features.service_names import PROPENSITY_SERVICE
from recsys.domain.contact import Contact
from recsys.domain.customer import Customer
from recsys.domain.errors import ImportInvalid
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.outcome import Answer
from recsys.domain.protection import Purpose, Statement
from recsys.ranking.signals import is_of_contact, shared_signals
from recsys.storage.database import Database, open_database
from tests.builders import NOW, a_situation
from tests.features.exported import Given as FeatureGiven
from tests.features.exported import write_export
from tests.training.answers import Given, a_logistic_world, answered, record
from training.propensity_data import AnsweredRows, is_in_evaluation, read_answers, through_feast

MICROSECOND = timedelta(microseconds=1)
SIGNALS: dict[str, Any] = {"base_log_odds": -2.0, "relevance": 0.5}
ENOUGH = [
    Given(f"c{n}", n, {**SIGNALS, "age": float(n)}, Answer.ACCEPTED if n % 4 == 0 else Answer.DECLINED)
    for n in range(600)
]


def nothing_known(customer_ids: Sequence[str], moments: Sequence[datetime]) -> dict[str, NDArray[np.float64]]:
    """What Feast says of customers who are not in the export."""
    return {}


def read(*more: Given) -> AnsweredRows:
    return read_answers(answered(*ENOUGH, *more), "none", nothing_known)


def test_yes_is_one_no_and_later_are_zero_and_what_was_not_pitched_is_no_row() -> None:
    said = [Answer.ACCEPTED, Answer.DECLINED, Answer.LATER, Answer.NOT_PITCHED]
    rows = read(*(Given("c", 1_000 + n, SIGNALS, answer) for n, answer in enumerate(said)))
    assert rows.answers[600:].tolist() == [1.0, 0.0, 0.0]


def test_the_last_answer_to_an_offer_of_a_decision_is_the_one() -> None:
    later, yes = (Given("c", hour, SIGNALS, answer, decision="d") for hour, answer in
                  ((1_000, Answer.LATER), (1_001, Answer.ACCEPTED)))  # fmt: skip
    rows = read(later, Given("c", 1_000.5, SIGNALS), yes)
    assert rows.answers[600:].tolist() == [0.0, 1.0]
    assert len(read(later, Given("c", 1_001, SIGNALS, decision="d", offer="loan"))) == 602


def test_signals_are_the_union_of_what_was_logged_and_unknown_where_they_were_not() -> None:
    rows = read(Given("c", 1_000, {**SIGNALS, "is_service": True, "sentiment": None}), Given("d", 1_001, SIGNALS))
    assert rows.signals == ("base_log_odds", "relevance", "age", "is_service")
    np.testing.assert_array_equal(rows.table[600:], [[-2.0, 0.5, np.nan, 1.0], [-2.0, 0.5, np.nan, np.nan]])


def test_who_refused_profiling_then_and_decisions_without_signals_are_left_out_and_counted() -> None:
    rows = read(Given("c", 1_000, SIGNALS, profiling=False), Given("c", 1_001, {}), Given("c", 1_002, SIGNALS))
    assert len(rows) == 601
    assert {what: count for what, count in rows.left_out.items() if count} == {
        "who refused profiling": 1,
        "without logged signals": 1,
    }


@pytest.mark.parametrize(("given", "said"), [(ENOUGH[:400], "400 matured answers"), ([], "0 matured answers"),
                                             (ENOUGH[1::2] * 2, "0 of them accepted")])  # fmt: skip
def test_too_few_answers_say_how_many_there_are_and_are_needed(given: list[Given], said: str) -> None:
    with pytest.raises(ImportInvalid, match=f"{said}.*500 are needed, 30 of each kind"):
        read_answers(answered(*given), "none", nothing_known)


def test_the_person_is_read_through_feast_as_of_the_decision_and_the_contact_as_it_was_logged(tmp_path: Path) -> None:
    declined, changed = NOW - timedelta(days=3), NOW - timedelta(days=2)
    old, new = (
        Customer("c", risk_level=risk, attributes={"age": age, "owner": True}) for risk, age in ((1, 40), (4, 41))
    )
    given = FeatureGiven(
        new,
        history=(Interaction("c", "loan", declined, InteractionKind.DECLINED),),
        versions=((NOW - timedelta(days=9), old), (changed, new)),
    )
    write_export(tmp_path, [given], NOW)
    moments = [declined - MICROSECOND, declined, changed - MICROSECOND, changed]
    asked = answered(*ENOUGH, *(Given("c", 1_000 + n, SIGNALS) for n in range(len(moments))))
    logged = {"sentiment": -0.5, "channel_app": 1.0, "age": 7.0, "declined_count_90d": 7.0, "forgotten": 7.0}
    for one, made_at in zip(asked[-4:], moments, strict=True):
        one.record.update(made_at=made_at.isoformat(), signals=logged)
    with features_of_export(tmp_path, NOW, service=PROPENSITY_SERVICE) as features:
        rows = read_answers(asked, "none", through_feast(features))
    found = {name: rows.table[-4:, place].tolist() for place, name in enumerate(rows.signals)}
    assert found["risk_level"] == [1, 1, 1, 4]
    assert found["declined_count_90d"] == [pytest.approx(np.nan, nan_ok=True), 1, 1, 1]
    assert found["days_since_last_answer"][1:] == pytest.approx([0, 1, 1], abs=1e-9)
    assert (found["sentiment"], found["channel_app"], "forgotten" in found) == ([-0.5] * 4, [1] * 4, False)
    assert rows.signals[:2] == ("base_log_odds", "relevance")
    assert found["age"] == [40, 40, 40, 41]


def test_no_row_knows_its_own_answer_even_if_a_clock_stood_still() -> None:
    seen: list[datetime] = []

    def noted(customer_ids: Sequence[str], moments: Sequence[datetime]) -> dict[str, NDArray[np.float64]]:
        seen.extend(moments)
        return {}

    asked = answered(*ENOUGH)
    for one in asked:
        one.record["made_at"] = one.recorded_at.isoformat()
    read_answers(asked, "none", noted)
    assert all(moment < one.recorded_at for moment, one in zip(seen, asked, strict=True))


def test_every_signal_of_a_person_that_feast_gives_is_one_that_decisions_have(tmp_path: Path) -> None:
    customer = Customer("c", segment="gold", risk_level=2, attributes={"age": 40.0, "owner": True, "city": "上海"})
    at = NOW - timedelta(days=3)
    history = (Interaction("c", "loan", at, InteractionKind.ACCEPTED),)
    contacts = (Contact("k", "c", at, sentiment=0.5, is_complaint=True),)
    write_export(tmp_path, [FeatureGiven(customer, history=history, contacts=contacts)], at)
    with features_of_export(tmp_path, NOW, service=PROPENSITY_SERVICE) as features:
        offline = through_feast(features)(["c"], [NOW])
    online = with_ages(interaction_features(history, (), contacts, NOW), NOW)
    situation = a_situation(customer=customer, features=online, made_at=NOW)
    served = shared_signals(situation, profiled=True, channels=())
    assert {name: pytest.approx(values[0]) for name, values in offline.items()} == {
        name: value for name, value in served.items() if not is_of_contact(name)
    }


def test_the_evaluation_slice_is_five_percent_of_customers_and_always_the_same() -> None:
    names = [f"customer {n}" for n in range(20_000)]
    assert 0.045 < np.mean([is_in_evaluation(name) for name in names]) < 0.055
    assert [place for place in range(60) if is_in_evaluation(names[place])] == [13, 22, 24, 28, 39]


def test_the_log_gives_answers_in_time_order_up_to_a_moment(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    world = [Given("c1", 3, SIGNALS), Given("c2", 1, SIGNALS, Answer.ACCEPTED), Given("c1", 9, SIGNALS)]
    record(database, world)
    with database.read() as log:
        found = list(log.answered_offers(NOW + timedelta(hours=5)))
    database.close()
    assert [(one.record["customer_id"], one.answer) for one in found] == [("c2", "accepted"), ("c1", "declined")]
    assert found[0].record["offers"][0]["signals"] == SIGNALS


def test_whoever_refuses_profiling_now_is_in_no_answer_of_the_log(database: Database) -> None:
    record(database, [Given("c1", 1, SIGNALS), Given("c2", 2, SIGNALS)])
    with database.transaction() as log:
        for name, granted in (("c1", False), ("c2", True)):
            log.add_statement(name, Statement(Purpose.PROFILING, not granted, NOW, NOW, "app"))
            log.add_statement(name, Statement(Purpose.PROFILING, granted, NOW, NOW, "app"))
    with database.read() as log:
        assert [one.record["customer_id"] for one in log.answered_offers(NOW + timedelta(days=1))] == ["c2"]


def test_a_log_of_thousands_is_read_whole(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    record(database, a_logistic_world(2_100))
    with database.read() as log:
        rows = read_answers(log.answered_offers(NOW + timedelta(days=900)), "none", nothing_known)
    database.close()
    assert len(rows) == 2_100
    assert list(rows.moments) == sorted(rows.moments)


def test_what_another_relevance_version_decided_is_left_out_and_counted() -> None:
    others = [replace(one, model="m-other") for one in ENOUGH[:40]]
    rows = read_answers(answered(*ENOUGH, *others), "none", nothing_known)
    assert (len(rows), rows.relevance) == (len(ENOUGH), "none")
    assert rows.left_out["to decisions of another relevance version"] == 40
    with pytest.raises(ImportInvalid, match=r"another relevance version\).*--relevance V, V scores again"):
        read_answers(answered(*ENOUGH, *others), "m-other", nothing_known)


def test_a_feature_is_held_against_the_tables_only_in_the_decisions_that_it_was_served_to() -> None:
    served = answered(*ENOUGH)
    for number, one in enumerate(served):
        told = {"salary_paid": 7.0 if number < 590 else None} if number >= 400 else {}
        one.record.update(format=4, degraded_reasons=[], signals={"channel_phone": 1.0, **told})
        one.record["inputs"] |= {"features": {}, "profile": {"segment": "gold"}, "own": told}

    def known(customer_ids: Sequence[str], moments: Sequence[datetime]) -> dict[str, NDArray[np.float64]]:
        return {"salary_paid": np.full(len(moments), 7.0)}

    (found,) = [one for one in read_answers(served, "none", known).skew if one.pairs]
    assert (found.feature, found.decisions, found.pairs, found.joined_only) == ("salary_paid", 200, 200, 10)
    assert found.is_skewed
    for one in served[590:]:
        one.record["inputs"]["own"] = {}
        one.record["signals"] = {"channel_phone": 1.0}
    (found,) = [one for one in read_answers(served, "none", known).skew if one.pairs]
    assert (found.decisions, found.different) == (190, 0)

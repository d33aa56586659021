"""What decisions are told is what the tables say of the same moments, and is not where a part is taken away."""

from collections.abc import Mapping

import pytest

from features.skew import SkewReport
from recsys.domain.customer import AttributeValue
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.storage.event_log import EventLog
from serving.contacts.situation import FeaturesRead, Person
from serving.models.feature_skew import feature_skew, latest_report
from tests.serving.test_served_features import CUSTOMERS, Bank, add_events, bank, filled, server

__all__ = ["bank", "filled", "server"]


def something_happens(bank: Bank) -> None:
    """Let everybody accept something of which nothing is pushed, and come back."""
    for number in range(CUSTOMERS):
        customer_id = f"c{number}"
        now = bank.services.clock()
        with bank.services.database.transaction(customer_id) as log:
            add_events(log, [Interaction(customer_id, "o3", now, InteractionKind.ACCEPTED)])
        assert not bank.decide(customer_id)["degraded_reasons"]


def skew_of(bank: Bank) -> SkewReport:
    bank.fill()
    gateway = bank.services.features.gateway
    return feature_skew(bank.services.settings, bank.services.database, gateway, bank.services.clock)


def test_decisions_are_told_what_the_tables_say(filled: Bank) -> None:
    something_happens(filled)
    report = skew_of(filled)
    assert report.decisions >= CUSTOMERS
    assert {one.feature for one in report.features} >= {"accepted_count_365d", "last_answer", "age", "segment"}
    assert [one for one in report.features if one.different] == []
    assert latest_report(filled.services.settings) == report


def test_without_the_log_they_are_told_something_else(filled: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    def as_served(
        self: FeaturesRead, log: EventLog, person: Person, history: object, now: object
    ) -> tuple[Mapping[str, AttributeValue], float | None]:
        return self.values, self.age_seconds

    before = {one.feature for one in skew_of(filled).features if one.different}
    monkeypatch.setattr(FeaturesRead, "of_events", as_served)
    something_happens(filled)
    after = {one.feature for one in skew_of(filled).features if one.different}
    assert {"accepted_count_365d", "days_since_last_accepted"} <= after - before

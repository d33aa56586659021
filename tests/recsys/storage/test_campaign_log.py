"""Campaigns come back as they were saved, and every change of them is in the audit."""

from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest

from recsys.domain.errors import CampaignNotFound
from recsys.storage.campaign_log import SavedChange, SavedEpoch
from recsys.storage.database import Database
from tests.builders import NOW
from tests.experiments.plans import a_saved_campaign

LATER = NOW + timedelta(days=1)
HALVES = {"control": 0.5, "pushed": 0.5}


def test_a_campaign_comes_back_with_its_epochs(database: Database) -> None:
    campaign = a_saved_campaign()
    epochs = (SavedEpoch(1, HALVES, NOW, "launch", "li"), SavedEpoch(2, {"control": 1.0}, LATER, "by hand", "li"))
    with database.transaction() as log:
        log.add_campaign(campaign)
        log.add_campaign_epoch("k1", epochs[0], None)
        log.add_campaign_epoch("k1", epochs[1], HALVES)
    with database.read() as log:
        assert log.campaign("k1") == replace(campaign, epochs=epochs)
        assert log.campaigns() == [log.campaign("k1")]


def test_a_campaign_that_is_not_there_is_not_found(database: Database) -> None:
    with database.read() as log, pytest.raises(CampaignNotFound):
        log.campaign("k1")
    with database.transaction() as log, pytest.raises(CampaignNotFound):
        log.campaign_for_change("k1")


def test_every_change_is_audited_and_moves_the_version(database: Database) -> None:
    campaign, versions = a_saved_campaign(), []
    stopped = SavedChange("li", LATER, "status", "running", "stopped")
    with database.transaction() as log:
        versions.append(log.campaigns_version())
        log.add_campaign(campaign)
        versions.append(log.campaigns_version())
        log.set_campaign(replace(campaign, status="stopped", ended_at=LATER), stopped)
        versions.append(log.campaigns_version())
        log.add_campaign_epoch("k1", SavedEpoch(1, HALVES, LATER, "launch", "li"), None)
        versions.append(log.campaigns_version())
    with database.read() as log:
        assert log.campaign_changes("k1") == (
            SavedChange("mei", NOW, "created", None, None),
            stopped,
            SavedChange("li", LATER, "weights", None, HALVES),
        )
        assert (log.campaign("k1").status, log.campaign("k1").ended_at) == ("stopped", LATER)
    assert sorted(set(versions)) == versions


def test_changes_at_once_are_numbered_in_the_order_of_their_commits(database: Database) -> None:
    """Else a worker that has seen the higher number would never see the lower one's change."""
    committed: list[str] = []

    def write(campaign_id: str) -> None:
        with database.transaction() as log:
            log.add_campaign(a_saved_campaign(campaign_id))
        committed.append(campaign_id)

    with database.transaction() as log:
        log.add_campaign(a_saved_campaign("first"))
        other = Thread(target=write, args=("second",))
        other.start()
        other.join(timeout=0.3)
        assert other.is_alive()
        committed.append("first")
    other.join()
    assert committed == ["first", "second"]

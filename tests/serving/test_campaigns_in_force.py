"""What each customer is decided with: the arms they are in, together, while their campaigns run and fit."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from recsys.domain.policy import Policy
from recsys.storage.campaign_log import SavedCampaign, SavedEpoch
from recsys.storage.database import Database
from serving.campaigns_in_force import CampaignsInForce, CampaignsInService, compiled
from tests.builders import NOW, VOCABULARY, a_catalogue, an_offer
from tests.experiments.plans import a_saved_campaign, arms

BASE = a_catalogue(an_offer("card", family="cards"), an_offer("loan")), Policy()
HALVES = {"control": 0.5, "b": 0.5}


def a_running_campaign(campaign_id: str, treatment: dict[str, Any], **changes: Any) -> SavedCampaign:
    with_arm = [*arms(1), {"name": "b", "weight": 1, "treatment": treatment}]
    saved = a_saved_campaign(campaign_id, arms=with_arm, **changes)
    return replace(saved, epochs=(SavedEpoch(1, HALVES, NOW, "launch", "li"),))


def in_force(*campaigns: SavedCampaign) -> CampaignsInForce:
    return compiled(campaigns, BASE, VOCABULARY)


CHEAP = a_running_campaign("k1", {"offers": [{"offer_id": "card", "lever": 3}]})


@pytest.mark.parametrize("period", [{"starts_at": NOW + timedelta(days=1)}, {"ends_at": NOW}])
def test_nobody_is_treated_outside_of_the_period(period: dict[str, Any]) -> None:
    outside = a_running_campaign("k1", {"remove": ["card"]}, **{key: str(at) for key, at in period.items()})
    (campaign,) = in_force(outside).running
    assert not campaign.treats("phone", NOW)


def test_a_campaign_that_no_longer_fits_the_catalogue_rests() -> None:
    campaigns = in_force(a_running_campaign("k1", {"remove": ["gone"]}), replace(CHEAP, campaign_id="k4"))
    assert ([one.campaign_id for one in campaigns.running], list(campaigns.broken)) == (["k4"], ["k1"])
    assert "there is no offer 'gone'" in campaigns.broken["k1"]


def test_what_is_not_running_takes_no_part_and_keeps_its_totals() -> None:
    campaigns = in_force(replace(CHEAP, status="stopped"))
    assert (campaigns.running, campaigns.kept) == ((), {"k1": CHEAP.kept})
    assert [one.campaign_id for one in campaigns.launched] == ["k1"]


def test_outcomes_count_until_the_last_units_have_matured() -> None:
    (ended,) = in_force(replace(CHEAP, status="stopped", ended_at=NOW)).launched
    assert ended.counts(NOW + timedelta(days=ended.plan.maturity_days))
    assert not ended.counts(NOW + timedelta(days=ended.plan.maturity_days + 2))


def test_a_new_epoch_is_in_force_at_once(database: Database) -> None:
    service = CampaignsInService()

    def weights() -> list[dict[str, float]]:
        with database.read() as log:
            running = service.current(log, *BASE).running
            return [dict(one.assigner.held.weights) for one in running]

    before = weights()
    with database.transaction() as log:
        log.add_campaign(CHEAP)
        log.add_campaign_epoch("k1", CHEAP.epochs[0], None)
    launched = weights()
    with database.transaction() as log:
        log.add_campaign_epoch("k1", SavedEpoch(2, {"control": 0.1, "b": 0.9}, NOW, "by hand", "li"), HALVES)
    assert (before, launched, weights()) == ([], [HALVES], [{"control": 0.1, "b": 0.9}])


def test_campaigns_are_compiled_once_a_version(database: Database) -> None:
    service = CampaignsInService()
    with database.read() as log:
        assert service.current(log, *BASE) is service.current(log, *BASE)
        assert service.current(log, a_catalogue(an_offer("card")), BASE[1]) is not service.current(log, *BASE)

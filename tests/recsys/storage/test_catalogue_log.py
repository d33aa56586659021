"""The catalogue's versions in the log."""

from recsys.domain.policy import Policy
from recsys.storage.catalogue_log import SavedCatalogue
from recsys.storage.database import Database
from tests.builders import NOW


def test_before_the_first_catalogue_there_is_none(database: Database) -> None:
    with database.read() as log:
        assert log.latest_catalogue() is None
        assert log.versions_in_force() == (None, None)


def test_the_last_catalogue_saved_is_in_force_and_the_others_stay(database: Database) -> None:
    with database.transaction() as log:
        log.save_catalogue("v1", [{"offer_id": "a"}], {}, NOW)
        log.save_catalogue("v2", [{"offer_id": "b"}], {}, NOW)
        assert log.latest_catalogue() == SavedCatalogue("v2", [{"offer_id": "b"}], {})
        earlier = log.catalogue_of("v1")
        assert earlier is not None
        assert earlier.offers == [{"offer_id": "a"}]
        assert log.catalogue_of("v0") is None


def test_saving_what_is_in_force_writes_nothing_but_going_back_does(database: Database) -> None:
    with database.transaction() as log:
        for version in ("v1", "v1", "v2", "v1"):
            log.save_catalogue(version, [], {}, NOW)
        assert log.counts()["catalogue_versions"] == 3
        assert log.versions_in_force()[0] == "v1"


def test_a_policy_is_found_again_by_its_version(database: Database) -> None:
    careful = Policy(sales_cap=1, minimum_propensity=0.02)
    with database.transaction() as log:
        log.save_policy(careful, NOW)
        log.save_policy(Policy(), NOW)
        assert log.versions_in_force() == (None, Policy().version)
        assert log.policy_of(careful.version) == careful
        assert log.policy_of("p-unknown") is None

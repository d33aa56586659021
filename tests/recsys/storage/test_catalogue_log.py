"""The catalogue's versions in the log."""

from recsys.storage.database import Database
from tests.builders import NOW


def test_before_the_first_catalogue_there_is_none(database: Database) -> None:
    with database.read() as log:
        assert log.latest_catalogue() is None
        assert log.latest_catalogue_version() is None


def test_the_last_catalogue_saved_is_in_force_and_the_others_stay(database: Database) -> None:
    with database.transaction() as log:
        log.save_catalogue("v1", [{"offer_id": "a"}], NOW)
        log.save_catalogue("v2", [{"offer_id": "b"}], NOW)
        assert log.latest_catalogue() == ("v2", [{"offer_id": "b"}])
        assert log.catalogue_offers("v1") == [{"offer_id": "a"}]
        assert log.catalogue_offers("v0") is None


def test_saving_what_is_in_force_writes_nothing_but_going_back_does(database: Database) -> None:
    with database.transaction() as log:
        for version in ("v1", "v1", "v2", "v1"):
            log.save_catalogue(version, [], NOW)
        assert log.counts()["catalogue_versions"] == 3
        assert log.latest_catalogue_version() == "v1"

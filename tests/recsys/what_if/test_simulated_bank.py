"""On the simulated bank with its own catalogue, a batch decides as the engine does for a few hundred customers."""

from datetime import timedelta
from pathlib import Path

import numpy as np

from recsys.domain.policy import Policy
from recsys.interactions.matrix import InteractionMatrix
from recsys.models.bundle_files import save_bundle
from recsys.models.families import create_model
from recsys.ranking.people import Occasion
from recsys.simulator.import_directory import write_import_directory
from recsys.simulator.world import World
from recsys.storage.database import Database, open_database
from recsys.what_if.changes import parse_changes
from recsys.what_if.reading import Sample, read_audience
from recsys.what_if.relevance import Models
from recsys.what_if.rulebook import TODAY, Rulebook
from serving.in_force import CatalogueInService, vocabulary
from tests.recsys.simulator.worlds import NOW
from tests.recsys.storage.importing import Importer
from tests.recsys.what_if.test_agreement import check_all, quiet

CHANGE = {
    "offers": [{"offer_id": "new_fund", "title": "New fund", "family": "fund", "eligibility": "age > 30"}],
    "policy": {"sales_cap": 2, "shortlist_length": 4, "exploring_below_answers": 0},
}


def test_everybody_in_the_simulated_bank_is_decided_for_as_the_engine_does(sqlite_url: str, tmp_path: Path) -> None:
    importer = Importer(open_database(sqlite_url), tmp_path / "import")
    write_import_directory(World.build(250, 6, 3, NOW), importer.directory)
    importer.run()
    try:
        codes = check_all(
            importer.database, rulebooks_of(importer.database), models_of(importer.database, tmp_path), LATER
        )
    finally:
        importer.database.close()
    assert {"not_eligible", "ranked_lower", "already_holds", "risk_too_high"} <= codes


LATER = Occasion(NOW + timedelta(hours=1), "phone")


def rulebooks_of(database: Database) -> list[Rulebook]:
    """Today and a changed policy with a new offer."""
    with database.read() as log:
        today = Rulebook(TODAY, CatalogueInService().current(log), Policy(exploration_share=0.0))
        return [today, *parse_changes(CHANGE, "change.yaml", today, vocabulary(log))]


def models_of(database: Database, folder: Path) -> Models:
    """A model trained on what the customers hold."""
    with database.read() as log:
        audience = read_audience(log, rulebooks_of(database), LATER, Sample(None, np.random.default_rng(0)), quiet)
    evidence = audience.history.evidence(LATER.microseconds, len(audience)).astype(np.float32)
    world = InteractionMatrix(evidence, tuple(audience.customer_ids.to_pylist()), audience.offer_ids)
    model = create_model("als").fit(world, rng=np.random.default_rng(1))
    return Models(save_bundle(folder / "bundle", model, world, np.random.default_rng(2)))

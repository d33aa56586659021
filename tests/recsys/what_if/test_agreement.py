"""A batch says for every customer what the engine says, and stops for each what the plainest words say."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.domain.decision import Decision, Situation
from recsys.domain.interaction import held_offers
from recsys.domain.offer import Offer
from recsys.engine import decide
from recsys.models.bundle import Bundle
from recsys.models.bundle_files import save_bundle
from recsys.models.families import create_model
from recsys.ranking.codes import CODES
from recsys.ranking.eligibility import rule_facts
from recsys.ranking.evidence import OfferEvidence
from recsys.ranking.people import Occasion
from recsys.storage.database import Database, open_database
from recsys.what_if.audience import Audience
from recsys.what_if.decisions import Decisions, decide_many
from recsys.what_if.reading import Sample, read_audience
from recsys.what_if.relevance import Models, RelevancePlan
from recsys.what_if.rulebook import Rulebook
from recsys.what_if.verdicts import Verdicts
from tests.recsys.models.worlds import a_market, facts_of
from tests.recsys.ranking.plain_permission import Plain
from tests.recsys.what_if.small_bank import OCCASION, catalogue_of, fill, offer_rows, random_policy, situation_of

OF_RANK = {"allowed", "not_called_for", "below_threshold", "ranked_lower", "contact_cap"}


def quiet(_what: str, _done: int, _total: int | None) -> None:
    """Report nothing."""


def decided(audience: Audience, rulebooks: Sequence[Rulebook], models: Models, rows: int) -> list[list[Decisions]]:
    """The decisions of each chunk by rulebook."""
    plan, found = RelevancePlan(models.relevance, rulebooks), []
    for verdicts in Verdicts(audience, rulebooks).in_chunks(rows):
        part = audience.of_customers(verdicts.start, verdicts.stop)
        relevance = plan.score(part)
        found.append([
            decide_many(part, rulebook, verdicts.codes(place), relevance[place], models)
            for place, rulebook in enumerate(rulebooks)
        ])  # fmt: skip
    return found


def check(decision: Decision, batch: Decisions, row: int, rulebook: Rulebook) -> None:
    """The row of the batch says what the decision says."""
    table = rulebook.catalogue.table
    columns = [column for column in batch.lists.columns[row].tolist() if column >= 0]
    assert [table.offer_ids[column] for column in columns] == [offer.offer_id for offer in decision.offers]
    for values, name in ((batch.lists.priority, "priority"), (batch.lists.propensity, "propensity")):
        expected = [getattr(offer, name) for offer in decision.offers]
        assert values[row, : len(columns)].tolist() == pytest.approx(expected, rel=1e-6)
    codes = {offer_id: code for code, ids in decision.held_back.items() for offer_id in ids}
    found = {one: CODES[code] for one, code in zip(table.offer_ids, batch.codes[row].tolist(), strict=True) if code}
    assert found == codes


def check_plainly(situation: Situation, batch: Decisions, row: int, rulebook: Rulebook) -> None:
    """The row of the batch stops what the plainest words stop, and nothing else but for its rank."""
    catalogue, table = rulebook.catalogue, rulebook.catalogue.table
    facts = rule_facts(situation, catalogue, held_offers(situation.history))

    def verdict(offer: Offer) -> bool | None:
        rule = int(table.rule[table.column[offer.offer_id]])
        return True if rule < 0 else table.rules[rule].evaluate(facts)

    plain = Plain(situation, catalogue.offers, rulebook.policy, verdict)
    for column, offer in enumerate(catalogue.offers):
        code, expected = CODES[batch.codes[row, column]], plain.code(offer)
        assert code == expected or (expected is None and code in OF_RANK)


def check_all(
    database: Database,
    rulebooks: Sequence[Rulebook],
    models: Models,
    occasion: Occasion,
    customers: int | None = None,
) -> set[str]:
    """Every customer of the event log, or of a sample, agrees under every rulebook; returns the codes that occurred."""
    with database.read() as log:
        audience = read_audience(log, rulebooks, occasion, Sample(customers, np.random.default_rng(0)), quiet)
        chunks, row = decided(audience, rulebooks, models, 37), 0
        seen: set[str] = set()
        for chunk in chunks:
            for within in range(len(chunk[0].codes)):
                customer_id = audience.customer_ids[row].as_py()
                for rulebook, batch in zip(rulebooks, chunk, strict=True):
                    policy = rulebook.policy
                    situation = situation_of(log, customer_id, rulebook.catalogue, policy, occasion)
                    judges: tuple[Any, ...] = (models.relevance, policy, models.propensity, models.evidence)
                    decision = decide(situation, rulebook.catalogue, *judges)
                    check(decision, batch, within, rulebook)
                    check_plainly(situation, batch, within, rulebook)
                    seen |= decision.held_back.keys()
                row += 1
    assert row == len(audience)
    return seen


def a_bundle(folder: Path, name: str, offers: int, rng: np.random.Generator) -> Bundle:
    """A model of the offers o00, o01, … but the last three, which training did not know."""
    world = a_market(customers=120, offers=offers - 3, seed=int(rng.integers(1000)))
    world = replace(world, offer_ids=tuple(f"o{number:02d}" for number in range(offers - 3)))
    side = facts_of(world)
    model = create_model(name).fit(world, side, rng=rng)
    return save_bundle(folder / "bundle", model, world, rng, side_features=side)


def some_evidence(offers: int, rng: np.random.Generator) -> OfferEvidence:
    """What was answered to all offers but the last three."""
    return OfferEvidence({f"o{n:02d}": (int(rng.integers(3)), int(rng.integers(3, 20))) for n in range(offers - 3)})


@pytest.fixture
def bank(sqlite_url: str) -> Iterator[Database]:
    """An empty event log."""
    database = open_database(sqlite_url)
    yield database
    database.close()


class Weighed:
    """A trained propensity that weighs what it is told; what is not known counts as its own."""

    version = "q-test"
    signals = ("base_log_odds", "relevance", "age", "times_declined", "days_since_declined", "is_service",
               "channel_phone", "sentiment", "declined_count_90d", "risk_level", "never_heard_of")  # fmt: skip
    relevance_weight = 0.5
    _weights = np.array([1.0, 0.5, 0.01, -0.4, 0.02, 0.3, -0.1, 0.2, -0.2, 0.1, 9.0])

    def log_odds(self, table: np.ndarray) -> np.ndarray:
        """Return the weighed sum."""
        return np.asarray(np.where(np.isnan(table), 0.7, table) @ self._weights) - 7.0

    def contributions(self, table: np.ndarray) -> np.ndarray:
        """Return its parts."""
        parts = np.where(np.isnan(table), 0.7, table) * self._weights
        return np.hstack([parts, np.zeros((len(table), 1)), np.full((len(table), 1), -7.0)])


def test_a_trained_propensity_looks_at_the_shortlist_as_in_the_engine(bank: Database, tmp_path: Path) -> None:
    rng = np.random.default_rng(77)
    fill(bank, tmp_path / "import", rng, (90, 24))
    with bank.read() as log:
        policy = replace(random_policy(rng), shortlist_length=4, exploring_below_answers=5, minimum_propensity=0.0)
        rulebook = Rulebook("s", catalogue_of(log, offer_rows(rng, 24)), policy)
    check_all(bank, [rulebook], Models(a_bundle(tmp_path, "als", 24, rng), Weighed(), some_evidence(24, rng)), OCCASION)


@pytest.mark.parametrize(
    ("seed", "name"),
    list(enumerate(["als", "item_item", "ease", "popularity", "lightfm", "blend", "bpr", None, None])),
)
def test_in_a_random_bank_every_customer_is_decided_for_as_the_engine_does(
    seed: int, name: str | None, bank: Database, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    offers = 24
    fill(bank, tmp_path / "import", rng, (90, offers))
    with bank.read() as log:
        rulebooks = [
            Rulebook(f"s{place}", catalogue_of(log, offer_rows(rng, offers + 2)), random_policy(rng))
            for place in range(3)
        ]
    relevance = a_bundle(tmp_path, name, offers, rng) if name else None
    codes = check_all(bank, rulebooks, Models(relevance, evidence=some_evidence(offers, rng)), OCCASION)
    assert len(codes) >= 12


def test_the_same_holds_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    database, rng = open_database(postgresql_url), np.random.default_rng(5)
    fill(database, tmp_path / "import", rng, (60, 24))
    with database.read() as log:
        rulebook = Rulebook("s", catalogue_of(log, offer_rows(rng, 24)), random_policy(rng))
    try:
        assert check_all(database, [rulebook], Models(None), OCCASION)
        assert check_all(database, [rulebook], Models(None), OCCASION, customers=12)
    finally:
        database.close()


def test_the_customers_of_a_sample_are_looked_up_one_by_one_and_decided_for_alike(
    bank: Database, tmp_path: Path
) -> None:
    rng = np.random.default_rng(6)
    fill(bank, tmp_path / "import", rng, (60, 24))
    with bank.read() as log:
        rulebook = Rulebook("s", catalogue_of(log, offer_rows(rng, 24)), random_policy(rng))
    assert len(check_all(bank, [rulebook], Models(None), OCCASION, customers=12)) >= 8


def test_what_happens_later_is_not_known_yet(bank: Database, tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    fill(bank, tmp_path / "import", rng, (60, 24))
    earlier = Occasion(OCCASION.at - timedelta(days=20), "app")
    with bank.read() as log:
        rulebook = Rulebook("s", catalogue_of(log, offer_rows(rng, 24)), random_policy(rng))
        audience = read_audience(log, [rulebook], earlier, Sample(None, rng), quiet)
        now = read_audience(log, [rulebook], OCCASION, Sample(None, rng), quiet)
    assert 0 < len(audience.history.rows) < len(now.history.rows)
    assert max(audience.history.at.max(), audience.answers.at.max()) <= earlier.microseconds

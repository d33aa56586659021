"""After the promotion of a relevance version the chances on the same answers stay as true as they were."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.offline import features_of_export
from features.service_names import PROPENSITY_SERVICE
from recsys.domain.policy import Policy
from recsys.interactions.matrix import InteractionMatrix, build_matrix
from recsys.models.bundle import Bundle
from recsys.models.bundle_files import save_bundle
from recsys.models.families import create_model
from recsys.storage.decision_log import AnsweredOffer
from recsys.storage.export import export_events
from serving.basis import Basis
from serving.contacts.schemas import AnswerRequest, OpenContact
from serving.contacts.service import ContactService
from serving.decisions.record import situation_of
from serving.decisions.rescoring import rescored
from serving.wiring import Services
from tests.builders import NOW
from tests.recsys.storage.importing import Importer
from tests.serving.permission_storm import Unheard, services_of
from tests.training.pairs import GREEN
from training.propensity_pipeline import PropensityConfig, PropensityResult, train_propensity
from training.registry import Findings, Registry
from training.tracking import RunRecord, log_run

OFFERS = 10
LEARNED, JUDGED = 1_000, 500
RNG_SEED = 3


class Minutes:
    """A clock on which a minute passes when told to, and a moment whenever it is read."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now


class Bank:
    """A service whose customers have tastes: what they hold shows them, and what they answer follows them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.rng = folder, Minutes(), np.random.default_rng(RNG_SEED)
        self.services: Services = services_of(f"sqlite:///{folder / 'nbo.db'}", folder, self.clock)
        self.services.database.upgrade()
        self.registry = Registry(self.services.settings.tracking_uri)
        customers = LEARNED + JUDGED
        self.taste = self.rng.normal(size=customers)
        self.lean = np.linspace(-1.5, 1.5, OFFERS)
        self.rate = self.rng.permutation(np.linspace(-2.6, 0.2, OFFERS))
        self.holdings = [self._held(customer) for customer in range(customers)]
        self._import()
        self.services.champion._has_propensity = True

    def _held(self, customer: int) -> list[int]:
        pull = np.exp(1.2 * self.taste[customer] * self.lean)
        return [int(one) for one in self.rng.choice(OFFERS, 2, replace=False, p=pull / pull.sum())]

    def _import(self) -> None:
        rows = [
            f"c{customer},o{offer},2026-01-02,inquiry,,\n"
            for customer, held in enumerate(self.holdings)
            for offer in held
        ]
        offers = [f"o{number},Offer {number},f{number},100,{0.05 if number % 2 else 0.3}\n" for number in range(OFFERS)]
        importer = Importer(self.services.database, self.folder / "import")
        importer.write(
            interactions="customer_id,offer_id,occurred_at,event,channel,weight\n" + "".join(rows),
            offers="offer_id,title,family,margin,starting_propensity\n" + "".join(offers),
        )
        importer.run()
        with self.services.database.transaction() as log:
            log.save_policy(Policy(list_length=OFFERS, exploration_share=0.0, sales_cap=100, channel_cap=100), NOW)

    def world(self, customers: Sequence[int]) -> InteractionMatrix:
        """What these customers showed interest in."""
        pairs = [(f"c{customer}", f"o{offer}") for customer in customers for offer in self.holdings[customer]]
        return build_matrix([customer for customer, _ in pairs], [offer for _, offer in pairs])

    def register(self, family: str, customers: Sequence[int]) -> str:
        """Train a relevance version on these customers; return its name."""
        rng, directory = np.random.default_rng(1), self.folder / f"{family}-{len(customers)}"
        world = self.world(customers)
        model = create_model(family, {"factors": 4} if family == "als" else {}).fit(world, rng=rng)
        bundle = save_bundle(directory, model, world, rng)
        run_id = log_run(self.services.settings.tracking_uri, RunRecord(family, {}, {}, bundle=directory))
        return self.registry.register(bundle, run_id, Findings({}, (GREEN,), trainer="Linus")).version

    def bundle(self, version: str) -> Bundle:
        """A registered relevance version."""
        return self.services.archive.model(version)

    def live(self, customers: Sequence[int]) -> None:
        """Serve these customers once each; one offer of each list is answered, whichever it is."""
        desk = ContactService(self.services, Unheard())
        for customer in customers:
            self.clock.now += timedelta(minutes=1)
            mood, channel = round(float(self.rng.uniform(-0.2, 1)), 2), str(self.rng.choice(["phone", "app"]))
            asked = OpenContact(customer_id=f"c{customer}", channel=channel, agent_id="a", sentiment=mood)
            decision = desk.open(asked, "en")["decision"]
            offer = decision["offers"][int(self.rng.integers(len(decision["offers"])))]
            number = int(offer["offer_id"][1:])
            odds = self.rate[number] + 1.0 * self.taste[customer] * self.lean[number]
            word = "accepted" if self.rng.random() < 1 / (1 + np.exp(-odds)) else "declined"
            said = AnswerRequest(decision_id=decision["decision_id"], offer_id=offer["offer_id"], answer=word)
            desk.answer(said, f"key-{customer}")

    def train(self, until: datetime, relevance: str | None = None) -> PropensityResult:
        """Train the propensity of what serves, or of another version, on the answers until then."""
        events = self.folder / "events"
        export_events(self.services.database, events)
        with (
            features_of_export(events, self.clock(), service=PROPENSITY_SERVICE) as features,
            self.services.database.read() as log,
        ):
            config = PropensityConfig(
                features,
                self.services.settings.tracking_uri,
                promote_if_better=True,
                trainer="Ada",
                relevance=relevance,
                is_rescored=relevance is not None,
            )
            answered: Iterator[AnsweredOffer] = log.answered_offers(until)
            if relevance:
                answered = rescored(answered, self.bundle(relevance), self.services.archive, log)
            return train_propensity(config, answered, lambda *_: None)

    def predicted(self, judged: Sequence[AnsweredOffer], basis: Basis) -> float:
        """The mean chance that these models give for what was answered, with what was known then."""
        chances = []
        with self.services.database.read() as log:
            for one in judged:
                then = replace(basis, evidence=self.services.archive.basis_of(one.record, log).evidence)
                offers = then.decide(situation_of(one.record)).offers
                chances += [offer.propensity for offer in offers if offer.offer_id == one.offer_id]
        assert len(chances) == len(judged)
        return float(np.mean(chances))

    def in_force(self) -> Basis:
        """What decides now."""
        self.services.champion.check()
        pair = self.services.champion.pair
        with self.services.database.read() as log:
            catalogue, policy = self.services.catalogue.current(log), self.services.policy.current(log)
        return Basis(catalogue, policy, pair.relevance, pair.propensity)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    found = Bank(tmp_path)
    yield found
    found.services.database.close()


def test_what_others_decided_is_scored_again_as_the_version_would_have_scored_it(bank: Bank) -> None:
    bank.live(range(12))
    version = bank.register("als", range(LEARNED))
    with bank.services.database.read() as log:
        before = list(log.answered_offers(bank.clock()))
        after = list(rescored(before, bank.bundle(version), bank.services.archive, log))
    basis = replace(bank.in_force(), model=bank.bundle(version))
    assert len(after) == 12
    for was, one in zip(before, after, strict=True):
        decided = {offer.offer_id: offer.relevance for offer in basis.decide(situation_of(was.record)).offers}
        found = {offer["offer_id"]: offer["signals"]["relevance"] for offer in one.record["offers"]}
        assert found == decided
        assert len(set(found.values())) > 5
        assert one.record["model_version"] == version
        assert was.record["model_version"] == "none"
        assert {offer["signals"]["relevance"] for offer in was.record["offers"]} == {0.0}


@pytest.mark.slow
def test_the_mean_chance_of_the_same_answers_stays_within_noise_of_what_came_true(bank: Bank) -> None:
    customers = range(LEARNED + JUDGED)
    first, second = bank.register("item_item", customers[:LEARNED]), bank.register("als", customers)
    bank.registry.promote(first, "Grace")
    bank.in_force()
    bank.live(customers[:LEARNED])
    split = bank.clock()
    assert bank.train(split).is_promoted
    before = bank.in_force()
    bank.live(customers[LEARNED:])
    with bank.services.database.read() as log:
        judged = [one for one in log.answered_offers(bank.clock()) if one.recorded_at > split]
    actual = float(np.mean([one.answer == "accepted" for one in judged]))
    noise = 2.6 * np.sqrt(actual * (1 - actual) / len(judged))
    assert bank.predicted(judged, before) == pytest.approx(actual, abs=noise)

    made = bank.train(split, second)
    assert not made.is_promoted
    assert bank.registry.promote(second, "Grace").partner == made.registered.version
    after = bank.in_force()
    assert after.propensity is not None
    assert after.model is not None
    assert (after.model.version, after.propensity.relevance_version) == (second, second)
    torn = bank.predicted(judged, replace(after, propensity=before.propensity))
    assert torn > actual + noise  # the old chances beside the new relevance
    assert bank.predicted(judged, after) == pytest.approx(actual, abs=noise)

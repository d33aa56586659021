"""The bundle: what it answers and what it keeps."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from recsys.interactions.matrix import build_matrix
from recsys.interactions.side_features import About
from recsys.models.bundle_files import FILES, load_bundle, save_bundle
from recsys.models.families import create_model
from recsys.models.sealed_files import MANIFEST, canonical_json
from tests.recsys.models.bundles import a_bundle, build_bundle, every_model, reseal
from tests.recsys.models.worlds import a_market, facts_of, fitted


@every_model
def test_scores_have_mean_zero_and_deviation_one_over_customers_and_offers(name: str, tmp_path: Path) -> None:
    world, bundle = a_market(customers=60), a_bundle(tmp_path / "b", name)
    rows = [dict(zip(np.array(world.offer_ids)[row.indices], row.data, strict=True)) for row in world.matrix]
    side = facts_of(world)
    people = [About(side.customer_space.decode(side.customers[number])) for number in range(len(rows))]
    scores = np.stack(
        [bundle.score(history, bundle.offer_ids, about) for history, about in zip(rows, people, strict=True)]
    )
    assert scores.mean() == pytest.approx(0, abs=1e-4)
    assert scores.std() == pytest.approx(1, abs=1e-4)


@every_model
def test_an_unknown_offer_scores_zero_among_the_known(name: str, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b", name)
    known = bundle.offer_ids[3]
    scores = bundle.score({bundle.offer_ids[0]: 1.0}, [known, "nowhere"])
    assert scores.tolist() == [bundle.score({bundle.offer_ids[0]: 1.0}, [known])[0], 0.0]


@every_model
@pytest.mark.parametrize("history", [{}, {"nowhere": 1.0}, {"产品01": 0.0}])
def test_a_history_with_nothing_known_gets_the_popularity_answer(
    name: str, history: dict[str, float], tmp_path: Path
) -> None:
    bundle = a_bundle(tmp_path / "b", name)
    assert np.array_equal(bundle.score(history, bundle.offer_ids), bundle.popularity(bundle.offer_ids))
    assert bundle.contributions(history, bundle.offer_ids[:1]) == [[]]


@pytest.mark.parametrize("name", ["als", "item_item"])
def test_contributions_explain_the_score_up_to_one_constant(name: str, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b", name)
    constants = []
    for history in ({"产品01": 1.0}, {"产品01": 1.0, "产品05": 0.5, "产品09": 0.2}):
        (shares,) = bundle.contributions(history, ["产品03"])
        constants.append(bundle.score(history, ["产品03"])[0] - sum(share for _, share in shares))
        assert [abs(share) for _, share in shares] == sorted((abs(share) for _, share in shares), reverse=True)
    assert constants[0] == pytest.approx(constants[1], abs=1e-4)


def test_a_new_offer_is_scored_by_its_facts_where_the_model_can(tmp_path: Path) -> None:
    new = About(offers={"new": {"family": "f1", "margin": 40.0}, "unlike any": {"family": "nowhere"}})
    history, offers = {"产品01": 1.0}, ["new", "unlike any", "nowhere"]
    hybrid, plain = (a_bundle(tmp_path / name, name) for name in ("lightfm", "als"))
    assert hybrid.score(history, offers, new)[0] != 0
    assert hybrid.score(history, offers, new)[2] == 0
    assert plain.score(history, offers, new).tolist() == [0, 0, 0]


def test_somebody_without_history_is_scored_by_their_facts_where_the_model_can(tmp_path: Path) -> None:
    hybrid = a_bundle(tmp_path / "b", "lightfm")
    by_facts = hybrid.score({}, hybrid.offer_ids, About({"segment": "private"}))
    assert not np.allclose(by_facts, hybrid.popularity(hybrid.offer_ids))
    assert np.array_equal(hybrid.score({}, hybrid.offer_ids), hybrid.popularity(hybrid.offer_ids))


def test_no_offers_are_scored_as_no_offers(tmp_path: Path) -> None:
    assert a_bundle(tmp_path / "b").score({"产品01": 1.0}, []).shape == (0,)


@every_model
def test_the_same_model_gives_the_same_bytes_and_version(name: str, tmp_path: Path) -> None:
    one, other = build_bundle(tmp_path / "one", name), build_bundle(tmp_path / "other", name)
    assert one.version == other.version
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "other" / f).read_bytes() for f in (*FILES, MANIFEST))


def test_another_model_has_another_version(tmp_path: Path) -> None:
    assert a_bundle(tmp_path / "one", "als").version != a_bundle(tmp_path / "other", "item_item").version


def test_what_training_found_comes_back(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b")
    assert bundle.manifest["training"] == {"events": 1000}


def test_a_bundle_counts_no_answers_and_those_of_an_older_version_still_do(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b")
    assert "answer_counts" not in json.loads((tmp_path / "b" / "offers.json").read_bytes())
    assert not bundle.evidence(bundle.offer_ids).any()
    counts = {bundle.offer_ids[0]: [3, 10]}
    (tmp_path / "b" / "offers.json").write_bytes(
        canonical_json({"offer_ids": bundle.offer_ids, "answer_counts": counts})
    )
    reseal(tmp_path / "b")
    assert load_bundle(tmp_path / "b").evidence(bundle.offer_ids)[0].tolist() == [3, 10]


def test_the_canary_has_500_histories_where_there_are_as_many(tmp_path: Path) -> None:
    world = a_market(customers=700)
    save_bundle(tmp_path / "b", fitted("item_item", world), world, np.random.default_rng(0))
    assert len(json.loads((tmp_path / "b" / "canary.json").read_bytes())) == 501


def test_one_customer_and_a_thousand_offers_are_scored_well_within_a_millisecond(tmp_path: Path) -> None:
    offers = [f"o{number:04d}" for number in range(1000)]
    rng = np.random.default_rng(0)
    world = build_matrix([f"c{n}" for n in rng.integers(0, 2000, 20_000)], rng.choice(offers, 20_000), catalogue=offers)
    model = create_model("als", {"iterations": 2}).fit(world, rng=rng)
    bundle = save_bundle(tmp_path / "b", model, world, rng)
    history = dict.fromkeys(offers[::150], 1.0)
    seconds = []
    for _ in range(50):
        started = time.perf_counter()
        bundle.score(history, offers)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1e-3

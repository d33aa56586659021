"""A relevance version and the propensity trained on it are promoted and rolled back together."""

from pathlib import Path

import pytest

from recsys.domain.errors import NoChampion, NotPromotable
from tests.training.pairs import RED, register_propensity, register_relevance
from training.model_kinds import PROPENSITY
from training.registry import Registry


def test_a_relevance_version_brings_the_newest_propensity_that_was_trained_on_it(
    tmp_path: Path, tracking_uri: str
) -> None:
    first, second = (register_relevance(tracking_uri, tmp_path, count) for count in (1, 2))
    register_propensity(tracking_uri, tmp_path, first, 1_500)
    of_first = register_propensity(tracking_uri, tmp_path, first, 1_600)
    of_second = register_propensity(tracking_uri, tmp_path, second, 1_700)
    registry, chances = Registry(tracking_uri), Registry(tracking_uri, PROPENSITY)
    assert registry.promote(first, "Grace").partner == of_first
    assert registry.pair() == (first, of_first)
    assert registry.promote(second, "Grace").partner == of_second
    assert (registry.pair(), chances.champion()) == ((second, of_second), of_second)
    assert chances.version(of_second).aliases == ("champion",)
    assert chances.version(of_second).approver == "Grace"
    assert registry.rollback().partner == of_first
    assert (registry.pair(), chances.champion()) == ((first, of_first), of_first)


def test_where_none_may_come_along_the_declared_weights_serve_until_one_is_promoted(
    tmp_path: Path, tracking_uri: str
) -> None:
    first, second = (register_relevance(tracking_uri, tmp_path, count) for count in (1, 2))
    of_first = register_propensity(tracking_uri, tmp_path, first, 1_500)
    register_propensity(tracking_uri, tmp_path, second, 1_600, RED)
    own = register_propensity(tracking_uri, tmp_path, second, 1_700, trainer="Grace")
    registry, chances = Registry(tracking_uri), Registry(tracking_uri, PROPENSITY)
    registry.promote(first, "Grace")
    assert registry.promote(second, "Grace").partner is None
    assert (registry.pair(), chances.champion()) == ((second, None), None)
    assert [one.aliases for one in chances.versions()] == [(), (), ()]
    chances.promote(own, "Ada")
    assert registry.pair() == (second, own)
    registry.rollback()
    assert registry.pair() == (first, of_first)
    assert registry.promote(second, "Grace").partner == own  # which served with it before


def test_a_propensity_is_promoted_only_beside_the_version_it_was_trained_on(tmp_path: Path, tracking_uri: str) -> None:
    first, second = (register_relevance(tracking_uri, tmp_path, count) for count in (1, 2))
    of_second = register_propensity(tracking_uri, tmp_path, second, 1_500)
    unknown = register_propensity(tracking_uri, tmp_path, None, 1_600)
    registry, chances = Registry(tracking_uri), Registry(tracking_uri, PROPENSITY)
    registry.promote(first, "Grace")
    with pytest.raises(NotPromotable, match=f"trained on {second}, and {first} serves; promote {second}"):
        chances.promote(of_second, "Grace")
    with pytest.raises(NotPromotable, match="does not say which relevance version"):
        chances.promote(unknown, "Grace")
    assert registry.pair() == (first, None)


def test_a_propensity_is_rolled_back_to_one_of_the_same_relevance_version(tmp_path: Path, tracking_uri: str) -> None:
    first, second = (register_relevance(tracking_uri, tmp_path, count) for count in (1, 2))
    registry, chances = Registry(tracking_uri), Registry(tracking_uri, PROPENSITY)
    registry.promote(first, "Grace")
    older, newer = (register_propensity(tracking_uri, tmp_path, first, count) for count in (1_500, 1_600))
    chances.promote(older, "Grace")
    chances.promote(newer, "Grace")
    assert chances.rollback().version == older
    assert registry.pair() == (first, older)
    register_propensity(tracking_uri, tmp_path, second, 1_700)
    registry.promote(second, "Grace")
    with pytest.raises(NoChampion):
        chances.rollback()

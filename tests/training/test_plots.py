"""The pictures of a training run."""

from pathlib import Path

import numpy as np
import pytest

from recsys.evaluation.intervals import Interval
from training.plots import (
    draw_against_popularity,
    draw_exposure,
    draw_parity,
    draw_recall,
    draw_reliability,
    draw_search,
)

ONE, OTHER = Interval(0.3, 0.2, 0.4), Interval(0.5, 0.5, 0.5)
FAMILIES = [f"family {number}" for number in range(9)]
PICTURES = ("against_popularity", "exposure", "parity", "recall", "reliability", "search")


def draw(directory: Path) -> Path:
    draw_recall({name: {1: ONE, 5: OTHER} for name in FAMILIES}, directory)
    draw_against_popularity(dict.fromkeys(FAMILIES, ONE), "NDCG@5", directory)
    draw_exposure({name: np.arange(20) for name in FAMILIES}, 5, directory)
    draw_parity(ONE, ONE, OTHER, 10, directory)
    draw_reliability({"a model": (np.array([0.1, 0.3]), np.array([0.1, 0.2]), np.ones(2))}, directory)
    draw_search([0.1, 0.3, 0.2], [0.1, 0.3, 0.3], ("als", "NDCG@5"), directory)
    return directory


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("pictures"))


def test_every_picture_is_there_as_png_and_as_svg(pictures: Path) -> None:
    names = {f"{picture}.{kind}" for picture in PICTURES for kind in ("png", "svg")}
    assert {path.name for path in pictures.iterdir()} == names
    assert all(path.stat().st_size > 2_000 for path in pictures.iterdir())


def test_the_same_figures_give_the_same_bytes(pictures: Path, tmp_path: Path) -> None:
    draw(tmp_path)
    assert all((tmp_path / path.name).read_bytes() == path.read_bytes() for path in pictures.iterdir())


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("recall", ["length of the list, k", "recall@k, with 95 % interval", "family 8"]),
        ("against_popularity", ["NDCG@5 − popularity's, with paired 95 % interval", "family 3"]),
        ("exposure", ["share of offers, the least shown first", "family 2 (Gini "]),
        ("parity", ["overlap@10", "mean, with 95 % interval"]),
        ("search", ["trial; 1 has the defaults", "NDCG@5 on the validation window"]),
    ],
)
def test_axes_say_what_they_show(pictures: Path, picture: str, words: list[str]) -> None:
    drawn = (pictures / f"{picture}.svg").read_text(encoding="utf-8")
    assert [word for word in words if word not in drawn] == []


def test_no_family_beside_popularity_is_an_empty_picture_and_no_error(tmp_path: Path) -> None:
    draw_against_popularity({}, "NDCG@5", tmp_path)
    assert (tmp_path / "against_popularity.png").exists()

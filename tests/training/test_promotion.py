"""The promotion gates."""

import numpy as np

from training.promotion import Gate, Rivals, judge, refusals

SOMEBODY = np.random.default_rng(0).random(400)


def gates(challenger: np.ndarray, popularity: np.ndarray | None, champion: np.ndarray | None) -> list[Gate]:
    rivals = Rivals(challenger, popularity, champion, np.arange(len(challenger)))
    return judge(rivals, "NDCG@5", 0.05, np.random.default_rng(1))


def test_a_clearly_better_challenger_passes_every_gate() -> None:
    assert refusals(gates(SOMEBODY + 0.1, SOMEBODY, SOMEBODY)) == []


def test_a_challenger_no_better_than_popularity_is_refused_with_the_figure() -> None:
    refused = refusals(gates(SOMEBODY, np.roll(SOMEBODY, 1), None))
    assert len(refused) == 1
    assert refused[0].startswith("better than popularity: NDCG@5 differs by +0.0000 [-0.")


def test_a_challenger_worse_than_the_champion_is_refused() -> None:
    refused = refusals(gates(SOMEBODY, SOMEBODY - 0.1, SOMEBODY + 0.05))
    assert [text.split(":")[0] for text in refused] == ["not worse than the champion"]


def test_a_little_worse_than_the_champion_is_within_the_margin() -> None:
    assert refusals(gates(SOMEBODY - 0.01, None, SOMEBODY)) == []


def test_the_same_recipe_is_not_worse_than_itself() -> None:
    assert refusals(gates(np.zeros(10), None, np.zeros(10))) == []
    assert refusals(gates(SOMEBODY, None, SOMEBODY)) == []


def test_popularity_need_not_be_better_than_itself() -> None:
    assert gates(SOMEBODY, None, None) == []

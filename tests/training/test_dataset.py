"""What training reads from the exported events."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.domain.customer import Customer
from recsys.domain.errors import ImportInvalid, InvalidInput
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.interactions.weights import history_weights
from tests.training.events import bought, dataset_of, day, export
from training.dataset import Knowledge


def weights(known: Knowledge) -> dict[tuple[str, str], Any]:
    entries = known.interactions.matrix.tocoo()
    customers, offers = known.interactions.customer_ids, known.interactions.offer_ids
    places = zip(entries.row, entries.col, entries.data, strict=True)
    return {(customers[row], offers[column]): pytest.approx(float(w), abs=1e-5) for row, column, w in places}


def test_weights_in_training_are_those_of_the_decision(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kinds = list(InteractionKind)
    history = [
        Interaction(
            f"c{rng.integers(6)}",
            f"o{rng.integers(5)}",
            day(float(rng.integers(0, 20) if rng.random() < 0.5 else rng.random() * 200)),
            kinds[rng.integers(len(kinds))],
            weight=float(rng.choice([0.5, 1.0, 3.0])),
        )
        for _ in range(300)
    ]
    expected: dict[tuple[str, str], float] = {}
    for customer in {event.customer_id for event in history}:
        theirs = [event for event in history if event.customer_id == customer]
        expected |= {(customer, offer): w for offer, w in history_weights(theirs, day(100)).items()}
    with dataset_of(export(tmp_path, *history)) as dataset:
        assert weights(dataset.as_of(day(100))) == expected


def test_what_is_held_is_told_apart_from_what_was_looked_at(tmp_path: Path) -> None:
    history = (bought("a", "card", 1), bought("a", "fund", 2, "view"), bought("b", "loan", 3, "holding"))
    with dataset_of(export(tmp_path, *history, bought("b", "loan", 4, "cancelled"))) as dataset:
        assert dataset.as_of(day(3)).held.toarray().tolist() == [[1, 0, 0], [0, 0, 1]]
        assert dataset.as_of(day(5)).held.toarray().tolist() == [[1, 0, 0]]


def test_every_offer_of_the_log_is_a_column_at_any_moment(tmp_path: Path) -> None:
    history = (bought("a", "x", 1), bought("a", "y", 9), bought("a", "z", 9, "declined"))
    with dataset_of(export(tmp_path, *history)) as dataset:
        assert dataset.as_of(day(1)).interactions.offer_ids == ("x", "y", "z")


def test_the_split_leaves_the_latest_purchases_to_the_test(tmp_path: Path) -> None:
    history = [bought("a", f"o{n}", n) for n in range(10)] + [bought("a", "o1", 50, "view")]
    with dataset_of(export(tmp_path, *history)) as dataset:
        assert dataset.split_at(0.2) == day(7)


def test_tasks_ask_for_what_was_bought_later_and_not_held_before(tmp_path: Path) -> None:
    history = (bought("a", "x", 1), bought("a", "x", 9), bought("a", "y", 9), bought("b", "x", 9), bought("c", "z", 1))
    with dataset_of(export(tmp_path, *history)) as dataset:
        tasks = dataset.tasks_after(day(5), dataset.as_of(day(5)))
    assert tasks.relevant.toarray().tolist() == [[0, 1, 0], [1, 0, 0]]
    assert tasks.histories.toarray().tolist() == [[1, 0, 0], [0, 0, 0]]
    assert tasks.excluded is not None
    assert tasks.excluded.toarray().tolist() == [[1, 0, 0], [0, 0, 0]]


def test_the_window_says_what_was_used_and_its_digest_follows_the_content(tmp_path: Path) -> None:
    history = [bought("a", "x", 1), bought("b", "y", 3)]
    windows = []
    for name, events in {"one": history, "turned": history[::-1], "more": [*history, bought("a", "x", 2)]}.items():
        with dataset_of(export(tmp_path / name, *events)) as dataset:
            windows.append(dataset.window())
    assert windows[0] == windows[1]
    assert (windows[0].events, windows[0].first, windows[0].last) == (2, day(1), day(3))
    assert windows[0].digest != windows[2].digest


def test_too_little_to_learn_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nbo features export"):
        dataset_of(tmp_path)
    with pytest.raises(ImportInvalid, match="no interactions"):
        dataset_of(export(tmp_path / "nothing", customers=(Customer("a"),)))
    with dataset_of(export(tmp_path / "declined", bought("a", "x", 1, "declined"))) as dataset:
        with pytest.raises(ImportInvalid, match="nothing to learn from"):
            dataset.split_at(0.2)
        with pytest.raises(ImportInvalid, match="no evidence"):
            dataset.as_of(day(5))
    with (
        dataset_of(export(tmp_path / "once", bought("a", "x", 1))) as dataset,
        pytest.raises(ImportInvalid, match="Nobody bought anything new"),
    ):
        dataset.tasks_after(day(1), dataset.as_of(day(1)))


def test_an_earlier_moment_is_what_the_log_knew_then_and_what_was_bought_in_its_window(tmp_path: Path) -> None:
    history = [
        bought("a", "card", 1), bought("a", "fund", 6, "view"), bought("b", "loan", 3, "holding"),
        bought("b", "loan", 4, "cancelled"), bought("a", "loan", 12), bought("b", "fund", 14), bought("c", "card", 19),
    ]  # fmt: skip
    later = [bought("a", "card", 10 + 1e-6 / 86_400), bought("b", "card", 25)]
    with dataset_of(export(tmp_path / "one", *history, bought("c", "loan", 30))) as dataset:
        now = dataset.with_facts(dataset.as_of(day(20)), day(20))
        assert now.interactions.earlier is not None
        past = now.interactions.earlier([10.0], 6.0)[0]
        assert past.known.matrix.toarray().tolist() == dataset.as_of(day(10)).interactions.matrix.toarray().tolist()
        assert past.customer_ids == ("a", "b")
        assert [past.known.offer_ids[column] for column in past.relevant.indices] == ["loan", "fund"]
        assert now.interactions.earlier([400.0], 6.0) == []
    with dataset_of(export(tmp_path / "two", *history, *later, bought("c", "loan", 30))) as dataset:
        now = dataset.with_facts(dataset.as_of(day(20)), day(20))
        assert now.interactions.earlier is not None
        again = now.interactions.earlier([10.0], 6.0)[0]
        assert again.known.matrix.toarray().tolist() == past.known.matrix.toarray().tolist()
        assert again.histories.toarray().tolist() == past.histories.toarray().tolist()

"""`nbo bench train`: one document from one run, at sizes that take seconds."""

import json
from pathlib import Path

import numpy as np

from serving.cli.bench.synthetic_events import Sizes, write_events
from tests.journeys.service import nbo
from tests.training.events import dataset_of

SMALL = ("--customers", "500", "--offers", "30", "--interactions", "5000", "--factors", "8", "--iterations", "2")


def test_the_benchmark_of_training_says_what_building_and_fitting_cost(tmp_path: Path) -> None:
    document = json.loads(nbo(tmp_path, "bench", "train", *SMALL, "--pairs", "2", "--threads", "1", "--json").stdout)
    assert document.keys() == {
        "customers", "offers", "interactions", "matrix_entries", "model", "factors", "iterations", "threads", "seed",
        "write_seconds", "apply_seconds", "window_seconds", "direct_window_seconds", "build_seconds",
        "direct_build_seconds", "build_over_direct", "build_rows_per_second", "build_peak_mib",
        "direct_build_peak_mib",
        "fit_seconds", "bare_seconds", "fit_over_bare", "fit_peak_mib", "bare_peak_mib",
    }  # fmt: skip
    assert document["fit_over_bare"] > 0
    assert document["build_over_direct"] > 0
    assert len(document["fit_seconds"]) == len(document["bare_seconds"]) == 2


def test_the_made_up_export_has_exactly_the_interactions_asked_for_and_follows_the_seed(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_events(tmp_path / name, Sizes(100, 20, 3000), np.random.default_rng(seed), lambda _done: None)
        with dataset_of(tmp_path / name) as dataset:
            window = dataset.window()
        assert window.events == 3000
        digests.append(window.digest)
    assert digests[0] == digests[1] != digests[2]


def test_customers_of_the_made_up_export_have_tastes_and_offers_are_not_equally_popular(tmp_path: Path) -> None:
    write_events(tmp_path, Sizes(200, 40, 20_000), np.random.default_rng(0), lambda _done: None)
    with dataset_of(tmp_path) as dataset:
        bought = dataset.as_of(dataset.window().last).interactions.matrix.toarray()
    popularity = (bought > 0).sum(axis=0)
    of_families = np.array([bought[:, family::10].sum(axis=1) for family in range(10)])
    assert popularity[:10].mean() > 1.5 * popularity[-10:].mean()
    assert np.median(of_families.max(axis=0) / of_families.sum(axis=0)) > 0.3


def test_a_model_without_a_library_beside_it_is_refused(tmp_path: Path) -> None:
    done = nbo(tmp_path, "bench", "train", "--model", "popularity", check=False)
    assert (done.returncode, "there is als" in done.stderr) == (2, True)

"""The propensity model: what it learns, that its contributions are exact, and that it is the same everywhere."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recsys.models.propensity_folder import load_propensity_model
from recsys.models.propensity_model import PropensityModel
from tests.recsys.models.propensity import SIGNALS, a_propensity_model, a_world


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("propensity") / "model"


@pytest.fixture(scope="module")
def model(folder: Path) -> PropensityModel:
    return a_propensity_model(folder)


def chance(log_odds: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def test_a_known_law_is_recovered(model: PropensityModel) -> None:
    table, _, truth = a_world(4_000, seed=9)
    assert np.abs(chance(model.log_odds(table)) - chance(truth)).mean() < 0.035
    assert model.relevance_weight == pytest.approx(0.8, abs=0.12)


def test_contributions_add_up_to_the_log_odds_also_where_signals_are_unknown(model: PropensityModel) -> None:
    table, _, _ = a_world(500, seed=1)
    table[:5], table[5, 2], table[6, 1] = np.nan, np.inf, -np.inf
    parts = model.contributions(table)
    assert parts.shape == (500, len(SIGNALS) + 2)
    assert np.abs(parts.sum(axis=1) - model.log_odds(table)).max() < 1e-9


def test_base_and_relevance_enter_as_they_are(model: PropensityModel) -> None:
    table, _, _ = a_world(50, seed=2)
    known = table[np.isfinite(table[:, 1])]
    parts = model.contributions(known)
    np.testing.assert_array_equal(parts[:, 0], known[:, 0])
    np.testing.assert_allclose(parts[:, 1], model.relevance_weight * known[:, 1])


def test_what_is_unknown_is_scored_as_nobody_in_particular(model: PropensityModel) -> None:
    unknown = np.full((1, len(SIGNALS)), np.nan)
    assert np.isfinite(model.log_odds(unknown)).all()
    assert model.contributions(unknown)[0, 1] == 0.0
    np.testing.assert_array_equal(model.log_odds(np.full_like(unknown, np.inf)), model.log_odds(unknown))


def test_what_was_declared_to_only_raise_or_lower_the_chance_does_so(model: PropensityModel) -> None:
    table, _, _ = a_world(300, seed=3)
    for column, sign in ((2, 1), (3, -1)):
        lower, higher = table.copy(), table.copy()
        lower[:, column], higher[:, column] = 0.0, 1.0
        assert (sign * (model.log_odds(higher) - model.log_odds(lower)) >= 0).all()


def test_rows_by_name_are_put_in_the_columns_and_strange_names_are_left_out(model: PropensityModel) -> None:
    table = model.table([{"noise": 1.5, "never heard of": 3.0, "relevance": None}, {}])
    assert table.shape == (2, len(SIGNALS))
    np.testing.assert_array_equal(np.isnan(table), [[True, True, True, True, False], [True] * 5])


def test_no_rows_are_no_answers_and_another_width_is_refused(model: PropensityModel) -> None:
    empty = np.empty((0, len(SIGNALS)))
    assert model.log_odds(empty).shape == (0,)
    assert model.contributions(empty).shape == (0, len(SIGNALS) + 2)
    with pytest.raises(ValueError, match="5 columns"):
        model.log_odds(np.zeros((3, 4)))


def test_one_row_gets_the_same_bits_as_among_others(model: PropensityModel) -> None:
    table, _, _ = a_world(50, seed=4)
    alone = np.concatenate([model.log_odds(row[None]) for row in table])
    assert alone.tobytes() == model.log_odds(table).tobytes()


def test_fitted_again_it_is_the_same_version_and_another_seed_is_another(
    tmp_path: Path, model: PropensityModel
) -> None:
    assert a_propensity_model(tmp_path / "again").version == model.version
    assert a_propensity_model(tmp_path / "other", seed=1).version != model.version


def test_another_process_gets_the_same_bits(folder: Path, model: PropensityModel) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from recsys.models.propensity_folder import load_propensity_model\n"
        "from tests.recsys.models.propensity import a_world\n"
        "model = load_propensity_model(Path(sys.argv[1]))\n"
        "print(model.version, model.log_odds(a_world(200, seed=5)[0]).tobytes().hex())"
    )
    said = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True).stdout
    assert said.split() == [model.version, model.log_odds(a_world(200, seed=5)[0]).tobytes().hex()]
    assert load_propensity_model(folder, model.version).signals == SIGNALS

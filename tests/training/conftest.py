"""One real MLflow registry with its tables made once, copied for every test that writes."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with MLflow's tables and nothing in them."""
    folder = tmp_path_factory.mktemp("mlflow")
    from mlflow.tracking import MlflowClient

    MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}").search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def tracking_uri(tables: Path, tmp_path: Path) -> str:
    """The address of a registry that nobody has used."""
    (tmp_path / "mlflow").mkdir()
    shutil.copy(tables, tmp_path / "mlflow" / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}"

"""The plain `feast` command sees the same feature store as the service."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from features.feast_store import PATIENCE_OF_BATCHES, open_store
from tests.features.conftest import Settings

ROOT = Path(__file__).parents[2]


def test_the_file_says_what_the_code_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBO_HOME", str(tmp_path))
    monkeypatch.setenv("NBO_REDIS_URL", "redis://localhost/3")
    of_code = open_store(
        Settings(tmp_path, tmp_path / "offline", None), "redis://localhost/3", PATIENCE_OF_BATCHES
    ).config
    from feast.repo_config import load_repo_config  # only now: `open_store` minds what importing Feast does

    of_file = load_repo_config(ROOT, ROOT / "feature_store.yaml")
    assert of_file.registry.model_dump(exclude={"cache_mode"}) == of_code.registry.model_dump(exclude={"cache_mode"})
    assert of_file.online_store.model_dump() == of_code.online_store.model_dump()
    assert of_file.offline_store.model_dump() == of_code.offline_store.model_dump()
    assert of_file.materialization_config == of_code.materialization_config
    assert of_file.project == of_code.project


def test_feast_ignores_every_python_file_outside_features() -> None:
    ignored = {line.strip() for line in (ROOT / ".feastignore").read_text().splitlines()}
    holding_python = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("**/*.py")}
    assert holding_python - ignored - {".git"} == {"features"}


@pytest.mark.slow
def test_feast_apply_works_in_a_clean_copy(tmp_path: Path) -> None:
    for name in ("features", "recsys", "serving", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("feature_store.yaml", ".feastignore"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "var" / "feast").mkdir(parents=True)
    environment = {**os.environ, "NBO_HOME": "var", "NBO_REDIS_URL": "unix:///tmp/not-used.sock"}
    feast = [str(Path(sys.executable).with_name("feast"))]
    for command in (["apply"], ["feature-views", "list"]):
        done = subprocess.run(feast + command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert {"customer_profile", "customer_interactions", "offer_answers"} <= set(done.stdout.split())

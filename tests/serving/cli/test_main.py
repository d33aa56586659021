"""The command line as a whole: quick to answer, one line when it fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.features.own import declared_as
from tests.journeys.service import nbo


def test_help_imports_none_of_the_heavy_libraries() -> None:
    heavy = {"feast", "mlflow", "pandas", "numpy", "sqlalchemy", "fastapi", "implicit", "pydantic"}
    code = f"import sys, serving.cli.main as main; main.build(); print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "variable", "value", "said"),
    [
        (["doctor"], "NBO_AUTH", "wrong", "NBO_AUTH"),
        (["init"], "NBO_DATABASE_URL", "mysql://x", "NBO_DATABASE_URL"),
        (["serve", "--host", "0.0.0.0"], "NBO_AUTH", "demo", "127.0.0.1"),
        (["serve"], "NBO_AUTH", "oidc", "not built yet"),
        (["import", "/no/such/folder"], "NBO_AUTH", "demo", "no directory"),
    ],
)
def test_a_failure_is_one_line_and_exit_code_1(
    arguments: list[str], variable: str, value: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    done = nbo(tmp_path, *arguments, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("nbo: ")]
    assert done.returncode == 1
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in done.stderr


def test_of_several_complaints_each_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "mine.py").write_text(declared_as('Feature("email", str), Feature("vulnerable", bool)'))
    (tmp_path / "bank" / "other.py").write_text("broken (")
    monkeypatch.setenv("NBO_FEATURES", str(tmp_path / "bank"))
    done = nbo(tmp_path / "home", "features", "apply", check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("nbo: ")]
    assert done.returncode == 1
    assert [place in line for place, line in zip(("other.py", "email", "vulnerable"), lines, strict=True)] == [True] * 3

"""`nbo experiment` as a user runs it, for the tests of its commands."""

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from serving.cli.main import main


class Done(NamedTuple):
    """How the command ended and what it printed."""

    code: Any
    output: str
    errors: str

    @property
    def document(self) -> Any:
        """The one document that was printed."""
        return json.loads(self.output)


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs `nbo experiment` with the arguments."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["nbo", "experiment", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code, *capsys.readouterr())

    return run

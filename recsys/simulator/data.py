"""The data files of the simulated bank: its names, its catalogue, the tastes behind it and what customers say."""

from importlib.resources import files
from typing import Any

import yaml


def load_yaml(name: str) -> Any:
    """Return the content of one of this package's data files."""
    return yaml.safe_load((files("recsys.simulator") / name).read_text(encoding="utf-8"))

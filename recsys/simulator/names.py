"""The names of the simulated bank's customers: common ones, freely combined, of nobody in particular."""

import numpy as np
from numpy.typing import NDArray

from recsys.simulator.chance import Generator
from recsys.simulator.data import load_yaml


def draw_names(is_chinese: NDArray[np.bool_], rng: Generator) -> list[str]:
    """Return one full name for each entry, Chinese (family name first) or English."""
    names = load_yaml("names.yaml")
    family, given = rng.random(len(is_chinese)), rng.random(len(is_chinese))
    return [
        _pick(names["chinese_family"], a) + _pick(names["chinese_given"], b)
        if chinese
        else f"{_pick(names['english_given'], b)} {_pick(names['english_family'], a)}"
        for chinese, a, b in zip(is_chinese.tolist(), family.tolist(), given.tolist(), strict=True)
    ]


def _pick(names: list[str], at: float) -> str:
    return names[int(at * len(names))]

"""What the bank's sources and functions say is taken where it can be kept everywhere, and refused by name elsewhere."""

import math
from contextlib import suppress
from enum import IntFlag, StrEnum
from pathlib import Path

import numpy as np
import orjson
import pytest
from pyarrow.parquet import read_table

from features.feature_tables import OwnTable
from features.own_discovery import find_declared
from features.own_features import TYPES, said_of, typed
from features.own_tables import build_own_tables
from tests.features.conftest import NOW
from tests.features.own import payroll_folder
from tests.features.test_own_features import ATTRIBUTES


@pytest.mark.parametrize("text", ["x" * 10_001, "a\0b"])
def test_a_text_that_cannot_be_kept_is_one_line_and_the_longest_is_kept_whole(text: str, tmp_path: Path) -> None:
    folder = payroll_folder(tmp_path / "bank", [("c1", NOW, 1.0, "客" * 10_000)])
    assert build_own_tables(find_declared(folder, ATTRIBUTES), tmp_path / "tables", NOW).problems == ()
    payroll_folder(tmp_path / "bank", [("c1", NOW, 1.0, "rail"), ("c2", NOW, 1.0, text)])
    (line,) = build_own_tables(find_declared(folder, ATTRIBUTES), tmp_path / "tables", NOW).problems
    said = "column employer_sector: expected str of at most 10000 characters without NUL, found 1 others, the first of "
    assert f"{said}customer c2" in line
    (kept,) = read_table(OwnTable("payroll").file(tmp_path / "tables")).to_pylist()
    assert kept["employer_sector"] == "客" * 10_000


class Derived(StrEnum):
    TEXT = "text"


class Number(IntFlag):
    ONE = 1


def test_what_is_taken_as_a_value_can_be_written_everywhere_and_nothing_else_is_taken() -> None:
    rng = np.random.default_rng(3)
    letters = np.array(["a", "客", "\0", "\ud800", "\udfff", "\uffff", "🏦", "\n"], object)
    texts = ["".join(rng.choice(letters, size)) for size in rng.integers(0, 4, 300)]
    texts += ["x" * 10_000, "x" * 10_001, Derived.TEXT]
    numbers = [True, 0, -(2**63), 2**63, 10**400, 1.5, math.inf, np.float64(2.5), np.int64(3), Number.ONE]
    for value in (*texts, *numbers, b"x", []):
        for kind, wanted in TYPES.items():
            taken = _taken(value, kind)
            assert taken is None or (type(taken) is wanted and taken == value)
            assert len(orjson.dumps(taken)) <= 10_000 + 2
            assert "\0" not in str(taken)
    assert [typed(text, "str") for text in ("", "客🏦", "x" * 10_000)] == ["", "客🏦", "x" * 10_000]


def _taken(value: object, kind: str) -> object:
    with suppress(TypeError):
        return typed(value, kind)
    return None


class _Mute(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize("error", [ValueError("\ud800\0"), _Mute(), ValueError("x" * 10**7)])
def test_whatever_a_function_raises_is_said_in_a_line_that_can_be_written(error: Exception) -> None:
    assert len(orjson.dumps(said_of(error))) < 300
    assert said_of(error).startswith(type(error).__name__)
    assert "\0" not in said_of(error)

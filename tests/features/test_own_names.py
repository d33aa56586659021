"""A name means one thing: names that differ by case alone are one, and no word of the rule language is a name."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow.parquet import write_table
from sqlglot import Tokenizer

from features.own_discovery import find_declared
from features.own_tables import build_own_tables
from recsys.domain.errors import FeaturesInvalid, RuleError
from recsys.domain.identifier import same_names
from recsys.rules import BUILT_IN, ValueType, parse_rule
from recsys.rules.syntax import RESERVED
from tests.features.conftest import NOW
from tests.features.own import MOMENT, declared_as

TAKEN = [*BUILT_IN, "customer_id", "known_at", "event_timestamp", "channel_phone", "accepted_count_365d", "attr_income",
         "days_since_last_answer", "last_visit_at", "age", "Income", "relevance"]  # fmt: skip


def written_otherwise(name: str, rng: np.random.Generator) -> str:
    """Return the name with each letter large or small by chance."""
    is_large = rng.random(len(name)) < 0.5
    return "".join(one.upper() if large else one.lower() for one, large in zip(name, is_large, strict=True))


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_that_is_taken_is_taken_however_it_is_written(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(len(name))
    for written in (name, name.upper(), *(written_otherwise(name, rng) for _ in range(5))):
        (tmp_path / "mine.py").write_text(declared_as(f"Feature({written!r}, float)"))
        with pytest.raises(FeaturesInvalid) as refused:
            find_declared(tmp_path, ["age", "Income"])
        (line,) = refused.value.problems
        assert f"feature {written}: " in line


def test_two_features_whose_names_differ_by_case_are_one_line_that_names_both(tmp_path: Path) -> None:
    more = "@v.transformation()\ndef VISITS(score: float | None) -> float | None:\n    return score\n"
    (tmp_path / "a.py").write_text(declared_as('Feature("visits", int), Feature("score", float)', more, name="one"))
    (tmp_path / "b.py").write_text(declared_as('Feature("Score", float)', name="two"))
    with pytest.raises(FeaturesInvalid) as refused:
        find_declared(tmp_path)
    of_function, of_view = refused.value.problems
    assert "feature VISITS: view one has a feature called visits; names that differ by their case alone" in of_function
    assert "view two, feature Score: view one has a feature called score; names that differ" in of_view


def test_a_file_with_two_columns_of_one_name_is_one_line(tmp_path: Path) -> None:
    columns = {"Customer_Id": ["c9"], "customer_id": ["c1"], "known_at": pa.array([NOW], MOMENT), "visits": [1]}
    write_table(pa.table(columns), tmp_path / "x.parquet")
    (tmp_path / "mine.py").write_text(declared_as('Feature("visits", int)'))
    (line,) = build_own_tables(find_declared(tmp_path), tmp_path / "tables", NOW).problems
    assert "column customer_id: found several whose names differ by their case: Customer_Id, customer_id" in line


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_a_word_of_the_rule_language_is_no_name_of_a_feature(word: str, tmp_path: Path) -> None:
    for written in (word, word.lower(), word.title()):
        (tmp_path / "mine.py").write_text(declared_as(f"Feature({written!r}, float)"))
        with pytest.raises(FeaturesInvalid, match=f"feature {written}: it is a word of the rule language"):
            find_declared(tmp_path)


def test_every_word_that_a_rule_does_not_read_as_a_name_is_reserved() -> None:
    for word in ("date", "rank", "percent", "visits", "length", *map(str, Tokenizer.KEYWORDS)):
        if not word.isidentifier():
            continue
        try:
            is_name = parse_rule(f"{word} = 1", {word: ValueType.NUMBER}).names == {word}
        except RuleError:
            is_name = False
        assert is_name or word in RESERVED, word


def test_names_are_compared_by_form_and_told_as_each_side_writes_them() -> None:
    found = same_names(["Age", "straße", "rate"], ["AGE", "STRASSE", "rates"])
    assert found == {"Age": "AGE", "straße": "STRASSE"}

"""Skew by generation: what differs on purpose is found, and nothing else."""

import json
import math
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.from_events import INTERACTION_FEATURES, age_name
from features.skew import LEAST_PAIRS, SkewReport, measure_skew, read_report, told_features
from recsys.domain.customer import AttributeValue

NUMBERS = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
VALUES = st.one_of(st.none(), NUMBERS, st.integers(0, 9), st.booleans(), st.sampled_from(["phone", "投诉", ""]))
ROWS = st.lists(st.dictionaries(st.sampled_from(["age", "last_answer", "held"]), VALUES), min_size=1, max_size=30)


@given(ROWS)
def test_the_same_values_never_differ(rows: list[dict[str, AttributeValue]]) -> None:
    blurred: list[dict[str, AttributeValue]] = [
        {name: value * (1 + 1e-9) if isinstance(value, float) else value for name, value in row.items()} for row in rows
    ]
    assert [one for one in measure_skew(rows, blurred) if one.different] == []


@given(ROWS, st.data())
def test_every_value_that_is_changed_is_counted(rows: list[dict[str, AttributeValue]], data: st.DataObject) -> None:
    places = [(place, name) for place, row in enumerate(rows) for name, value in row.items() if value is not None]
    changed = data.draw(st.sets(st.sampled_from(places))) if places else set()
    other = [dict(row) for row in rows]
    for place, name in changed:
        value = other[place][name]
        gone = data.draw(st.booleans())
        other[place][name] = None if gone else f"not {value}" if isinstance(value, str) else 1e9
    found = measure_skew(rows, other)
    assert sum(one.different for one in found) == len(changed)
    assert {one.feature: one.decisions for one in found} == Counter(name for row in rows for name in row)
    assert sum(one.joined_only for one in found) == 0


def test_unknown_and_missing_are_the_same() -> None:
    (one,) = measure_skew([{"age": math.nan}, {"age": None}, {"age": None}], [{}, {"age": math.nan}, {"age": 3.0}])
    assert (one.decisions, one.pairs, one.different, one.joined_only) == (3, 1, 1, 1)


def test_a_feature_is_compared_in_the_decisions_that_it_was_served_to() -> None:
    before: list[dict[str, AttributeValue]] = [{"age": 30.0}] * 900
    told: dict[str, AttributeValue] = {"age": 30.0, "paid": 1.0}
    since = [told] * 90 + [{**told, "paid": None}] * 10
    found = {one.feature: one for one in measure_skew(before + since, [told] * 1_000)}
    assert (found["age"].decisions, found["age"].different) == (1_000, 0)
    assert (found["paid"].decisions, found["paid"].joined_only, found["paid"].share) == (100, 10, 0.1)
    assert found["paid"].is_skewed


CUSTOMER = {"kind": "customer", "language": None, "segment": "gold", "risk_level": 3, "attributes": {"rooms": 2.0}}


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({}, set()),  # before format 4 a record does not say where the facts came from
        ({"profile": {"age": None}}, {"age"}),
        ({"profile": None}, {"kind", "language", "segment", "risk_level", "rooms"}),
        ({"profile": {}, "own": {"paid": None}, "unread": ["other"]}, {"paid"}),
    ],
)
def test_a_record_names_what_was_served_also_where_nothing_was_known(more: dict[str, Any], named: set[str]) -> None:
    told = told_features({"customer": CUSTOMER, "features": {"held_count": 1}, **more})
    assert told["held_count"] == 1
    assert told["days_since_last_complaint"] is None
    ours = {age_name(name) or name for name in INTERACTION_FEATURES}
    assert told.keys() - ours == named


def test_what_another_function_computed_was_another_feature() -> None:
    inputs = {"features": {}, "own": {"paid": 1.0, "share": 0.5}, "own_code": {"share": "old"}}
    ours = {age_name(name) or name for name in INTERACTION_FEATURES}
    assert told_features(inputs, {"share": "old"}).keys() - ours == {"paid", "share"}
    assert told_features(inputs, {"share": "new"}).keys() - ours == {"paid"}
    assert told_features(inputs).keys() - ours == {"paid"}


def test_a_report_that_an_older_version_kept_is_read(tmp_path: Path) -> None:
    SkewReport(datetime(2026, 1, 1, tzinfo=UTC), 2, 0, measure_skew([{"age": 1}], [{"age": 1}])).write(tmp_path / "s")
    kept = json.loads((tmp_path / "s").read_text())
    del kept["features"][0]["decisions"]
    (tmp_path / "s").write_text(json.dumps(kept))
    read = read_report(tmp_path / "s")
    assert read is not None
    assert read.features[0].decisions == 1


def test_a_report_is_kept_and_names_what_is_skewed(tmp_path: Path) -> None:
    logged: list[dict[str, AttributeValue]] = [{"age": 30.0, "held": 1}] * LEAST_PAIRS
    changed: list[dict[str, AttributeValue]] = [{"age": 31.0, "held": 1}] * 3
    joined = changed + logged[3:]
    report = SkewReport(datetime(2026, 1, 1, tzinfo=UTC), LEAST_PAIRS, 0, measure_skew(logged, joined))
    report.write(tmp_path / "home" / "skew.json")
    assert read_report(tmp_path / "home" / "skew.json") == report
    assert read_report(tmp_path / "none.json") is None
    assert [(one.feature, one.share) for one in report.skewed] == [("age", 0.03)]

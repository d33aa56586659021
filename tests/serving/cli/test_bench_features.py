"""`nbo bench features` on a small export: every figure is there, and what it compares is the same."""

import json
from typing import Any

from typer.testing import CliRunner

from serving.cli.main import build


def test_the_join_says_what_duckdb_says_and_every_part_is_measured() -> None:
    asked = ["bench", "features", "--customers", "300", "--interactions", "3000", "--labels", "300", "--reads", "20"]
    answered = CliRunner().invoke(build(), [*asked, "--json"], catch_exceptions=False)
    assert answered.exit_code == 0, answered.output
    document: dict[str, Any] = json.loads(answered.stdout)
    join, materialise, read = document["join"], document["materialise"], document["read_ms"]
    assert (join["labels"], join["features_that_differ"]) == (300, 0)
    assert join["features"] > 10
    assert (materialise["rows"], materialise["nothing_changed_rows"]) == (900, 0)
    assert 0 < read["bare_hgetall"]["p50"] < read["all_views"]["p50"]

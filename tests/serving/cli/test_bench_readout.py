"""`nbo bench readout` at a small size says everything it promises, on both databases."""

import json

import pytest
from typer.testing import CliRunner

from serving.cli.main import build


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_totals_are_right_and_everything_is_timed(kind: str, request: pytest.FixtureRequest) -> None:
    words = ["bench", "readout", "--units", "3000", "--days", "10", "--agents", "4", "--written", "10"]
    if kind == "postgresql":
        words += ["--database", request.getfixturevalue("postgresql_url")]
    result = CliRunner().invoke(build(), [*words, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["wrong_totals"], document["matured_units"] < 3000, document["database"]) == (0, True, kind)
    assert {"one query over all units", "readout of every metric by arm and agent_id"} <= document["seconds"].keys()
    assert document["microseconds"]["enrol"] > 0

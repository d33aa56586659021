"""`nbo bench what-if` at a small size says everything it promises."""

import json

from typer.testing import CliRunner

from serving.cli.main import build


def test_stages_memory_and_the_reading_of_a_log_are_measured() -> None:
    words = ["bench", "what-if", "--customers", "1000", "--offers", "20", "--logged", "50", "--model", "item_item"]
    result = CliRunner().invoke(build(), [*words, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert {"rules, judged", "relevance", "decisions", "comparison"} <= document["thread_seconds_by_stage"].keys()
    assert (document["event_log"]["customers"], document["distinct_rules"]) == (50, 20)
    assert document["peak_mib"] > 0 < document["lists_changed_share"]

"""`nbo bench fold-in` and `nbo bench cold-start` at small sizes."""

import json
from typing import Any

from typer.testing import CliRunner

from serving.cli.main import build


def answer(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(build(), [*words, "--json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_fold_in_measures_time_and_parity_of_every_family_asked_for() -> None:
    sizes = ("--customers", "300", "--offers", "30", "--interactions", "6000", "--factors", "8")
    document = answer("bench", "fold-in", "--model", "als,blend", *sizes)
    assert document["models"].keys() == {"als", "blend"}
    for found in document["models"].values():
        assert 0 < found["parity"]["overlap"]["mean"] <= 1
        assert found["parity"]["list_length"] == 10
        assert min(found["batch_ms"], found["single_p50_ms"], found["single_p99_ms"]) > 0


def test_cold_starts_compare_with_popularity_for_new_people_and_new_offers() -> None:
    document = answer("bench", "cold-start", "--customers", "800")
    assert document["cold_starts"].keys() == {"people without history", "new offers among each other"}
    for found in document["cold_starts"].values():
        assert found["tasks"] > 50
        models = found["models"]
        difference = models["lightfm"]["NDCG@5 against popularity"]["mean"]
        assert abs(models["lightfm"]["NDCG@5"]["mean"] - models["popularity"]["NDCG@5"]["mean"] - difference) < 1e-5
        assert models["popularity"]["NDCG@5 against popularity"] == {"mean": 0, "low": 0, "high": 0}


def test_both_say_it_in_readable_lines() -> None:
    runner = CliRunner()
    shown = runner.invoke(build(), ["bench", "cold-start", "--customers", "500"]).stdout
    assert "people without history" in shown
    assert "lightfm" in shown
    words = ["bench", "fold-in", "--customers", "100", "--offers", "10", "--interactions", "1000", "--model", "ease"]
    assert "overlap with a refit" in runner.invoke(build(), words).stdout

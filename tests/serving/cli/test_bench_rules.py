"""`nbo bench rules`: what a rule costs, beside the same in Python."""

import json

from typer.testing import CliRunner

from serving.cli.main import build


def test_the_benchmark_of_rules_says_what_each_costs_beside_python() -> None:
    words = ["bench", "rules", "--evaluations", "2000", "--rounds", "2", "--json"]
    document = json.loads(CliRunner().invoke(build(), words).stdout)
    assert len(document["rules"]) >= 5
    for found in document["rules"]:
        assert found["rule_ns"] > found["python_ns"] > 0


def test_a_typical_eligibility_rule_takes_two_microseconds_at_most() -> None:
    words = ["bench", "rules", "--evaluations", "20000", "--rounds", "5", "--json"]
    typical = json.loads(CliRunner().invoke(build(), words).stdout)["rules"][0]
    assert "segment IN" in typical["rule"]
    assert typical["rule_ns"] <= 2000 or typical["times_python"] <= 10  # the latter where the machine is slow

"""`nbo demo`: what it builds, and that it neither builds twice nor over another bank."""

from pathlib import Path

from tests.journeys.service import nbo, nbo_json

BANK = ["--customers", "600", "--months", "6"]


def test_the_demo_prints_customers_features_metrics_against_popularity_and_the_version(demo_home: Path) -> None:
    said = nbo(demo_home, "demo", "--no-serve", *BANK).stdout
    for what in ("customers   600", "customer_interactions 600 rows", "(the baseline)", "against popularity", "m-"):
        assert what in said


def test_a_finished_demo_is_found_rather_than_built_again(demo_home: Path) -> None:
    first, second = (nbo_json(demo_home, "demo", "--no-serve", *BANK) for _ in range(2))
    assert first == second
    assert nbo_json(demo_home, "models", "list")["versions"][0]["aliases"] == ["champion"]


def test_the_demo_refuses_a_home_with_another_bank(demo_home: Path, tmp_path: Path) -> None:
    other = nbo(demo_home, "demo", "--no-serve", "--customers", "700", check=False)
    nbo(tmp_path, "init")
    own = nbo(tmp_path, "demo", "--no-serve", check=False)
    assert (other.returncode, own.returncode) == (1, 1)
    assert "holds another bank (customers 600" in other.stderr
    assert "a bank of your own" in own.stderr

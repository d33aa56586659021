"""`nbo demo`: what it builds, and that it neither builds twice nor over another bank."""

import json
import os
import subprocess
import time
from pathlib import Path

from experiments.readout import read_out
from recsys.domain.clock import system_clock
from recsys.storage.database import open_database
from serving.cli.lived_weeks import DAYS
from serving.settings import Settings
from tests.journeys.service import NBO, nbo, nbo_json

BANK = ["--customers", "600", "--months", "6"]


def test_the_demo_prints_customers_features_metrics_against_popularity_and_the_version(demo_home: Path) -> None:
    said = nbo(demo_home, "demo", "--no-serve", *BANK).stdout
    for what in ("customers   600", "customer_interactions 600 rows", "(the baseline)", "against popularity", "m-"):
        assert what in said


def test_a_finished_demo_is_found_rather_than_built_again(demo_home: Path) -> None:
    first, second = (nbo_json(demo_home, "demo", "--no-serve", *BANK) for _ in range(2))
    assert first == second
    versions = nbo_json(demo_home, "models", "list")["versions"]
    assert [one["aliases"] for one in versions] == [[], ["champion"]], "a challenger has learned from the last weeks"
    assert first["learned"] == {"relevance": versions[0]["version"], "propensity": None}


def test_the_demo_refuses_a_home_with_another_bank(demo_home: Path, tmp_path: Path) -> None:
    other = nbo(demo_home, "demo", "--no-serve", "--customers", "700", check=False)
    nbo(tmp_path, "init")
    own = nbo(tmp_path, "demo", "--no-serve", check=False)
    assert (other.returncode, own.returncode) == (1, 1)
    assert "holds another bank (customers 600" in other.stderr
    assert "a bank of your own" in own.stderr


def test_campaigns_have_lived_through_three_weeks_and_keep_every_step(demo_home: Path) -> None:
    settings = Settings(home=demo_home)
    database = open_database(settings.event_log_url)
    with database.read() as log:
        campaigns = {one.plan["name"]: one for one in log.campaigns()}
        travel = campaigns["Travel card to the front"]
        readout = read_out(log, travel, system_clock())
    database.close()
    assert [one.status for one in campaigns.values()].count("running") == 3
    assert campaigns["Savings for the young"].status == "draft"
    assert (travel.author, travel.approver) == ("mei", "ines")
    assert readout.units > readout.matured_units > 50
    for steps in readout.funnel.values():
        counts = [steps[step] for step in ("assigned", "recommended", "seen", "pitched", "answered")]
        assert counts == sorted(counts, reverse=True)
        assert counts[-1] > 0


def test_an_interrupted_demo_goes_on_with_the_day_it_was_in(tmp_path: Path) -> None:
    bank = ("--customers", "200", "--months", "3")
    home = tmp_path / "home"
    with (tmp_path / "log").open("w") as log:
        command = [*NBO, "demo", "--no-serve", *bank]
        process = subprocess.Popen(command, env={**os.environ, "NBO_HOME": str(home)}, stdout=log, stderr=log)
    while not 0 < _days_lived(home) < DAYS:
        assert process.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.02)
    process.kill()
    process.wait(10)
    before = _days_lived(home)
    assert 0 < before < DAYS
    assert nbo_json(home, "demo", "--no-serve", *bank)["lived"]["campaigns"] == 4
    database = open_database(Settings(home=home).event_log_url)
    with database.read() as log:
        assert len(log.campaigns()) == 4
    database.close()


def _days_lived(home: Path) -> int:
    try:
        return int(json.loads((home / "demo.json").read_text()).get("days_lived", 0))
    except (FileNotFoundError, json.JSONDecodeError):
        return 0

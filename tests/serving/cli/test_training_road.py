"""`nbo train` reads through Feast or not at all: what it says without, and what makes another version."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from recsys.domain.errors import InvalidInput
from recsys.models.bundle_files import load_bundle
from serving.cli.main import build, main
from serving.settings import Settings
from training.registry import Registry

PEOPLE = 80


def nbo(*words: object) -> dict[str, Any]:
    result = CliRunner().invoke(build(), [*map(str, words), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with an event log of two tastes and two segments, and the directory it was imported from."""
    monkeypatch.setenv("NBO_HOME", str(tmp_path / "home"))
    directory = tmp_path / "import"
    directory.mkdir()
    rng, rows = np.random.default_rng(0), []
    for number in range(PEOPLE):
        for place, offer in enumerate(rng.permutation(10)[:6]):
            at = f"2026-{1 + place:02d}-{int(rng.integers(1, 28)):02d}T10:00:00Z"
            rows.append(f"客户{number:03d},{'ab'[number % 2]}{offer},{at},accepted,,1")
    header = "customer_id,offer_id,occurred_at,event,channel,weight"
    (directory / "interactions.csv").write_text("\n".join([header, *rows]) + "\n")
    write_customers(directory, ["gold" if number % 2 else "mass" for number in range(PEOPLE)])
    nbo("import", directory)
    return directory


def write_customers(directory: Path, segments: list[str], **columns: list[str]) -> None:
    """Write the customers' file; imported again, it is what is known from then on."""
    names = ["customer_id", "segment", *columns]
    rows = zip([f"客户{number:03d}" for number in range(PEOPLE)], segments, *columns.values(), strict=True)
    (directory / "customers.csv").write_text("\n".join([",".join(names), *(",".join(row) for row in rows)]) + "\n")


def set_up() -> None:
    nbo("features", "export")
    nbo("features", "apply")


def train(*words: object) -> dict[str, Any]:
    return nbo("train", "--model", *words)


@pytest.mark.usefixtures("bank")
def test_a_home_without_feast_cannot_train_and_one_line_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nbo("features", "export")  # tables alone are not enough
    for words in ([], ["--propensity"]):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["nbo", "train", "--model", "als", "--seed", "7", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        (line,) = capsys.readouterr().err.splitlines()
        assert ended.value.code == 1
        assert "`nbo features export`" in line
        assert "`nbo features apply`" in line


def test_one_command_trains_on_the_log_as_it_is_now_and_another_interaction_is_another_version(bank: Path) -> None:
    set_up()
    one, again = train("item_item"), train("item_item")
    assert one["version"] == again["version"]
    with (bank / "interactions.csv").open("a") as file:
        file.write("客户000,b1,2026-02-01T10:00:00Z,view,,1\n")
    nbo("import", bank)
    assert train("item_item")["version"] != one["version"]


@pytest.mark.usefixtures("bank")
def test_missing_tables_say_what_to_run() -> None:
    set_up()
    settings = Settings()
    (settings.offline / "features" / "customer_profile.parquet").unlink()
    with pytest.raises(InvalidInput, match="customer_profile is missing: run `nbo features export`"):
        train("item_item", "--events", settings.events)
    (settings.offline / "features" / "as_of.json").unlink()
    with pytest.raises(InvalidInput, match="no feature tables yet: run `nbo features export`"):
        train("item_item", "--events", settings.events)


def test_a_fact_of_one_customer_is_another_version_of_a_model_that_reads_facts(bank: Path, tmp_path: Path) -> None:
    set_up()
    registry = Registry(Settings().tracking_uri)
    one = load_bundle(registry.fetch(train("lightfm")["version"], tmp_path / "bundles"))
    assert one.uses_facts
    assert train("lightfm")["version"] == one.version
    write_customers(bank, ["gold" if number % 2 or number == 0 else "mass" for number in range(PEOPLE)])
    nbo("import", bank)
    changed = load_bundle(registry.fetch(train("lightfm")["version"], tmp_path / "bundles"))
    assert changed.version != one.version
    learned_from, now = (bundle.manifest["training"]["features"] for bundle in (one, changed))
    assert {name for name in now if now[name] != learned_from[name]} == {"facts_digest"}
    assert (now["service"], now["views"]) == ("relevance_v1", {"customer_profile": "v0", "interaction_events": "v0"})


def test_an_attribute_that_nobody_applied_is_named_and_not_read(bank: Path) -> None:
    set_up()
    write_customers(bank, ["mass"] * PEOPLE, city=["上海", "Bonn"] * (PEOPLE // 2))
    nbo("import", bank)
    found = train("item_item")
    assert found["not_applied"] == ["attr_city"]
    shown = CliRunner().invoke(build(), ["train", "--model", "item_item"]).stdout
    assert "Not read, because not applied yet: attr_city; run `nbo features apply`." in shown
    nbo("features", "apply")
    assert train("item_item")["not_applied"] == []


def test_an_attribute_that_is_gone_is_said_before_training(bank: Path) -> None:
    write_customers(bank, ["mass"] * PEOPLE, city=["上海", "Bonn"] * (PEOPLE // 2))
    nbo("import", bank)
    set_up()
    settings = Settings()
    for name in ("customers", "customer_versions"):
        _drop(settings.events / f"{name}.parquet", "attr_city")
    _drop(settings.offline / "features" / "customer_profile.parquet", "attr_city")
    with pytest.raises(InvalidInput, match="have no attr_city any more: run `nbo features apply`"):
        train("item_item", "--events", settings.events)


def test_definitions_over_the_files_of_another_home_are_not_read(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up()
    copy = bank.parent / "copy"
    shutil.copytree(Settings().home, copy)
    monkeypatch.setenv("NBO_HOME", str(copy))
    with pytest.raises(InvalidInput, match=r"is applied over other files than .*: run `nbo features apply`"):
        train("item_item")
    nbo("features", "apply")
    assert train("item_item")["version"]


def _drop(file: Path, column: str) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pq.ParquetFile(file).read().drop_columns([column]), file)


@pytest.mark.usefixtures("bank")
def test_the_worth_of_views_is_told_without_registering_anything() -> None:
    set_up()
    found = nbo("features", "worth", "--model", "item_item")
    helps = {(one["model"], one["view"]): one["verdict"] for one in found["worth"]}
    assert helps["item_item", "customer_history"] == "helps"
    assert "500 are needed" in found["chance_left_out"]
    assert nbo("models", "list")["versions"] == []

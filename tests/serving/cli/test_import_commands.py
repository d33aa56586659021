"""`nbo init` and `nbo import` as a user runs them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from serving.cli.main import main

INTERACTIONS = "customer_id,offer_id,occurred_at\nc1,card,2026-01-01\n"


class Done(NamedTuple):
    """How a command ended and what it printed."""

    code: Any
    output: str
    errors: str


@pytest.fixture
def nbo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs the command line with all state below a temporary home."""
    monkeypatch.setenv("NBO_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["nbo", *arguments, "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code, *capsys.readouterr())

    return run


def test_init_makes_the_tables_and_can_be_repeated(nbo: Callable[..., Done]) -> None:
    for _ in range(2):
        assert json.loads(nbo("init").output)["rows"]["customers"] == 0


def test_import_reports_what_became_of_every_row(nbo: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text(INTERACTIONS + "c2,,2026-01-01\n")
    done = nbo("import", str(tmp_path))
    report = json.loads(done.output)
    assert done.code == 1
    counts = ("read", "added", "changed", "already_there", "rejected")
    assert [report["files"]["interactions.csv"][name] for name in counts] == [2, 1, 0, 0, 1]
    assert report["problems"] == ["interactions.csv: 1 of 2 rows were rejected (50.0%)."]
    assert "what was good is saved" in done.errors
    assert Path(report["rejected_path"]).read_text().splitlines()[1:] == ["interactions.csv,3,offer_id,is empty"]


def test_import_takes_a_mapping(nbo: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("user,item,day\nu1,i1,2026-01-01\n")
    mapping = tmp_path / "mapping.yaml"
    columns = "{customer_id: user, offer_id: item, occurred_at: day}"
    mapping.write_text(f"interactions: {{file: sales.csv, columns: {columns}, constants: {{event: view}}}}")
    report = json.loads(nbo("import", str(tmp_path), "--mapping", str(mapping)).output)
    assert report["files"]["sales.csv"]["added"] == 1


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "interactions"),
        ({"interactions.csv": INTERACTIONS, "offers.csv": "offer,title\ncard,Card\n"}, "offer_id"),
        ({"interactions.csv": INTERACTIONS, "offers.yaml": "offers: [\n"}, "offers.yaml"),
    ],
)
def test_an_import_that_cannot_be_done_says_why_in_one_line(
    nbo: Callable[..., Done], tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    failed = nbo("import", str(tmp_path))
    assert (failed.code, failed.output) == (1, "")
    assert reason in failed.errors.strip().splitlines()[-1]
    assert json.loads(nbo("init").output)["rows"]["interactions"] == 0


def write_a_bank(directory: Path) -> None:
    """Write files in a spelling of their own."""
    (directory / "interactions.csv").write_bytes("客户号;产品;时间\nc1;卡;31.01.2024\nc2;卡;01.02.2024\n".encode("gbk"))
    rows = "".join(f"c{number};{number},5;{number:04d};\n" for number in range(1, 40))
    (directory / "customers.csv").write_text("customer_id;score;code;note\n" + rows)
    columns = "{customer_id: 客户号, offer_id: 产品, occurred_at: 时间}"
    (directory / "given.yaml").write_text(f"interactions: {{columns: {columns}}}")


def reading(report: dict[str, Any]) -> Any:
    """What a report says of how files were read."""
    return {
        name: (file["encoding"], file["delimiter"], file["read"], file["rejected"], [
            {part: value for part, value in column.items() if part != "decided_by"} for column in file["columns"]
        ])
        for name, file in report["files"].items()
    }  # fmt: skip


def test_a_plan_saves_nothing_and_writes_the_mapping_that_reads_so_again(
    nbo: Callable[..., Done], tmp_path: Path
) -> None:
    bank = tmp_path / "bank"
    bank.mkdir()
    write_a_bank(bank)
    arguments = ("import", str(bank), "--mapping", str(bank / "given.yaml"), "--plan")
    plans = [json.loads(nbo(*arguments).output) for _ in range(2)]
    assert not (tmp_path / "home" / "nbo.db").exists()
    assert [Path(plan["mapping_path"]).name for plan in plans] == ["mapping.yaml", "mapping-2.yaml"]
    assert not (bank / "rejected.csv").exists()
    columns = {one["name"]: one for one in plans[0]["files"]["customers.csv"]["columns"]}
    assert (columns["score"]["type"], columns["score"]["decimal"], columns["code"]["type"]) == ("number", ",", "text")
    occurred = plans[0]["files"]["interactions.csv"]["columns"][2]
    assert (occurred["dates"], occurred["decided_by"]) == ("day-month-year", "line 2: 31.01.2024")
    done = json.loads(nbo("import", str(bank), "--mapping", plans[0]["mapping_path"]).output)
    assert reading(done) == reading(plans[0])
    assert done["files"]["interactions.csv"]["added"] == 2


def test_a_plan_is_readable_and_tells_what_would_be_rejected(
    nbo: Callable[..., Done], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "interactions.csv").write_text(INTERACTIONS + "c2,,2026-01-01\n")
    monkeypatch.setattr(sys, "argv", ["nbo", "import", str(tmp_path), "--plan"])
    with pytest.raises(SystemExit) as ended:
        main()
    output = capsys.readouterr().out
    assert ended.value.code == 1
    assert "interactions.csv (utf-8, comma): 2 rows, 1 would be rejected" in output
    assert "1 rejected, first on line 3: interactions.csv, offer_id is empty" in output


@pytest.mark.parametrize(("share", "code"), [("0.4", 1), ("0.5", 0)])
def test_losing_more_rows_than_allowed_is_a_failure_although_the_rest_is_saved(
    nbo: Callable[..., Done], tmp_path: Path, share: str, code: int
) -> None:
    (tmp_path / "interactions.csv").write_text(INTERACTIONS + "c2,,2026-01-01\n")
    assert (nbo("import", str(tmp_path), "--max-rejected", share).code or 0) == code
    assert json.loads(nbo("init").output)["rows"]["interactions"] == 1


def test_unreadable_protection_is_a_failure_however_many_rows_may_be_lost(
    nbo: Callable[..., Done], tmp_path: Path
) -> None:
    (tmp_path / "interactions.csv").write_text(INTERACTIONS)
    rows = "".join(f"c{number},no\n" for number in range(200))
    (tmp_path / "customers.csv").write_text(f"customer_id,do_not_contact\n{rows}d1,perhaps\n")
    failed = nbo("import", str(tmp_path), "--max-rejected", "0.5")
    assert failed.code == 1
    assert json.loads(failed.output)["problems"] == ["customers: 1 rows whose protective cells could not be read."]
    assert json.loads(failed.output)["held"] == 1


@pytest.mark.parametrize(
    "option", [("--known-at", "soon"), ("--consents-as-of", "31/31/2026"), ("--max-rejected", "2")]
)
def test_an_option_that_cannot_be_read_is_wrong_usage(
    nbo: Callable[..., Done], tmp_path: Path, option: tuple[str, str]
) -> None:
    (tmp_path / "interactions.csv").write_text(INTERACTIONS)
    assert nbo("import", str(tmp_path), *option).code == 2


def test_an_unknown_time_zone_is_wrong_usage(nbo: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text(INTERACTIONS)
    failed = nbo("import", str(tmp_path), "--time-zone", "Asia/Shanghay")
    assert failed.code == 2
    assert "Asia/Shanghay" in failed.errors


def test_an_extract_is_told_in_words_and_in_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """25 customers hold a card at three month-ends, but for one at the last."""
    rows = [
        f"c{number},card,2026-0{month}-28" for month in (1, 2, 3) for number in range(25) if (month, number) != (3, 7)
    ]
    (tmp_path / "interactions.csv").write_text("\n".join(["customer_id,offer_id,occurred_at", *rows]) + "\n")
    monkeypatch.setenv("NBO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", ["nbo", "import", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    assert (
        "interactions.csv is an extract of what is held (from one date to the next most rows repeat): 74 rows at 3 "
        "dates (2026-01-28 to 2026-03-28) say 25 holdings; of 25 the first date is not known (they stood in the first "
        "extract, 2026-01-28); 1 ended (not in the next extract) and count as cancelled from then."
    ) in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["nbo", "import", str(tmp_path), "--json"])
    with pytest.raises(SystemExit):
        main()
    document = json.loads(capsys.readouterr().out)
    assert document["files"]["interactions.csv"]["added"] == 0
    assert document["extracts"]["interactions.csv"]["ended"] == 1

"""What an import cannot use: bad rows are set aside, unusable files refuse the whole import."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from recsys.domain.errors import ImportInvalid
from tests.recsys.storage.importing import CONTACTS, CUSTOMERS, INTERACTIONS, Importer

BAD_INTERACTIONS = {
    ",card,2026-01-01,,,": "customer_id",
    "c1, ,2026-01-01,,,": "offer_id",
    "c1,card,yesterday,,,": "occurred_at",
    "c1,card,,,,": "occurred_at",
    "c1,card,0001-01-01T00:00:00+14:00,,,": "occurred_at",
    "c1,card,2026-01-01,levitated,,": "event",
    "c1,card,2026-01-01,,,inf": "weight",
    "c1,card,2026-01-01,,,1e400": "weight",
    "c1,card,2026-01-01,,,-1": "weight",
    "c1,card,2026-01-01,,,heavy": "weight",
    "c\0,card,2026-01-01,,,": "customer_id",
    f"{'c' * 201},card,2026-01-01,,,": "customer_id",
    "c1,card": "",
    "c1,card,2026-01-01,,,,,": "",
    '"c1,card,2026-01-01,,,': "",
    '"c1"x,card,2026-01-01,,,': "",
}


def test_a_bad_row_is_rejected_with_its_place_and_nothing_else_is_lost(importer: Importer) -> None:
    good = [f"c{number},card,2026-01-01,,,1" for number in range(len(BAD_INTERACTIONS) + 1)]
    rows = [row for pair in zip(good, BAD_INTERACTIONS, strict=False) for row in pair] + good[-1:]
    importer.write(interactions=INTERACTIONS + "\n".join(rows) + "\n")
    report = importer.run()
    assert (report.files["interactions.csv"].added, report.files["interactions.csv"].rejected) == (
        len(good),
        len(BAD_INTERACTIONS),
    )
    rejected = importer.rejected()
    assert [row["column"] for row in rejected] == list(BAD_INTERACTIONS.values())
    assert [int(row["line"]) for row in rejected] == [3 + 2 * place for place in range(len(BAD_INTERACTIONS))]
    assert all(row["file"] == "interactions.csv" and row["reason"] for row in rejected)


@pytest.mark.parametrize(
    ("file", "row", "column"),
    [
        ("contacts", "k,c1,2026-01-01,,,,1.5,,", "sentiment"),
        ("contacts", "k,c1,2026-01-01,,,,inf,,", "sentiment"),
        ("contacts", "k,c1,2026-01-01,,,,,,6", "csat"),
        ("contacts", "k,c1,2026-01-01,,,,,,2.5", "csat"),
        ("contacts", "k,c1,2026-01-01,,sideways,,,,", "direction"),
        ("contacts", "k1,c2,2026-01-01,,,,,,", "contact_id"),
        ("customers", "c2,alien,,,,,,,", "kind"),
        ("customers", "c2,,,0,,,,,", "risk_level"),
        ("customers", "c2,,,,maybe,,,,", "vulnerable"),
        ("customers", "c2,,,,,perhaps,,,", "consent_marketing"),
        ("customers", "c1,,other,,,,,,", "customer_id"),
    ],
)
def test_a_value_out_of_range_is_a_bad_row(importer: Importer, file: str, row: str, column: str) -> None:
    header, good = {
        "contacts": (CONTACTS, "k1,c1,2026-01-01,,,,,,5"),
        "customers": (CUSTOMERS, "c1,,,,,,41,,"),
    }[file]
    importer.write(interactions=INTERACTIONS, **{file: f"{header}{good}\n{row}\n"})
    report = importer.run()
    assert (report.files[f"{file}.csv"].added, report.files[f"{file}.csv"].rejected) == (1, 1)
    assert [(bad["line"], bad["column"]) for bad in importer.rejected()] == [("3", column)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "interactions"),
        ({"customers": "customer_id\nc1\n"}, "interactions"),
        ({"interactions": ""}, "empty"),
        ({"interactions": "c1,card,2026-01-01\n"}, "customer_id, offer_id, occurred_at"),
        ({"interactions": "customer_id,offer_id\nc1,card\n"}, "occurred_at"),
        ({"interactions": "customer_id,offer_id,offer_id,occurred_at\n"}, "two columns"),
        ({"interactions": INTERACTIONS + "c1,card,01/02/2026,,,\nc2,card,03/04/2026,,,\n"}, "line 2.*dates"),
        ({"interactions": INTERACTIONS + "c1,card,13/02/2026,,,\nc2,card,02/13/2026,,,\n"}, "line 2.*line 3"),
        ({"interactions": INTERACTIONS + "c1,card,260102,,,\nc2,card,260103,,,\n"}, "line 2.*%y%m%d"),
        ({"interactions": INTERACTIONS + "c1,card,2026-01-01,,,\n", "contacts": "contact_id\nk1\n"}, "opened_at"),
    ],
)  # fmt: skip
def test_an_unusable_file_is_refused_and_nothing_is_saved(
    importer: Importer, files: dict[str, Any], message: str
) -> None:
    before = importer.everything()
    importer.write(**files)
    with pytest.raises(ImportInvalid, match=message):
        importer.run()
    assert importer.everything() == before
    assert {path.name for path in importer.directory.iterdir()} == {f"{name}.csv" for name in files}


def test_a_truncated_archive_is_refused(importer: Importer) -> None:
    packed = gzip.compress((INTERACTIONS + "c1,card,2026-01-01,,,\n" * 1000).encode())
    (importer.directory / "interactions.csv.gz").write_bytes(packed[:-20])
    with pytest.raises(ImportInvalid, match="to its end"):
        importer.run()


def test_two_files_of_one_kind_are_refused(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS)
    (importer.directory / "interactions.csv.gz").write_bytes(gzip.compress(INTERACTIONS.encode()))
    with pytest.raises(ImportInvalid, match="keep one"):
        importer.run()


def test_rejected_rows_go_elsewhere_when_the_directory_cannot_be_written(
    importer: Importer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importer.write(interactions=INTERACTIONS + "c1,,2026-01-01,,,\n")
    open_path = Path.open

    def read_only(path: Path, mode: str = "r", **options: Any) -> Any:
        if "w" in mode and path.parent == importer.directory:  # root may write anywhere, so a mode bit shows nothing
            raise PermissionError(path)
        return open_path(path, mode, **options)

    monkeypatch.setattr(Path, "open", read_only)
    report = importer.run(fallback=tmp_path / "home" / "imports")
    assert report.rejected_path == tmp_path / "home" / "imports" / "rejected.csv"


def test_the_list_of_rejected_rows_goes_when_there_are_none_any_more(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS + "c1,,2026-01-01,,,\n")
    assert importer.run().rejected_path == importer.directory / "rejected.csv"
    importer.write(interactions=INTERACTIONS)
    importer.run()
    assert not (importer.directory / "rejected.csv").exists()

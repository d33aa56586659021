"""Offers in an import: bad rows are rejected like any other, with their line, and the good ones go in."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.domain.errors import ImportInvalid
from recsys.storage.import_mapping import parse_mapping
from tests.recsys.storage.importing import INTERACTIONS, Importer

GOOD = {
    "offer_id": "good",
    "title": "Good",
    "channels": "phone",
    "risk_level": "2",
    "valid_to": "2026-01-31",
    "eligibility": "risk_level >= 2",
    "starting_propensity": "0.1",
}
ROWS = [
    GOOD,
    {**GOOD, "offer_id": "one", "channels": "fax", "risk_level": "9"},
    {**GOOD, "offer_id": "two", "eligibility": "age >", "starting_propensity": "2", "valid_to": "soon"},
    {**GOOD, "offer_id": "last"},
    {**GOOD, "offer_id": "", "title": ""},
]
PLACES = [
    ("one", "channels"), ("one", "risk_level"),
    ("two", "eligibility"), ("two", "starting_propensity"), ("two", "valid_to"),
    ("", "offer_id"), ("", "title"),
]  # fmt: skip


def write(directory: Path, kind: str) -> dict[str, int]:
    """Write the offers and return the line on which each begins."""
    ids = [row["offer_id"] for row in ROWS]
    if kind == "csv":
        lines = [";".join(GOOD), *(";".join(row.values()) for row in ROWS)]
        (directory / "offers.csv").write_text("\n".join(lines) + "\n")
        return {name: place for place, name in enumerate(ids, 2)}
    if kind == "yaml":
        items = [f"- {json.dumps(row)[:-1]},\n   disclosure: read}}\n" for row in ROWS]
        (directory / "offers.yaml").write_text("# what we sell\noffers:\n" + "".join(items))
        return {name: 3 + 2 * place for place, name in enumerate(ids)}
    pq.write_table(pa.Table.from_pylist(ROWS), directory / "offers.parquet")
    return {name: place for place, name in enumerate(ids, 1)}


@pytest.mark.parametrize("kind", ["csv", "yaml", "parquet"])
def test_every_problem_of_a_bad_offer_has_its_line_and_the_good_ones_go_in(importer: Importer, kind: str) -> None:
    importer.write(interactions=INTERACTIONS + "c1,one,2026-01-01,,,\nc1,good,2026-01-01,,,\n")
    lines = write(importer.directory, kind)
    report = importer.run()
    with importer.database.read() as log:
        catalogue = log.latest_catalogue()
    assert catalogue is not None
    assert [offer["offer_id"] for offer in catalogue.offers] == ["good", "last"]
    file = report.files[f"offers.{kind}"]
    assert (file.read, file.added, file.rejected) == (5, 2, 3)
    found = [(int(row["line"]), row["column"]) for row in importer.rejected()]
    assert sorted(found) == sorted((lines[name], column) for name, column in PLACES)
    assert [problem.split(":")[0] for problem in report.problems] == [f"offers.{kind}"]


def test_a_rejected_offer_leaves_the_one_in_force_as_it_is(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, offers="offer_id,title,eligibility\na,A,risk_level >= 3\n")
    importer.run()
    importer.write(offers="offer_id,title,eligibility\na,A,risk_level >>\n")
    importer.run()
    with importer.database.read() as log:
        catalogue = log.latest_catalogue()
    assert catalogue is not None
    assert [offer["eligibility"] for offer in catalogue.offers] == ["risk_level >= 3"]


def test_offers_take_the_banks_names_and_spellings(importer: Importer) -> None:
    importer.write(
        interactions=INTERACTIONS,
        offers="产品号;名称;收益;到期\n1.0;金卡;1.250,50;31.12.2026\n2.0;银卡;N/A;\n".encode("gbk"),
    )
    columns = {"offer_id": "产品号", "title": "名称", "margin": "收益", "valid_to": "到期"}
    importer.run(mapping=parse_mapping({"offers": {"columns": columns, "constants": {"risk_level": 2}}}))
    with importer.database.read() as log:
        catalogue = log.latest_catalogue()
    assert catalogue is not None
    names = ("offer_id", "title_en", "margin", "valid_to", "risk_level")
    assert [[offer[name] for name in names] for offer in catalogue.offers] == [
        ["1", "金卡", 1250.5, "2027-01-01T00:00:00+00:00", 2],
        ["2", "银卡", None, None, 2],
    ]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"interactions": {"columns": {"ofer_id": "offer_id"}}}, "ofer_id.*offer_id"),
        ({"interactions": {"columns": {"offer_id": "offr_id"}}}, "offr_id.*offer_id"),
        ({"interactions": {"file": "interaction.csv"}}, "interactions.csv"),
        ({"interactions": {"dates": {"ocurred_at": "%Y"}}}, "ocurred_at.*occurred_at"),
        ({"interactions": {"constents": {}}}, "constents.*constants"),
        ({"customer": {}}, "customer.*customers"),
        ({"interactions": {"dates": "day-mounth-year"}}, "day-month-year"),
    ],
)
def test_a_mistake_in_a_mapping_is_named_with_what_is_near(
    importer: Importer, mapping: dict[str, object], said: str
) -> None:
    importer.write(interactions=INTERACTIONS)
    with pytest.raises(ImportInvalid, match=said):
        importer.run(mapping=parse_mapping(mapping))

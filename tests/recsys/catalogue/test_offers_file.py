"""Offers are read from the formats banks have them in, and hostile files are refused at once."""

import gzip
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.catalogue import load_offers_file
from recsys.domain.errors import CatalogueInvalid, ImportInvalid
from recsys.rules import BUILT_IN

YAML = """
- offer_id: gold
  title_en: Gold card
  title_zh: 金卡
  channels: [phone, app]
  valid_from: 2026-01-01
  eligibility: risk_level >= 2 AND NOT arrears
  terms: {fee: 0, rate: "CASE WHEN segment = 'private' THEN 1.5 ELSE 2 END"}
"""
CSV = (
    "offer_id,title_en,title_zh,channels,valid_from,eligibility,terms\n"
    "gold,Gold card,金卡,phone|app,2026-01-01,risk_level >= 2 AND NOT arrears,"
    '"{""fee"": 0, ""rate"": ""CASE WHEN segment = \'private\' THEN 1.5 ELSE 2 END""}"\n'
)
LAUGHS = "a: &a [x, x]\n" + "\n".join(f"{name}: &{name} [*{last}, *{last}]" for last, name in pairwise("abcdefgh"))


def written(directory: Path, name: str, content: str | bytes) -> Path:
    path = directory / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_yaml_csv_and_parquet_give_the_same_offers(tmp_path: Path) -> None:
    from_yaml = load_offers_file(written(tmp_path, "offers.yaml", YAML), BUILT_IN)
    assert from_yaml[0].title_zh == "金卡"
    assert load_offers_file(written(tmp_path, "offers.csv", "\ufeff" + CSV), BUILT_IN) == from_yaml
    assert load_offers_file(written(tmp_path, "o.csv.gz", gzip.compress(CSV.encode())), BUILT_IN) == from_yaml


def test_parquet_keeps_lists_and_leaves_out_nulls(tmp_path: Path) -> None:
    table = pa.table({"offer_id": ["a", "b"], "title": ["A", "B"], "channels": [["app"], None], "margin": [None, 2.5]})
    pq.write_table(table, tmp_path / "offers.parquet")
    first, second = load_offers_file(tmp_path / "offers.parquet", BUILT_IN)
    assert (first.channels, first.margin) == (frozenset(("app",)), None)
    assert (second.channels, second.margin) == (frozenset(), 2.5)


def test_offers_may_stand_under_a_key(tmp_path: Path) -> None:
    path = written(tmp_path, "offers.yml", "offers:\n- {offer_id: a, title: A}\n")
    assert load_offers_file(path, BUILT_IN)[0].offer_id == "a"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("offers.yaml", "- offer_id: a\n  title: [A\n- offer_id: b\n", r"offers\.yaml, line [23]: "),
        ("offers.yaml", LAUGHS, "line 2: aliases"),
        ("offers.yaml", "[" * 100_000, "line 1: nested too deeply"),
        ("offers.yaml", "!!python/object/apply:os.system ['true']", "line 1: could not determine a constructor"),
        ("offers.yaml", "#" * (4 * 1024 * 1024 + 1), "larger than"),
        ("offers.yaml", "just text", "must be a list of offers"),
        ("offers.yaml", "- 2026-99-99", "not YAML"),
        ("offers.yaml", b"\xff\xfe\xff", "not YAML"),
        ("offers.csv", b"offer_id\nok\n\xff\n", "line 3: not UTF-8"),
        ("offers.csv", 'offer_id,title\n"a"b,c\n', "expected after"),
        ("offers.parquet", b"PAR1", "not a Parquet file"),
        ("offers.csv.gz", b"not gzip", "cannot be read"),
        ("offers.csv.gz", gzip.compress(bytes(33 * 1024 * 1024)), "larger than"),
        ("offers.xlsx", b"", "offers come as"),
        ("offers", b"", "offers come as"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(ImportInvalid, match=said):
        load_offers_file(written(tmp_path, name, content), BUILT_IN)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ImportInvalid, match="cannot be read"):
        load_offers_file(tmp_path / "offers.csv", BUILT_IN)


def test_a_row_with_too_many_cells_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match="not a column"):
        load_offers_file(written(tmp_path, "offers.csv", "offer_id,title\na,A,more\n"), BUILT_IN)

"""Files as banks deliver them go in whole: whatever encoding, delimiter, dates and numbers they are written with."""

import gzip
import tempfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.domain.errors import ImportInvalid
from recsys.storage.column_survey import Role, decide, ignore, survey
from recsys.storage.import_mapping import TableMapping, parse_mapping
from recsys.storage.import_rows import RowReader
from recsys.storage.table_files import open_table
from tests.builders import NOW
from tests.recsys.storage.importing import INTERACTIONS, Importer

LATER = datetime(2200, 1, 1, tzinfo=UTC)

SHARED = Path(__file__).parents[4] / "shared" / "data"
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
HAN = "年客户号姓名性别城市产品日期渠道原因电话投诉王李张刘陈杨赵黄周吴北京上海广州深圳贷款理财基金保险信用卡"
TRADITIONAL = "年客戶號姓名性別城市產品日期管道原因電話投訴王李張劉陳楊趙黃周吳臺北高雄香港貸款理財基金保險信用卡"
LETTERS = {
    "utf-8": HAN + "éüñß€",
    "utf-8-sig": HAN,
    "utf-16": HAN + "é",
    "utf-16-le": HAN,
    "utf-16-be": HAN,
    "gb18030": HAN,
    "gbk": HAN,
    "big5": TRADITIONAL,
    "cp1252": "éèüñßöäçà",
    "latin-1": "éèüñßöäçà",
}
WORDS = {"gb18030": "客户", "gbk": "客户", "big5": "客戶姓名", "cp1252": "prénom du né ", "latin-1": "prénom du né "}
DATES: dict[str, Any] = {
    "%Y-%m-%d": None,
    "%Y-%m-%d %H:%M:%S": None,
    "%Y/%m/%d": None,
    "%Y年%m月%d日": None,
    "%Y%m%d": None,
    "%d.%m.%Y": None,
    "%m/%d/%Y": None,
    "%d/%m/%Y %H:%M": None,
    "%y%m%d": "%y%m%d",
}
NUMBERS = {"plain": (".", ""), "english": (".", ","), "comma": (",", ""), "german": (",", "."), "blank": (",", " ")}


def written_number(value: Decimal, decimal: str, thousands: str) -> str:
    return f"{value:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, dict[str, Any], list[tuple[str, datetime, Decimal, str]]]:
    """Return a file, what must be declared of it, and the rows it holds."""
    encoding, delimiter = draw(st.sampled_from(sorted(LETTERS))), draw(st.sampled_from(",;\t|"))
    formats = [one for one in sorted(DATES) if one.isascii() or "年" in LETTERS[encoding]]
    format_, marks = draw(st.sampled_from(formats)), NUMBERS[draw(st.sampled_from(sorted(NUMBERS)))]
    texts = st.text(LETTERS[encoding], min_size=2, max_size=6)
    moments = st.datetimes(datetime(1990, 1, 1), datetime(2029, 12, 31))  # noqa: DTZ001 - local, as files have them
    numbers = st.decimals(0, 9_999_999, places=2)
    rows = draw(st.lists(st.tuples(texts, moments, numbers), min_size=2, max_size=12))
    words = WORDS.get(encoding, "")  # a file without any usual word says nothing about its encoding
    # What leaves no doubt, as any real column has it somewhere.
    rows += [(draw(texts), datetime(2024, 3, 25, 13, 45), Decimal("1234567.89"))]  # noqa: DTZ001
    lines = [delimiter.join(("customer_id", words + draw(texts), "opened", "amount"))]
    expected = []
    for number, (text, at, amount) in enumerate(rows):
        cells = [f"c{number}", text, at.strftime(format_), written_number(amount, *marks)]
        if draw(st.booleans()) or delimiter in cells[3]:
            cells = [f'"{cell}"' for cell in cells]
        lines.append(delimiter.join(cells))
        said = datetime.strptime(at.strftime(format_), format_).replace(tzinfo=UTC)
        expected.append((f"c{number}", said, amount, text))
    declared = {"dates": DATES[format_]} if DATES[format_] else {}
    return ("\n".join(lines) + "\n").encode(encoding), declared, expected


@settings(max_examples=150, deadline=None)
@given(tables())
def test_a_file_is_read_as_it_was_written(
    table: tuple[bytes, dict[str, Any], list[tuple[str, datetime, Decimal, str]]],
) -> None:
    content, declared, expected = table
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.csv"
        path.write_bytes(content)
        mapping = parse_mapping({"customers": declared})["customers"]
        source = open_table(path, mapping, ("customer_id",))
        roles = {"opened": Role.MOMENT, "amount": Role.ATTRIBUTE}
        readings = decide("f", survey(source.shaped_rows(ignore), source.names, roles, frozenset()), mapping)
        reader = RowReader(readings)
        found = [
            (
                row["customer_id"],
                reader.moment_of(row, "opened").begins(UTC),
                reader.attribute(row, "amount", readings["amount"]),
                row[source.columns[1]],
            )
            for _, row in source.rows(lambda *bad: pytest.fail(str(bad)))
        ]
    assert found == [(name, at, float(amount), text) for name, at, amount, text in expected]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2026-03-01"], datetime(2026, 3, 1, tzinfo=UTC)),
        (["2026-03-01T10:00:00+08:00"], datetime(2026, 3, 1, 2, tzinfo=UTC)),
        (["2024/1/5", "2024/12/31"], datetime(2024, 1, 5, tzinfo=UTC)),
        (["2024-1-5 7:05"], datetime(2024, 1, 5, 7, 5, tzinfo=UTC)),
        (["2024年1月5日"], datetime(2024, 1, 5, tzinfo=UTC)),
        (["2024年1月5日 下午3:30"], datetime(2024, 1, 5, 15, 30, tzinfo=UTC)),
        (["20240105"], datetime(2024, 1, 5, tzinfo=UTC)),
        (["20240105093000"], datetime(2024, 1, 5, 9, 30, tzinfo=UTC)),
        (["05.01.2024", "31.01.2024"], datetime(2024, 1, 5, tzinfo=UTC)),
        (["01/05/2024 1:45 PM", "01/31/2024 12:00 AM"], datetime(2024, 1, 5, 13, 45, tzinfo=UTC)),
        (["1704412800"], datetime(2024, 1, 5, tzinfo=UTC)),
        (["1704412800.5"], datetime(2024, 1, 5, 0, 0, 0, 500_000, tzinfo=UTC)),
        (["1704412800000"], datetime(2024, 1, 5, tzinfo=UTC)),
    ],
)
def test_a_moment_may_be_written_in_the_usual_ways(importer: Importer, cells: list[str], expected: datetime) -> None:
    rows = "".join(f"c{number};card;{cell}\n" for number, cell in enumerate(cells))
    importer.write(interactions=f"customer_id;offer_id;occurred_at\n{rows}")
    assert importer.run().rejected_path is None
    with importer.database.read() as log:
        assert log.history("c0", LATER)[0].occurred_at == expected


def test_local_times_are_the_banks_even_where_clocks_change(importer: Importer) -> None:
    content = INTERACTIONS + "c1,card,2026-03-29,,,\nc1,card,2026-03-30,,,\nc1,card,2026-03-30T00:00Z,,,\n"
    importer.write(interactions=content)
    importer.run(zone=ZoneInfo("Europe/Berlin"))
    with importer.database.read() as log:
        found = [event.occurred_at for event in log.history("c1", LATER)]
    assert found == [datetime(2026, 3, *part, tzinfo=UTC) for part in ((28, 23), (29, 22), (30, 0))]


def test_an_offer_ends_with_its_last_day_in_the_banks_zone(importer: Importer) -> None:
    importer.write(
        interactions=INTERACTIONS,
        offers="offer_id,title,valid_from,valid_to\na,A,2026-01-01,2026-01-31\nb,B,2026-01-01T08:00Z,2026-01-31T08:00Z\n",
    )
    importer.run(zone=ZoneInfo("Asia/Shanghai"))
    with importer.database.read() as log:
        catalogue = log.latest_catalogue()
    assert catalogue is not None
    assert [(offer["valid_from"], offer["valid_to"]) for offer in catalogue.offers] == [
        ("2025-12-31T16:00:00+00:00", "2026-01-31T16:00:00+00:00"),
        ("2026-01-01T08:00:00+00:00", "2026-01-31T08:00:00+00:00"),
    ]


def test_rows_dated_after_now_are_kept_and_counted(importer: Importer) -> None:
    later = (NOW + timedelta(days=1)).isoformat()
    importer.write(interactions=INTERACTIONS + f"c1,card,{later},,,\nc1,card,2026-01-01,,,\n")
    report = importer.run().files["interactions.csv"]
    assert (report.added, report.in_future) == (2, 1)


@pytest.mark.parametrize(
    ("cells", "type_", "first"),
    [
        (["1", "", "-2.5e3"], "number", 1.0),
        (["1.234,50", "2,5"], "number", 1234.5),
        (["12,345.67", "1,000"], "number", 12345.67),
        (["1 234", "5"], "number", 1234.0),
        (["1'234.5", "5"], "number", 1234.5),
        (["1", "2", "three"], "text", "1"),
        (["true", "False", ""], "boolean", True),
        (["true", "1"], "text", "true"),
        (["1", "nan", "NULL", "N/A", "-", "无"], "number", 1.0),
        (["010010", "100020"], "text", "010010"),
        (["0012", "0013"], "text", "0012"),
        (["6222021234567890123", "6222021234567890124"], "text", "6222021234567890123"),
        (["上海"], "text", "上海"),
        (["", " "], None, None),
    ],
)
def test_an_attribute_has_the_type_that_fits_its_cells(
    importer: Importer, cells: list[str], type_: str | None, first: Any
) -> None:
    rows = "".join(f"c{number};{cell}\n" for number, cell in enumerate(cells))
    importer.write(interactions=INTERACTIONS, customers=f"customer_id;x\n{rows}")
    assert importer.run().rejected_path is None
    with importer.database.read() as log:
        assert log.attribute_types().get("x") == type_
        assert log.customer("c0").attributes.get("x") == first


def test_one_odd_cell_among_many_is_a_bad_cell_and_no_reason_for_another_type(importer: Importer) -> None:
    rows = "".join(f"c{number},{number}\n" for number in range(200))
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,age\n{rows}d1,forty\nd2,041\n")
    assert importer.run().files["customers.csv"].rejected == 2
    assert [(row["line"], row["column"]) for row in importer.rejected()] == [("202", "age"), ("203", "age")]
    with importer.database.read() as log:
        assert log.attribute_types()["age"] == "number"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("customer_id;x\nc1;12,345\nc2;1,234\n", "line 2: 12,345 .*decimal: {x: ','}"),
        ("customer_id;since;x\nc1;1;12,345\n", "line 2.*decimal"),
    ],
)
def test_a_number_that_can_be_read_in_two_ways_is_not_guessed(importer: Importer, content: str, said: str) -> None:
    importer.write(interactions=INTERACTIONS, customers=content)
    with pytest.raises(ImportInvalid, match=said):
        importer.run()
    importer.run(mapping=parse_mapping({"customers": {"decimal": ","}}))
    with importer.database.read() as log:
        assert log.customer("c1").attributes["x"] == 12.345


def test_what_another_column_has_decided_holds_for_the_file(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, customers="customer_id;x;y\nc1;1.234;2,5\n")
    importer.run()
    with importer.database.read() as log:
        assert log.customer("c1").attributes == {"x": 1234.0, "y": 2.5}


def test_declared_types_win(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS, customers="customer_id,x,y,z\nc1,7,05.01.2024,1\nc2,8,06.01.2024,0\n")
    types = {"x": "text", "y": "date", "z": "boolean"}
    mapping = {"customers": {"types": types, "dates": {"y": "day-month-year"}, "nulls": ["8"]}}
    importer.run(mapping=parse_mapping(mapping))
    with importer.database.read() as log:
        assert log.customer("c1").attributes == {"x": "7", "y": "2024-01-05", "z": True}
        assert log.customer("c2").attributes == {"y": "2024-01-06", "z": False}


PARQUET = {
    "float ids": (pa.array([1.0, 2.0]), ["1", "2"]),
    "whole ids": (pa.array([1, 2]), ["1", "2"]),
    "decimal ids": (pa.array([Decimal("1.00"), Decimal("2")], pa.decimal128(20, 2)), ["1", "2"]),
    "dictionary ids": (pa.array(["1", "2"]).dictionary_encode(), ["1", "2"]),
    "a null among floats": (pa.array([1.0, None]), ["1"]),
    "lost digits": (pa.array([1.0, 2.0**53]), ["1"]),
    "half an id": (pa.array([1.0, 1.5]), ["1"]),
}


@pytest.mark.parametrize("case", PARQUET)
@pytest.mark.parametrize("packed", [False, True])
def test_an_id_is_the_same_however_a_typed_file_stores_it(importer: Importer, case: str, packed: bool) -> None:
    ids, expected = PARQUET[case]
    at = pa.array([1_767_229_200_000_001_000] * 2, pa.timestamp("ns"))
    path = importer.directory / "interactions.parquet"
    pq.write_table(pa.table({"customer_id": ids, "offer_id": ids, "occurred_at": at}), path)
    if packed:
        (importer.directory / "interactions.parquet.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    importer.write(customers="customer_id,age\n1,30\n1.0,\n" if case == "text" else "customer_id,age\n1.0,30\n2.0,31\n")
    importer.run()
    with importer.database.read() as log:
        assert [event.offer_id for name in ("1", "2") for event in log.history(name, LATER)] == expected
        assert log.counts()["customers"] == 2


def test_typed_values_mean_what_their_text_means(importer: Importer) -> None:
    columns = {
        "customer_id": ["1", "2"],
        "vulnerable": pa.array([1.0, 0.0]),
        "do_not_contact": pa.array([0, 1]),
        "risk_level": pa.array([3.0, None]),
        "card_number": pa.array([6_222_021_234_567_890_123, 6_222_021_234_567_890_124]),
        "branch_code": ["0012", "0013"],
        "since": pa.array([date(2020, 1, 5), None]),
        "rate": pa.array([Decimal("1.25"), None]),
        "flag": pa.array([True, False]),
    }
    pq.write_table(pa.table(columns), importer.directory / "customers.parquet")
    importer.write(interactions=INTERACTIONS)
    assert importer.run().rejected_path is None
    with importer.database.read() as log:
        first, second = log.customer("1"), log.customer("2")
    assert [first.flags, second.flags] == [frozenset({"vulnerable"}), frozenset({"do_not_contact"})]
    assert first.attributes == {
        "card_number": "6222021234567890123",
        "branch_code": "0012",
        "since": "2020-01-05",
        "rate": 1.25,
        "flag": True,
    }


def test_a_damaged_byte_costs_its_row_only(importer: Importer) -> None:
    rows = [f"c{number},王,2026-01-01\n".encode() for number in range(5)]
    rows[2] = b"c2,\xe7\x8e,2026-01-01\n"
    importer.write(interactions=b"customer_id,offer_id,occurred_at\n" + b"".join(rows))
    report = importer.run().files["interactions.csv"]
    assert (report.encoding, report.added, report.rejected) == ("utf-8", 4, 1)
    assert importer.rejected()[0]["line"] == "4"


def test_the_declared_encoding_and_delimiter_win(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("a,b;c\né,1;2\n".encode("cp1252"))
    table = open_table(path, TableMapping(encoding="cp1250", delimiter=";"), ("a,b", "c"))
    assert [row for _, row in table.rows(ignore)] == [{"a,b": "é,1", "c": "2"}]
    with pytest.raises(ImportInvalid, match="no encoding"):
        open_table(path, TableMapping(encoding="cp9999"), ())


MADE: dict[str, tuple[bytes, dict[str, Any]]] = {
    "Chinese headers in GBK": (
        "客户号,产品,时间,备注\nc1,卡,2024年1月5日,好\nc2,贷款,2024年12月31日,\n".encode("gbk"),
        {"columns": {"customer_id": "客户号", "offer_id": "产品", "occurred_at": "时间"}},
    ),
    "decimal commas": (
        b"customer_id;offer_id;occurred_at;weight\nc1;card;31.01.2024;0,5\nc2;card;01.02.2024;1.250,75\n",
        {},
    ),
    "tabs and epoch times": (b"customer_id\toffer_id\toccurred_at\nc1\tcard\t1704412800\nc2\tcard\t1706745600\n", {}),
    "a spreadsheet's UTF-16": (
        "customer_id\toffer_id\toccurred_at\r\nc1\t金卡\t2024/1/5\r\nc2\t金卡\t2024/12/31\r\n".encode("utf-16"),
        {},
    ),
}


@pytest.mark.parametrize("case", MADE)
def test_what_a_bank_delivers_goes_in_whole(importer: Importer, case: str) -> None:
    content, mapping = MADE[case]
    importer.write(interactions=content)
    report = importer.run(mapping=parse_mapping({"interactions": mapping})).files["interactions.csv"]
    assert (report.read, report.added, report.rejected) == (2, 2, 0)
    with importer.database.read() as log:
        assert log.history("c1", LATER)[0].occurred_at.year == 2024
        assert log.counts()["customers"] == 2


def rows_accounted_for(report: Any) -> bool:
    return all(
        file.read == file.added + file.changed + file.already_there + file.rejected for file in report.files.values()
    )


@pytest.mark.parametrize(
    ("name", "customers", "interactions", "plain"),
    [
        pytest.param(
            "uci_bank",
            41_188,
            41_188,
            "SELECT count(*) FROM read_csv('{folder}/bank-additional-full.csv.gz', delim=';', all_varchar=true)",
            marks=pytest.mark.slow,
        ),
        (
            "berka",
            4_500,
            6_666,
            "SELECT (SELECT count(*) FROM read_csv('{folder}/loan.asc.gz')) + (SELECT count(*) FROM "
            "read_csv('{folder}/card.asc.gz')) + (SELECT count(*) FROM read_csv('{folder}/order.asc.gz') "
            "WHERE trim(k_symbol) <> '')",
        ),
    ],
)
def test_real_banks_go_in_with_ten_lines_a_table(
    importer: Importer, name: str, customers: int, interactions: int, plain: str
) -> None:
    import duckdb
    import yaml

    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip("the shared data is not on this machine")
    for path in folder.glob("*.gz"):
        (importer.directory / path.name).symlink_to(path)
    text = (EXAMPLES / f"{name}.yaml").read_text()
    document = yaml.safe_load(text)
    assert max(len(part.splitlines()) for part in text.split("interactions:")) <= 14
    for imported in (True, False):
        report = importer.run(mapping=parse_mapping(document))
        counts = [report.files[f"query {table}"] for table in ("customers", "interactions")]
        assert [file.read for file in counts] == [customers, interactions]
        assert [file.added for file in counts] == ([customers, interactions] if imported else [0, 0])
        assert rows_accounted_for(report)
        assert report.problems == []
    with duckdb.connect() as connection:
        assert connection.execute(plain.format(folder=folder)).fetchall() == [(interactions,)]


def test_a_query_sees_the_directory_and_nothing_else(importer: Importer, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("customer_id,offer_id,occurred_at\nc1,card,2026-01-01\n")
    importer.write(sales="who;what;day\n1;card;2026-01-01\n1;;2026-01-02\n")
    columns = "SELECT who AS customer_id, coalesce(what, 'other') AS offer_id, day AS occurred_at"
    importer.run(mapping=parse_mapping({"interactions": {"query": f"{columns} FROM sales"}}))
    with importer.database.read() as log:
        assert {event.offer_id for event in log.history("1", LATER)} == {"card", "other"}
    for query in (
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT * FROM '{secret}'",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        "SELECT 1; SELECT 2",
        "SET enable_external_access = true",
        "SELECT who FROM seles",
        f"{columns} FROM sales WHERE nobody = 1",
        "SELECT who FROM sales",
    ):
        with pytest.raises(ImportInvalid):
            importer.run(mapping=parse_mapping({"interactions": {"query": query}}))
    assert not (tmp_path / "out.csv").exists()


def test_moments_of_another_zone_keep_their_moment() -> None:
    reader = RowReader(zone=timezone(timedelta(hours=8)))
    assert reader.moment({"at": "2026-01-01T00:00:00+01:00"}, "at") == "2025-12-31 23:00:00.000000"
    assert reader.moment({"at": "2026-01-01"}, "at") == "2025-12-31 16:00:00.000000"

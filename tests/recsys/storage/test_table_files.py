"""Reading CSV: the same as Python's reader for good rows, and robust against bad ones."""

import csv
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from recsys.storage.import_mapping import TableMapping
from recsys.storage.table_files import MAX_LINES_OF_A_ROW, Row, open_table

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS).filter(lambda row: any(cell.strip() for cell in row)), max_size=8)


def _read(content: str) -> tuple[list[Row], list[int]]:
    rejected: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content.encode())
        table = open_table(path, TableMapping(), ("a", "b", "c"))
        rows = [row for _, row in table.rows(lambda line, _column, _reason: rejected.append(line))]
    return rows, rejected


@given(ROWS)
def test_what_a_csv_writer_wrote_comes_back(rows: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("a", "b", "c"), *rows])
        table = open_table(path, TableMapping(), ())
        found = [tuple(row.values()) for _, row in table.rows(lambda *bad: None)]
    assert found == rows


@given(
    st.lists(st.sampled_from(["x,y,z", '"x",y,z', 'x,"y', 'x"y,z,', '"', "x,y", '"x\ny",1,2', "", ",,"]), max_size=12)
)
def test_rows_without_a_quote_are_never_lost_to_their_neighbours(lines: list[str]) -> None:
    rows, rejected = _read("a,b,c\n" + "\n".join(lines) + "\n")
    assert rows.count({"a": "x", "b": "y", "c": "z"}) == lines.count("x,y,z") + lines.count('"x",y,z')
    assert rows.count({"a": "x\ny", "b": "1", "c": "2"}) == lines.count('"x\ny",1,2')
    assert len(rejected) >= sum(line in ('"', 'x,"y', "x,y") for line in lines)


def test_a_quote_nobody_closes_loses_its_own_row_only() -> None:
    good = ["1,2,3"] * (2 * MAX_LINES_OF_A_ROW)
    rows, rejected = _read("\n".join(["a,b,c", '"1,2,3', *good]))
    assert (len(rows), rejected) == (len(good), [2])


def test_a_cell_may_run_over_lines_and_keeps_its_empty_ones() -> None:
    rows, rejected = _read('a,b,c\n1,"first\n\nthird",3\n4,5,6\n')
    assert [row["b"] for row in rows] == ["first\n\nthird", "5"]
    assert rejected == []


def test_columns_take_our_names_and_constants_fill_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("user,item,\n1,2,3\n")
    table = open_table(
        path, TableMapping(columns={"customer_id": "user"}, constants={"event": "view"}), ["customer_id"]
    )
    assert table.columns == ("customer_id", "item", "event")
    assert next(row for _, row in table.rows(lambda *bad: None))["event"] == "view"

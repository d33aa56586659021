"""A bank's whole numbers keep every digit on both sides, and one bad view is named while the others are filled."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import redis
from pyarrow.parquet import write_table

from features.feature_tables import OwnTable
from features.gateway import FeatureGateway
from features.materialization import Materialized
from features.own_code import CodeShelf
from features.own_discovery import find_declared
from features.own_features import OwnFeatures
from features.own_tables import build_own_tables, check_own_tables
from features.service_names import PROPENSITY_SERVICE
from recsys.domain.errors import FeaturesInvalid
from tests.features.conftest import NOW, SetClock
from tests.features.own import MOMENT, declared_as, write_payroll
from tests.features.test_own_features import ATTRIBUTES, DAY, MICROSECOND, Own, bank

__all__ = ["bank"]

WHOLE = [2**53 + 1, 2**63 - 1, -(2**63), None, 0, 7]
COUNTS = declared_as('Feature("cents", int), Feature("rate", float)', name="counts", source='Parquet("counts.parquet")')


def write_counts(folder: Path, column: pa.Array) -> None:
    """Write of c0, c1, … what the column says, known since yesterday."""
    customers = [f"c{number}" for number in range(len(column))]
    known_at = pa.array([NOW - DAY] * len(column), MOMENT)
    rates = pa.array([0.5] * len(column), pa.float64())
    write_table(pa.table({"customer_id": customers, "known_at": known_at, "cents": column, "rate": rates}),
                folder / "counts.parquet")  # fmt: skip


def filled_again(bank: Own, as_of: datetime = NOW) -> tuple[FeatureGateway, tuple[str, ...], list[Materialized]]:
    """Build, apply and materialise what the folder declares now; the gateway, the problems, what was written."""
    declared = find_declared(bank.folder, ATTRIBUTES)
    built = build_own_tables(declared, bank.settings.offline / "features", as_of)
    own = OwnFeatures.of_declared(declared, CodeShelf(bank.folder / "kept", bank.folder))
    gateway = FeatureGateway(bank.settings, clock=SetClock(NOW + timedelta(hours=1)), own=own)
    gateway.apply()
    return gateway, built.problems, gateway.materialize()


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
def test_whole_numbers_are_the_same_on_both_sides_to_the_last_digit(bank: Own, kind: Any) -> None:
    told = [None if one is not None and one < 0 and kind == pa.uint64() else one for one in WHOLE]
    write_counts(bank.folder, pa.array(told, kind))
    (bank.folder / "counts.py").write_text(COUNTS)
    gateway, problems, written = filled_again(bank)
    assert (problems, [one.problem for one in written if one.problem]) == ((), [])
    customers = [f"c{number}" for number in range(len(told))]
    joined = gateway.offline.known_at(PROPENSITY_SERVICE, customers, NOW)
    assert joined["cents"].to_pylist() == told
    assert [(gateway.read_online(one).own["counts"] or {})["cents"] for one in customers] == told
    for place, number in enumerate((2**53 + 3, -(2**63), 2**63 - 1), start=1):
        gateway.push_own(gateway._own.views[0], "c0", {"cents": number, "rate": None}, NOW + place * MICROSECOND)
        assert gateway.read_online("c0").own["counts"] == {"cents": number, "rate": None}
    gateway.close()


def test_numbers_beyond_64_bits_are_one_line_and_stop_no_other_view(bank: Own) -> None:
    write_counts(bank.folder, pa.array([2**63, 5], pa.uint64()))
    (bank.folder / "counts.py").write_text(COUNTS)
    built = build_own_tables(find_declared(bank.folder, ATTRIBUTES), bank.settings.offline / "features", NOW)
    assert built.rows == {"payroll": 4}
    (line,) = built.problems
    assert "view counts: " in line
    said = "column cents: expected int, found 1 beyond 64 bits, the first of customer c0"
    assert said in line
    with pytest.raises(FeaturesInvalid, match=said):  # a view that never had a table can not be applied
        check_own_tables(find_declared(bank.folder, ATTRIBUTES), bank.settings.offline / "features")


def test_what_no_check_foresees_is_one_line_too(bank: Own) -> None:
    file = bank.folder / "counts.parquet"
    write_counts(bank.folder, pa.array([1, 5], pa.int64()))
    (bank.folder / "counts.py").write_text(COUNTS)
    content = bytearray(file.read_bytes())
    content[4:60] = bytes(56)  # the columns are not there any more, what says which there are is
    file.write_bytes(content)
    built = build_own_tables(find_declared(bank.folder, ATTRIBUTES), bank.settings.offline / "features", NOW)
    assert built.rows == {"payroll": 4}
    assert ["view counts: it cannot be read" in line for line in built.problems] == [True]


def test_a_view_that_cannot_be_written_is_named_and_the_others_are_written(bank: Own) -> None:
    write_counts(bank.folder, pa.array([1, 5], pa.int64()))
    (bank.folder / "counts.py").write_text(COUNTS)
    gateway, _, _ = filled_again(bank, NOW + MICROSECOND)
    tables = bank.settings.offline / "features"
    for turn, is_emptied in enumerate((False, True), start=2):  # over what was written before, and into nothing
        at = NOW + turn * timedelta(seconds=1)
        write_payroll(bank.folder, [("c0", NOW - DAY, float(turn), "rail")])
        bank.gateway.build_feature_tables(bank.settings.offline / "events", as_of=at)
        assert build_own_tables(find_declared(bank.folder, ATTRIBUTES), tables, at).problems == ()
        good = OwnTable("counts").file(tables).read_bytes()
        OwnTable("counts").file(tables).write_bytes(b"PAR1 and nothing more")
        if is_emptied:
            with redis.Redis.from_url(bank.settings.redis_url or "") as client:
                client.flushall()
        written = {one.view: one for one in gateway.materialize()}
        assert "counts.parquet" in (written["counts"].problem or "")
        assert [name for name, one in written.items() if one.problem] == ["counts"]
        marker, read = gateway.marker(), gateway.read_online("c0").own
        assert marker is not None
        assert list(marker.failed) == ["counts"]
        assert (read["payroll"] or {})["salary_paid"] == float(turn)
        assert read["counts"] == (None if is_emptied else {"cents": 1, "rate": 0.5})
        OwnTable("counts").file(tables).write_bytes(good)
        assert {one.view: one.rows for one in gateway.materialize()}["counts"] == 3
        assert (gateway.marker() or marker).failed == {}
        assert gateway.read_online("c0").own["counts"] == {"cents": 1, "rate": 0.5}
    gateway.close()


def test_a_view_whose_source_is_broken_is_named_by_the_marker_and_goes_on_with_its_table(bank: Own) -> None:
    write_counts(bank.folder, pa.array([1, 5], pa.int64()))
    (bank.folder / "counts.py").write_text(COUNTS)
    filled_again(bank)[0].close()
    write_counts(bank.folder, pa.array([2**63, 5], pa.uint64()))
    gateway, _, written = filled_again(bank)
    assert [one.problem for one in written if one.problem] == []
    marker = gateway.marker()
    assert marker is not None
    assert list(marker.failed) == ["counts"]
    assert "column cents" in marker.failed["counts"]
    assert (gateway.read_online("c0").own["counts"] or {})["cents"] == 1
    write_counts(bank.folder, pa.array([3, 5], pa.int64()))
    filled_again(bank)[0].close()
    assert (gateway.marker() or marker).failed == {}
    gateway.close()

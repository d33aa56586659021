"""Where Spark's workers find what lies in this machine's folders."""

from pathlib import Path
from typing import Any

import pytest

from features.spark_session import Spark

OFFLINE = Path("/data/offline")


def spark(address: str) -> Spark:
    nothing: Any = None
    return Spark(nothing, OFFLINE, address, OFFLINE / "spark-1")


@pytest.mark.parametrize(
    ("address", "path", "expected"),
    [
        ("file:///data/offline", "/data/offline/features/a.parquet", "file:///data/offline/features/a.parquet"),
        ("s3a://nbo/offline", "/data/offline/events/*/*.parquet", "s3a://nbo/offline/events/*/*.parquet"),
        ("s3a://nbo/offline", "/elsewhere/a.parquet", "file:///elsewhere/a.parquet"),
        ("s3a://nbo/offline", "/data/offline2/a.parquet", "file:///data/offline2/a.parquet"),
    ],
)
def test_workers_find_the_offline_folder_at_its_address_and_other_files_where_they_lie(
    address: str, path: str, expected: str
) -> None:
    assert spark(address).address_of(path) == expected


def test_scratch_files_lie_where_workers_find_them_and_never_twice_under_one_name() -> None:
    running = spark("s3a://nbo/offline")
    one, other = running.new_file("events"), running.new_file("events")
    assert one != other
    assert running.address_of(one).startswith("s3a://nbo/offline/spark-1/events-")

"""A bank that adds features of its own: its files, and what it says of whom."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from shutil import copyfile
from typing import Any

import pyarrow as pa
from pyarrow.parquet import write_table

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "features" / "payroll.py"
MOMENT = pa.timestamp("us", tz="UTC")
Paid = tuple[str | None, datetime | None, float | None, str | None]


def payroll_folder(folder: Path, paid: Sequence[Paid]) -> Path:
    """Write the documented example and the file that it reads; return the folder that NBO_FEATURES would name."""
    folder.mkdir(parents=True, exist_ok=True)
    copyfile(EXAMPLE, folder / "payroll.py")
    write_payroll(folder, paid)
    return folder


def write_payroll(folder: Path, paid: Iterable[Paid], **columns: Any) -> None:
    """Write the file of the example."""
    rows = list(paid)
    told: dict[str, Any] = {
        "client_no": pa.array([row[0] for row in rows], pa.string()),
        "booked_at": pa.array([row[1] for row in rows], MOMENT),
        "salary_paid": pa.array([row[2] for row in rows], pa.float64()),
        "employer_sector": pa.array([row[3] for row in rows], pa.string()),
        "clerk": pa.array(["not read"] * len(rows), pa.string()),
    }
    told = {name: column for name, column in {**told, **columns}.items() if column is not None}
    write_table(pa.table(told), folder / "payroll.parquet")

"""An import's effort grows with its rows, not with their square, also where many rows are held and freed again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from recsys.storage.database import open_database
from tests.builders import NOW
from tests.recsys.storage.importing import Importer

_STEPS = 1_000


@contextmanager
def counted_steps() -> Iterator[list[int]]:
    """Count the steps of SQLite's machine on connections made meanwhile, in thousands: no clock, no noise."""
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    def watch(connection: Any, _record: object) -> None:
        connection.set_progress_handler(count, _STEPS)

    event.listen(Engine, "connect", watch)
    try:
        yield steps
    finally:
        event.remove(Engine, "connect", watch)


def effort(folder: Path, customers: int) -> list[int]:
    """Return the steps of three imports: with a bad row in ten of every table, mended, and replacing all."""
    folder.mkdir()
    found: list[int] = []
    for is_mended, replace in ((False, False), (True, False), (True, True)):
        level, day = ("2", "2026-01-01") if is_mended else ("9", "soon")
        with counted_steps() as steps:
            importer = Importer(open_database(f"sqlite:///{folder}/nbo.db"), folder / f"bank{len(found)}")
            importer.database.upgrade()
            rows = range(customers)
            importer.write(
                customers="customer_id,risk_level,do_not_contact\n"
                + "".join(f"c{row},{level if row % 10 == 0 else 2},no\n" for row in rows),
                interactions="customer_id,offer_id,occurred_at\n"
                + "".join(f"c{row},o{row % 7},{day if row % 10 == 1 else '2026-01-01'}\n" for row in rows),
                contacts="contact_id,customer_id,opened_at,reason\n"
                + "".join(f"k{row},c{row},{day if row % 10 == 2 else '2026-01-01'},complaint\n" for row in rows),
            )
            report = importer.run(clock=lambda: NOW, replace=replace)
            importer.database.close()
        assert report.held == (0 if is_mended else 3 * customers // 10)
        found.append(steps[0])
    return found


def test_four_times_the_rows_take_about_four_times_the_effort(tmp_path: Path) -> None:
    few, many = effort(tmp_path / "few", 1_000), effort(tmp_path / "many", 4_000)
    assert [round(more / less) <= 5 for less, more in zip(few, many, strict=True)] == [True] * 3, (few, many)

"""What was acknowledged before a kill -9 is there afterwards, once."""

import subprocess
import sys
import time
from collections import Counter

from recsys.storage.database import Database
from recsys.storage.schema import outcomes

KILLS, WRITERS = 3, 2


def _write_and_kill(url: str, round_: int) -> list[str]:
    """Return the keys that the writers acknowledged before they were killed together."""
    command = [sys.executable, "-m", "tests.recsys.storage.recording", url]
    writers = [
        subprocess.Popen([*command, f"w{round_}{number}"], stdout=subprocess.PIPE, text=True)
        for number in range(WRITERS)
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    time.sleep(0.2)
    for writer in writers:
        writer.kill()
    acknowledged = [f"w{round_}{number}-0" for number in range(WRITERS)]
    for writer in writers:
        text = writer.communicate()[0]
        acknowledged += text[: text.rfind("\n") + 1].split()  # a kill may cut the last line short
    return acknowledged


def test_nothing_acknowledged_is_lost_or_doubled(database: Database, database_url: str) -> None:
    acknowledged = [key for round_ in range(KILLS) for key in _write_and_kill(database_url, round_)]
    with database.read() as log:
        found = Counter(
            key for batch in log.batches(outcomes.select(), 1000) for key in [row.idempotency_key for row in batch]
        )
        counts = log.counts()
        if database_url.startswith("sqlite"):
            assert log._connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert len(acknowledged) > KILLS * WRITERS
    assert set(acknowledged) <= set(found)
    assert set(found.values()) == {1}
    assert counts["interactions"] == counts["outcomes"]

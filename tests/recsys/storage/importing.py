"""Writes an import directory and imports it, for tests."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys.storage.database import Database
from recsys.storage.import_directory import ImportOptions, ImportReport, import_directory
from serving.cli.imported_offers import next_catalogue
from tests.builders import NOW

INTERACTIONS = "customer_id,offer_id,occurred_at,event,channel,weight\n"
CUSTOMERS = "customer_id,kind,name,risk_level,vulnerable,consent_marketing,age,city,is_student\n"
CONTACTS = "contact_id,customer_id,opened_at,channel,direction,reason,sentiment,agent_id,csat\n"


class Importer:
    """One directory and the event log it goes into."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database, self.directory = database, directory
        directory.mkdir()

    def write(self, **files: str | bytes) -> None:
        """Write `<name>.csv` for each; bytes as they are."""
        for name, content in files.items():
            raw = content if isinstance(content, bytes) else content.encode()
            (self.directory / f"{name}.csv").write_bytes(raw)

    def run(self, **options: Any) -> ImportReport:
        """Import the directory."""
        known: dict[str, Any] = {"build_catalogue": next_catalogue, "clock": lambda: NOW}
        return import_directory(self.database, self.directory, ImportOptions(**{**known, **options}))

    def rejected(self) -> list[Mapping[str, str]]:
        """Return what rejected.csv says."""
        with (self.directory / "rejected.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def everything(self) -> dict[str, Sequence[Any]]:
        """Return every row of every table but the ids the database gave."""
        from recsys.storage.schema import metadata

        with self.database.read() as log:
            return {
                table.name: sorted(tuple(map(str, row)) for batch in log.batches(table.select(), 1000) for row in batch)
                for table in metadata.sorted_tables
            }

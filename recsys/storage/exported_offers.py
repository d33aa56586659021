"""Writes what models may know of the offers in the catalogue as Parquet: no texts and no rules."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def write_offers(offers: Sequence[Mapping[str, Any]], file: Path) -> int:
    """Write the offers of a saved catalogue in the order of their ids, times in UTC; returns how many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema()
    moments = {field.name for field in schema if pa.types.is_timestamp(field.type)}
    rows = [
        {name: _moment(offer.get(name)) if name in moments else offer.get(name) for name in schema.names}
        for offer in sorted(offers, key=lambda offer: str(offer["offer_id"]))
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema), file)
    return len(rows)


def _schema() -> "pa.Schema":
    import pyarrow as pa

    names, moment = pa.list_(pa.string()), pa.timestamp("us", tz="UTC")
    return pa.schema(
        [
            ("offer_id", pa.string()),
            ("kind", pa.string()),
            ("family", pa.string()),
            ("risk_level", pa.int32()),
            ("repeatable", pa.bool_()),
            ("margin", pa.float64()),
            ("handling_seconds", pa.float64()),
            ("channels", names),
            ("intents", names),
            ("valid_from", moment),
            ("valid_to", moment),
        ]
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)

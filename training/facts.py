"""What is known of customers, through Feast as of a moment, and of offers, under the names that rules give it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.from_events import PROFILE_FEATURES
from features.offline import OfflineFeatures
from features.person_signals import as_floats
from features.service_names import RELEVANCE_SERVICE
from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import FeatureSpace, SideFeatures
from training.exported_events import has_view

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

_OF_OFFERS = ("kind", "family", "risk_level", "margin", "handling_seconds", "channels", "intents")
_FEWEST_CUSTOMERS = 20
_ATTRIBUTE = "attr_"


def customer_facts(
    features: OfflineFeatures, customer_ids: Sequence[str], moment: datetime | Sequence[datetime]
) -> dict[str, NDArray[Any]]:
    """See `Dataset.customer_facts`."""
    table = features.known_at(RELEVANCE_SERVICE, customer_ids, moment)
    sources = {name.removeprefix(_ATTRIBUTE): name for name in table.column_names if name.startswith(_ATTRIBUTE)}
    sources |= {name: name for name in PROFILE_FEATURES}  # as for rules, these go first
    sources |= {name: name for name in features.own.names if name in table.column_names}
    known = {name: table[source] for name, source in sources.items()}
    return {name: _plain(column) for name, column in known.items() if column.null_count < len(column)}


def digest_of(facts: Mapping[str, NDArray[Any]]) -> str:
    """Return a digest that changes with every fact of anybody."""
    digest = hashlib.sha256()
    for name in sorted(facts):
        values = facts[name]
        digest.update(f"{name}\x1e".encode())
        digest.update(values.tobytes() if values.dtype.kind == "f" else "\x1f".join(map(str, values)).encode())
    return digest.hexdigest()


def offer_facts(connection: "DuckDBPyConnection") -> dict[str, dict[str, Any]]:
    """See `Dataset.offer_facts`."""
    if not has_view(connection, "offers"):
        return {}
    rows = connection.execute(f"SELECT offer_id, {', '.join(_OF_OFFERS)} FROM offers ORDER BY offer_id").fetchall()
    return {offer_id: dict(zip(_OF_OFFERS, values, strict=True)) for offer_id, *values in rows}


def repeatable_offers(connection: "DuckDBPyConnection") -> list[str]:
    """Return the offers that may be taken again by somebody who has them."""
    if not has_view(connection, "offers"):
        return []
    return [offer for (offer,) in connection.execute("SELECT offer_id FROM offers WHERE repeatable").fetchall()]


def side_features(
    connection: "DuckDBPyConnection",
    columns: Mapping[str, NDArray[Any]],
    interactions: InteractionMatrix,
    like: SideFeatures | None = None,
) -> SideFeatures | None:
    """Encode `columns`, the facts of the matrix's customers, and the offers of the catalogue.

    A value that fewer than 20 customers have is left out; or the spaces are those of `like`. None when nothing is
    known.
    """
    if like is not None:
        encoded = like.customer_space.encode_columns(columns, len(interactions.customer_ids))
        return replace(like, customers=encoded)
    offers = offer_facts(connection)
    if not columns and not offers:
        return None
    rows = [offers.get(offer_id, {}) for offer_id in interactions.offer_ids]
    of_customers = FeatureSpace.of_columns(columns, _FEWEST_CUSTOMERS)
    of_offers = FeatureSpace.of_rows(rows)
    encoded = of_customers.encode_columns(columns, len(interactions.customer_ids))
    return SideFeatures(encoded, of_offers.encode(rows), of_customers, of_offers)


def _plain(column: "pa.ChunkedArray") -> NDArray[Any]:
    """Return a column with NaN for an unknown number and None for anything else that is unknown."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return as_floats(column)
    return np.asarray(column.to_numpy().astype(object), dtype=object)

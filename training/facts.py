"""What the export says of customers and offers, under the names that rules give it: side features for models."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import FeatureSpace, SideFeatures
from training.exported_events import has_view

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OF_CUSTOMERS = ("kind", "language", "segment", "risk_level")
_OF_OFFERS = ("kind", "family", "risk_level", "margin", "handling_seconds", "channels", "intents")
_FEWEST_CUSTOMERS = 20
_ATTRIBUTE = "attr_"


def customer_facts(connection: "DuckDBPyConnection", customer_ids: Sequence[str]) -> dict[str, NDArray[Any]]:
    """See `Dataset.customer_facts`."""
    import pyarrow as pa

    if not has_view(connection, "customers"):
        return {}
    customers = connection.table("customers")
    sources = {name.removeprefix(_ATTRIBUTE): name for name in customers.columns if name.startswith(_ATTRIBUTE)}
    sources |= {name: name for name in _OF_CUSTOMERS if name in customers.columns}  # as for rules, these go first
    kinds = dict(zip(customers.columns, map(str, customers.types), strict=True))
    wanted = pa.table({"customer_id": pa.array(customer_ids, pa.string()), "place": np.arange(len(customer_ids))})
    shown = [_selected(source, kinds[source], place) for place, source in enumerate(sources.values())]
    query = f"SELECT {', '.join(['place', *shown])} FROM wanted LEFT JOIN customers USING (customer_id)"
    with connection.cursor() as cursor:
        columns = cursor.register("wanted", wanted).execute(query).fetchnumpy()
    order = np.argsort(columns["place"])
    return {name: _plain(columns[f"f{place}"])[order] for place, name in enumerate(sources)}


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


def side_features(connection: "DuckDBPyConnection", interactions: InteractionMatrix) -> SideFeatures | None:
    """See `Dataset.with_facts`; a value that fewer than 20 customers have is left out. None when nothing is known."""
    columns, offers = customer_facts(connection, interactions.customer_ids), offer_facts(connection)
    if not columns and not offers:
        return None
    rows = [offers.get(offer_id, {}) for offer_id in interactions.offer_ids]
    of_customers = FeatureSpace.of_columns(columns, _FEWEST_CUSTOMERS)
    of_offers = FeatureSpace.of_rows(rows)
    encoded = of_customers.encode_columns(columns, len(interactions.customer_ids))
    return SideFeatures(encoded, of_offers.encode(rows), of_customers, of_offers)


def _selected(source: str, kind: str, place: int) -> str:
    quoted = '"' + source.replace('"', '""') + '"'
    return f"{quoted if kind in ('VARCHAR', 'BOOLEAN') else f'{quoted}::DOUBLE'} AS f{place}"


def _plain(values: Any) -> NDArray[Any]:
    """Return a column with NaN for an unknown number and None for anything else that is unknown."""
    if values.dtype.kind == "f":
        return np.asarray(np.ma.filled(values, np.nan))
    plain = np.ma.getdata(values).astype(object)
    plain[np.ma.getmaskarray(values)] = None
    return np.asarray(plain, dtype=object)

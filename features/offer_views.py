"""What customers have answered to an offer lately."""

from pathlib import Path

from feast import FeatureView, Field
from feast.types import Int64

from features.entities import offer
from features.feature_tables import FeatureTable
from features.from_events import OFFER_FEATURES
from features.sources import table_source


def offer_answers(folder: Path) -> FeatureView:
    """Return the view of how often an offer was pitched, accepted and declined over 90 days, by day."""
    return FeatureView(
        name=FeatureTable.OFFERS,
        entities=[offer],
        schema=[Field(name=name, dtype=Int64) for name in OFFER_FEATURES],
        source=table_source(folder, FeatureTable.OFFERS),
        description="Answers to an offer over 90 days; a day counts from its end on.",
    )

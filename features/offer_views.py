"""What became of an offer lately: how often it was shown, pitched and answered, in all and by channel."""

from pathlib import Path

from feast import FeatureView, Field
from feast.types import Int64

from features.entities import channel, offer
from features.feature_tables import FeatureTable
from features.from_events import CHANNEL_FEATURES, OFFER_FEATURES
from features.sources import table_source


def offer_answers(folder: Path) -> FeatureView:
    """Return the view of how often an offer was shown, pitched and answered over 30, 90 and 365 days, by day."""
    return FeatureView(
        name=FeatureTable.OFFERS,
        entities=[offer],
        schema=[Field(name=name, dtype=Int64) for name in OFFER_FEATURES],
        source=table_source(folder, FeatureTable.OFFERS),
        description="What became of an offer over 30, 90 and 365 days; a day counts from its end on.",
    )


def offer_channel_answers(folder: Path) -> FeatureView:
    """Return the view of the same by channel over 90 days."""
    return FeatureView(
        name=FeatureTable.OFFER_CHANNELS,
        entities=[offer, channel],
        schema=[Field(name=name, dtype=Int64) for name in CHANNEL_FEATURES],
        source=table_source(folder, FeatureTable.OFFER_CHANNELS),
        description="What became of an offer on one channel over 90 days; a day counts from its end on.",
    )

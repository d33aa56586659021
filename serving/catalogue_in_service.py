"""The catalogue that decisions use: compiled once per version and never behind the event log."""

from recsys.catalogue import Catalogue, build_catalogue, parse_offers
from recsys.rules import BUILT_IN, ValueType
from recsys.storage.event_log import EventLog


class CatalogueInService:
    """Holds the compiled catalogue; every read compares its version with the event log's."""

    def __init__(self) -> None:
        self._version: str | None = None
        self._catalogue: Catalogue | None = None

    def current(self, log: EventLog) -> Catalogue:
        """Return the latest saved catalogue (an empty one before the first is saved)."""
        version = log.latest_catalogue_version()
        catalogue = self._catalogue
        if catalogue is None or version != self._version:
            saved = log.latest_catalogue()
            known = vocabulary(log)
            catalogue = build_catalogue(parse_offers(saved[1] if saved else [], known), known)
            self._version, self._catalogue = (saved[0] if saved else None), catalogue
        return catalogue


def vocabulary(log: EventLog) -> dict[str, ValueType]:
    """Return every name a rule may use: the built-in ones and the customers' attributes."""
    return {**{name: ValueType(kind) for name, kind in log.attribute_types().items()}, **BUILT_IN}

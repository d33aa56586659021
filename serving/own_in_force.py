"""The bank's own features in service: their names, and the functions of the version that was materialised."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from features.online_marker import Marker
from features.own_code import CodeShelf
from features.own_features import OwnFeatures, Transformations
from recsys.domain.customer import AttributeValue
from recsys.models.bundle import Bundle
from recsys.models.propensity_model import PropensityModel
from recsys.storage.event_log import EventLog
from serving.settings import Settings


@dataclass(frozen=True, slots=True)
class OwnRead:
    """What is known of a customer by the bank's own features, unknown values as None.

    `unread` are the features that could not be read at all: a rule that names one is closed. `dropped` are those of
    them that are not served of anybody, and `failed` transformations that should have said something. `code` says which
    code made what a transformation made.
    """

    values: Mapping[str, AttributeValue] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()
    code: Mapping[str, str] = field(default_factory=dict)


NOTHING_READ = OwnRead()


@dataclass(frozen=True, slots=True)
class _Version:
    own: OwnFeatures
    transformations: Transformations
    code: Mapping[str, str]


def facts_read(relevance: Bundle | None, propensity: PropensityModel | None) -> frozenset[str]:
    """Return the names of all facts and signals that these models read."""
    found = set(propensity.signals) if propensity is not None else set()
    if relevance is not None and relevance.uses_facts:
        found |= relevance.customer_space.facts.keys()
    return frozenset(found)


def code_shelf(settings: Settings) -> CodeShelf:
    """Return where this machine keeps the code that was applied."""
    return CodeShelf(settings.home.absolute() / "feast" / "own", settings.features)


class OwnInService:
    """Holds what was applied; every read compares its number with the event log's."""

    def __init__(self, shelf: CodeShelf) -> None:
        self._shelf = shelf
        self._names: tuple[int, int, frozenset[str]] = 0, 0, frozenset()  # one value: no thread sees half a change
        self._versions: dict[str, _Version] = {}

    def names(self, log: EventLog) -> frozenset[str]:
        """Return every name that means a feature of the bank's own."""
        if not (number := log.own_features_number()):
            return frozenset()
        known, held = (number, log.facts_version()), self._names  # an import may bring attributes
        if known != held[:2]:
            held = self._names = *known, log.own_names()
        return held[2]

    def read(
        self,
        log: EventLog,
        marker: Marker | None,
        rows: Mapping[str, Mapping[str, AttributeValue] | None],
        known: Mapping[str, AttributeValue],
    ) -> OwnRead:
        """Return what the served `rows` by view say, and what follows from them and from what else is `known`.

        `marker` says which version of the functions was materialised. A function is not asked where something that it
        reads could not be read.
        """
        names = self.names(log)
        if not names:
            return NOTHING_READ
        served = (one for row in rows.values() if row is not None for one in row.items())
        values = {name: value for name, value in served if name in names}
        found = self._materialised(log, marker)
        failed: list[str] = []
        code: dict[str, str] = {}
        if found is not None and found.transformations:
            stored = {feature.name for view in found.own.views for feature in view.features}
            made = found.transformations.apply({**known, **values})
            whole = {t.name for t in found.own.transformations if all(n in values for n in t.inputs if n in stored)}
            values |= {name: value for name, value in made.values.items() if name in whole & names}
            failed = sorted(made.failed.keys() & whole)
            code = {name: digest for name, digest in found.code.items() if name in values}
        unread = names - values.keys()
        dropped = self.dropped(log, marker) if unread else frozenset[str]()
        return OwnRead(values, tuple(sorted(unread)), tuple(failed), dropped, code)

    def dropped(self, log: EventLog, marker: Marker | None) -> frozenset[str]:
        """Return the features that were applied once and are not served; none where nothing is materialised."""
        if marker is None:
            return frozenset()
        served = {name for names in marker.views.values() for name in names}
        found = self._materialised(log, marker)
        return self.names(log) - served - {one.name for one in (found.own.transformations if found else ())}

    def warm(self, log: EventLog) -> None:
        """Load the functions that were applied last, so that no decision waits for what they import."""
        if (saved := log.own_features()) is not None:
            self._of(log, saved.version)

    def _materialised(self, log: EventLog, marker: Marker | None) -> _Version | None:
        return self._of(log, marker.own) if marker is not None and marker.own is not None else None

    def _of(self, log: EventLog, version: str) -> _Version | None:
        known = self._versions.get(version)
        if known is None and (saved := log.own_features(version)) is not None:
            own = OwnFeatures.of_json(saved.document, self._shelf)
            known = self._versions[version] = _Version(own, Transformations(own), own.code)
        return known

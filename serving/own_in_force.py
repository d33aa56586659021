"""The bank's own features in service: their names, and the functions of the version that was materialised."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from features.own_code import CodeShelf
from features.own_features import OwnFeatures, Transformations
from recsys.domain.customer import AttributeValue
from recsys.storage.event_log import EventLog
from serving.settings import Settings


@dataclass(frozen=True, slots=True)
class OwnRead:
    """What is known of a customer by the bank's own features, unknown values as None.

    `unread` are the features that could not be read at all, dropped ones among them: a rule that names one is closed.
    `failed` are transformations that should have said something.
    """

    values: Mapping[str, AttributeValue] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


NOTHING_READ = OwnRead()


@dataclass(frozen=True, slots=True)
class _Version:
    own: OwnFeatures
    transformations: Transformations


def code_shelf(settings: Settings) -> CodeShelf:
    """Return where this machine keeps the code that was applied."""
    return CodeShelf(settings.home.absolute() / "feast" / "own", settings.features)


class OwnInService:
    """Holds what was applied; every read compares its number with the event log's."""

    def __init__(self, shelf: CodeShelf) -> None:
        self._shelf = shelf
        self._names: tuple[int, frozenset[str]] = 0, frozenset()  # one value, so that no thread sees half a change
        self._versions: dict[str, _Version] = {}

    def names(self, log: EventLog) -> frozenset[str]:
        """Return every name that an own feature ever had, unless an attribute has it now."""
        number = log.own_features_number()
        held = self._names
        if number != held[0]:
            held = self._names = number, frozenset(log.all_own_types()) - log.attribute_types().keys()
        return held[1]

    def read(
        self,
        log: EventLog,
        version: str | None,
        rows: Mapping[str, Mapping[str, AttributeValue] | None],
        known: Mapping[str, AttributeValue],
    ) -> OwnRead:
        """Return what the served `rows` by view say, and what the functions of `version` make of them and the `known`.

        A function is not asked where something that it reads could not be read.
        """
        names = self.names(log)
        if not names:
            return NOTHING_READ
        values = {name: value for row in rows.values() if row is not None for name, value in row.items()}
        found = self._of(log, version) if version is not None else None
        failed: list[str] = []
        if found is not None and found.transformations:
            stored = {feature.name for view in found.own.views for feature in view.features}
            made = found.transformations.apply({**known, **values})
            whole = {t.name for t in found.own.transformations if all(n in values for n in t.inputs if n in stored)}
            values |= {name: value for name, value in made.values.items() if name in whole}
            failed = sorted(made.failed.keys() & whole)
        return OwnRead(values, tuple(sorted(names - values.keys())), tuple(failed))

    def warm(self, log: EventLog) -> None:
        """Load the functions that were applied last, so that no decision waits for what they import."""
        if (saved := log.own_features()) is not None:
            self._of(log, saved.version)

    def _of(self, log: EventLog, version: str) -> _Version | None:
        known = self._versions.get(version)
        if known is None and (saved := log.own_features(version)) is not None:
            own = OwnFeatures.of_json(saved.document, self._shelf)
            known = self._versions[version] = _Version(own, Transformations(own))
        return known

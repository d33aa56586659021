"""The bank's own features in service: their names, and the functions of the version that was materialised."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from features.online_marker import Marker
from features.own_calls import FunctionCalls, LoadedBeside
from features.own_code import CodeShelf
from features.own_features import OwnFeatures, Transformations, Transformed
from recsys.catalogue import Catalogue
from recsys.domain.customer import AttributeValue
from recsys.models.bundle import Bundle
from recsys.models.propensity_model import PropensityModel
from recsys.storage.event_log import EventLog
from serving.features_missing import FUNCTION_ASIDE
from serving.own_questions import Question, Told
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
    functions: LoadedBeside[Transformations]
    calls: FunctionCalls
    code: Mapping[str, str]


def facts_read(relevance: Bundle | None, propensity: PropensityModel | None) -> frozenset[str]:
    """Return the names of all facts and signals that these models read."""
    found = set(propensity.signals) if propensity is not None else set()
    if relevance is not None and relevance.uses_facts:
        found |= relevance.customer_space.facts.keys()
    return frozenset(found)


def read_by(catalogue: Catalogue, relevance: Bundle | None, propensity: PropensityModel | None) -> frozenset[str]:
    """Return the names of all facts that these models read, or a rule or a term of an offer."""
    return facts_read(relevance, propensity) | catalogue.rule_types.keys()


def code_shelf(settings: Settings) -> CodeShelf:
    """Return where this machine keeps the code that was applied."""
    return CodeShelf(settings.home.absolute() / "feast" / "own", settings.features)


class OwnInService:
    """Holds what was applied; every read compares its number with the event log's.

    A decision waits up to `seconds` for the functions, and as long again for their code where it was not loaded yet.
    """

    def __init__(self, shelf: CodeShelf, seconds: float) -> None:
        self._shelf = shelf
        self._seconds = seconds
        self._served: _Version | None = None
        self._names: tuple[int, int, frozenset[str]] = 0, 0, frozenset()  # one value: no thread sees half a change
        self._versions: dict[str, _Version] = {}
        self._loading = Lock()

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
        told: Told,
    ) -> OwnRead:
        """Return what the served `rows` by view say, and what follows from them and from what else is `known`.

        `marker` says which version of the functions was materialised. A function is not asked where something that it
        reads could not be read; what the others say is what they have `told`, and NotAskedYet where they have not.
        """
        names = self.names(log)
        if not names:
            return NOTHING_READ
        served = (one for row in rows.values() if row is not None for one in row.items())
        values = {name: value for name, value in served if name in names}
        found = self._materialised(log, marker)
        failed: list[str] = []
        code: dict[str, str] = {}
        if found is not None and found.own.transformations and marker is not None and marker.own is not None:
            stored = {feature.name for view in found.own.views for feature in view.features}
            whole = [
                one
                for one in found.own.transformations
                if one.name in names and all(name in values for name in one.inputs if name in stored)
            ]
            if whole:
                inputs = {name: values.get(name, known.get(name)) for one in whole for name in one.inputs}
                asked = Question(marker.own, tuple(one.name for one in whole), inputs)
                made = told.answer(asked, self._ask)
                values |= made.values
                failed = sorted(made.failed)
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

    def has_functions(self, log: EventLog, marker: Marker | None) -> bool:
        """Return whether the version that was materialised has functions."""
        found = self._materialised(log, marker)
        return found is not None and bool(found.own.transformations)

    def warm(self, log: EventLog) -> None:
        """Begin to load the functions that were applied last, so that no decision waits for what they import."""
        self.names(log)
        if (saved := log.own_features()) is not None:
            self._of(log, saved.version)

    def wait(self, seconds: float) -> None:
        """Return when the code that is being loaded is there, or after so long."""
        for one in tuple(self._versions.values()):
            one.functions.get(seconds)

    def aside(self) -> dict[str, str]:
        """Return the functions in service that are not called now, and why."""
        served = self._served
        if served is None:
            return {}
        if (why := served.functions.trouble) is not None:
            return {one.name: why for one in served.own.transformations}
        return served.calls.aside()

    def failing(self) -> dict[str, str]:
        """Return the functions in service that always fail, by what this worker has seen; not what they raise."""
        return self._served.calls.failing() if self._served is not None else {}

    def _ask(self, question: Question) -> Transformed:
        version = self._versions[question.version]
        functions = version.functions.get(self._seconds)
        if functions is None:
            why = version.functions.trouble or "its file was loaded too late"
            found = Transformed({}, dict.fromkeys(question.names, why))
        else:
            found = version.calls.ask(question.names, lambda name: functions.call(name, question.known))
        aside = self.aside()
        for name in question.names:
            FUNCTION_ASIDE.labels(name).set(name in aside)
        return found

    def _materialised(self, log: EventLog, marker: Marker | None) -> _Version | None:
        found = self._of(log, marker.own) if marker is not None and marker.own is not None else None
        before = self._served
        if marker is not None and found is not before:
            self._served = found
            for one in before.own.transformations if before is not None else ():
                FUNCTION_ASIDE.labels(one.name).set(False)
        return found

    def _of(self, log: EventLog, version: str) -> _Version | None:
        known = self._versions.get(version)
        if known is None and (saved := log.own_features(version)) is not None:
            own = OwnFeatures.of_json(saved.document, self._shelf)
            with self._loading:
                known = self._versions.get(version)
                if known is None:
                    loading = LoadedBeside(lambda: Transformations(own))
                    known = self._versions[version] = _Version(own, loading, FunctionCalls(self._seconds), own.code)
        return known

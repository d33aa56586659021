"""The catalogue and the policy that decisions use: compiled once per version and never behind the event log."""

from collections.abc import Mapping
from dataclasses import replace

from recsys.catalogue import Catalogue, build_catalogue, parse_offers
from recsys.domain.conventions import AS_STORED, Conventions
from recsys.domain.policy import Policy
from recsys.rules import BUILT_IN, Rule, ValueType
from recsys.storage.catalogue_log import SavedCatalogue
from recsys.storage.event_log import EventLog


class CatalogueInService:
    """Holds the compiled catalogue; every read compares its version with the event log's."""

    def __init__(self) -> None:
        self._held: tuple[str | None, Catalogue] | None = None  # one value, so that no thread sees half a change

    def current(self, log: EventLog) -> Catalogue:
        """Return the latest saved catalogue (an empty one before the first is saved)."""
        version, _ = log.versions_in_force()
        held = self._held
        if held is None or version != held[0]:
            saved = log.latest_catalogue()
            catalogue = compiled(saved, vocabulary(log)) if saved else build_catalogue((), vocabulary(log))
            self._held = held = (saved.version if saved else None), catalogue
        return held[1]


class PolicyInService:
    """Holds the decision policy; every read compares its version with the event log's."""

    def __init__(self) -> None:
        self._held = Policy().version, Policy()  # one value, so that no thread sees half a change

    @property
    def latest(self) -> Policy:
        """The policy of the latest decision here, for pages that say what its numbers are."""
        return self._held[1]

    def current(self, log: EventLog) -> Policy:
        """Return the latest saved policy (the default one before the first is saved)."""
        _, version = log.versions_in_force()
        held = self._held
        if version is not None and version != held[0]:
            policy = log.policy_of(version) or held[1]
            self._held = held = policy.version, policy
        return held[1]


def compiled(saved: SavedCatalogue, known: Mapping[str, ValueType]) -> Catalogue:
    """Return a saved catalogue, its rules read with the types they were saved with (`known` where none were kept).

    It keeps the version it was saved under, by which decisions name it.
    """
    types = known if saved.types is None else {name: ValueType(kind) for name, kind in saved.types.items()}
    return replace(build_catalogue(parse_offers(saved.offers, types, AS_STORED), types), version=saved.version)


def conventions(log: EventLog, policy: Policy) -> Conventions:
    """Return how the bank writes: the words of its policy, and its days."""
    return Conventions(policy.words, log.calendar)


def once_known(log: EventLog) -> dict[str, ValueType]:
    """Return the bank's own features that were ever applied: rules in force may name what was dropped, new ones not."""
    return {name: ValueType(kind) for name, kind in log.all_own_types().items()}


def uncounted(log: EventLog, rule: Rule) -> str | None:
    """Return why the event log cannot say for whom a rule is true: it names features of the bank's own."""
    own = sorted(rule.names & log.own_names())
    return f"the event log cannot count whom {', '.join(own)} holds for, a feature of the bank's own" if own else None


def vocabulary(log: EventLog) -> dict[str, ValueType]:
    """Return every name a rule may use: the built-in ones, the customers' attributes, and the bank's own features."""
    own = log.own_features()
    types = {**log.attribute_types(), **(own.types if own else {})}
    return {**{name: ValueType(kind) for name, kind in types.items()}, **BUILT_IN}

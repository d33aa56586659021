"""The registered models as the API and the console see them, and the two things that can be done with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from recsys.domain.errors import ModelVersionNotFound
from serving.idempotency import JUST_DO_IT, Once
from serving.models.asking import in_time
from serving.wiring import Services, registry_of

if TYPE_CHECKING:
    from training.lineage import Lineage
    from training.registry import Registry, VersionInfo

CARD, PLOTS = "model_card.json", "plots"
CHANGED_WITHIN_SECONDS = 60.0
"""A change downloads the version and checks its files before the alias is flipped."""

PROPENSITY = "q-"
"""What names of propensity versions begin with; those of relevance begin with "m-"."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The versions of one kind, newest first; `cards` are those of as many `leading` ones as were asked for."""

    champion: str | None
    in_service: str | None
    versions: "list[VersionInfo]"
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_pending(self) -> bool:
        """Whether this worker has yet to take the champion into service."""
        return self.champion is not None and self.champion != self.in_service

    def described(self) -> dict[str, Any]:
        """Return the versions as the API shows them."""
        versions = [version.described() for version in self.versions]
        return {"champion": self.champion, "in_service": self.in_service, "versions": versions}


@dataclass(frozen=True, slots=True)
class Kept:
    """One version with what its training kept: the card as JSON values, the names of its pictures, its lineage."""

    info: "VersionInfo"
    card: dict[str, Any] | None
    plots: tuple[str, ...]
    lineage: "Lineage"

    def described(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        kept = {"card_contents": self.card, "plots": list(self.plots), "lineage": self.lineage.described()}
        return {**self.info.described(), **kept}


@dataclass(frozen=True, slots=True)
class ModelService:
    """What can be read and done; every read raises `RegistryUnavailable` rather than wait long."""

    services: Services

    def registered(self, with_cards: int = 0) -> tuple[Registered, Registered]:
        """Return the relevance and the propensity models, with the cards of so many leading versions of each."""
        return in_time(self.services, lambda: (self._of("", with_cards), self._of(PROPENSITY, with_cards)))

    def kept(self, version: str) -> Kept:
        """Return a version by name or number; raises `ModelVersionNotFound`."""
        return in_time(self.services, lambda: self._kept(version))

    def plot(self, version: str, name: str) -> bytes:
        """Return one of the version's pictures as SVG; raises `ModelVersionNotFound` where it has no such picture."""

        def read() -> bytes:
            run = registry_of(self.services.settings, version).version(version).card_run
            found = _artifact(self.services.settings.tracking_uri, run, f"{PLOTS}/{name}.svg")
            if found is None:
                raise ModelVersionNotFound(version)
            return found

        return in_time(self.services, read)

    def lineage(self, version: str) -> "Lineage":
        """Return where a version comes from; raises `ModelVersionNotFound`."""
        from training.lineage import lineage_of

        return in_time(self.services, lambda: lineage_of(self.services.settings.tracking_uri, version))

    def promote(self, version: str, approver: str, once: Once = JUST_DO_IT) -> str | None:
        """Make a version the champion and return its kind's champion; every worker serves it within seconds.

        Raises as `Registry.promote` does.
        """

        def ask() -> str | None:
            registry = registry_of(self.services.settings, version)
            return self._changed(registry, once, lambda _: registry.promote(version, approver))

        return in_time(self.services, ask, CHANGED_WITHIN_SECONDS)

    def roll_back(self, is_propensity: bool, once: Once = JUST_DO_IT) -> str | None:
        """Return to the champion before this one, and return which that is; raises as `Registry.rollback` does."""

        def ask() -> str | None:
            registry = registry_of(self.services.settings, PROPENSITY if is_propensity else "")
            return self._changed(registry, once, registry.rollback)

        return in_time(self.services, ask, CHANGED_WITHIN_SECONDS)

    def _changed(self, registry: "Registry", once: Once, change: Callable[[str | None], object]) -> str | None:
        """Return the champion after `change`, which is given the champion that it leaves.

        The registry is no part of the event log's transactions. So a request under a key is written down before it,
        and what came of it after: one that was sent again is done again only where its end is not known, and then
        it finds its own work and changes nothing.
        """
        if once.request is None:
            change(None)
            return registry.champion()
        database, leaving = self.services.database, registry.champion()
        with database.transaction() as log:
            made = once.begin(log, self.services.clock())
            if made is None:
                made = {"leaving": leaving}
                once.end(log, **made)
        if "champion" not in made:
            change(made["leaving"])
            made = {"champion": registry.champion()}
            with database.transaction() as log:
                once.end(log, **made)
        champion: str | None = made["champion"]
        return champion

    def _of(self, kind: str, with_cards: int) -> Registered:
        from training.registry import CHAMPION

        services = self.services
        pair = services.champion.pair
        model = pair.propensity if kind == PROPENSITY else pair.relevance
        versions = registry_of(services.settings, kind).versions()
        champion = next((one.version for one in versions if CHAMPION in one.aliases), None)
        cards = {one.version: self._card(one) for one in leading(versions, with_cards)}
        known = {version: card for version, card in cards.items() if card}
        return Registered(champion, model.version if model else None, versions, known)

    def _kept(self, version: str) -> Kept:
        from training.lineage import trace

        registry = registry_of(self.services.settings, version)
        info = registry.version(version)
        traced = trace(self.services.settings.tracking_uri, info)
        pictures = [path.removesuffix(".svg") for path in registry.artifacts(info.card_run, PLOTS)]
        names = (path.removeprefix(f"{PLOTS}/") for path in pictures if "." not in path)
        return Kept(info, self._card(info), tuple(names), traced)

    def _card(self, info: "VersionInfo") -> dict[str, Any] | None:
        found = _artifact(self.services.settings.tracking_uri, info.card_run, CARD) if info.card else None
        card: dict[str, Any] | None = orjson.loads(found) if found else None
        return card


def leading(versions: "Sequence[VersionInfo]", most: int) -> "list[VersionInfo]":
    """Return the versions to look at first: the champion, the one before, then the newest."""
    aliased = [one for alias in ("champion", "previous") for one in versions if alias in one.aliases]
    return [*aliased, *(one for one in versions if one not in aliased)][:most]


@lru_cache(maxsize=256)
def _artifact(tracking_uri: str, run: str, path: str) -> bytes | None:
    """Return what a finished run kept: it never changes."""
    from training.registry import Registry

    return Registry(tracking_uri).artifact(run, path)

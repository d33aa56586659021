"""The models in service: a pair that follows the registry, swaps whole between requests, does without the registry."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import structlog

from recsys.domain.errors import BundleRefused, NboError
from recsys.engine import NO_RELEVANCE
from recsys.models.bundle import Bundle
from recsys.models.bundle_files import load_bundle
from recsys.models.propensity_model import PropensityModel
from serving.heavy_imports import ONE_AT_A_TIME

if TYPE_CHECKING:
    from training.model_kinds import ModelKind
    from training.registry import Registry

POLL_SECONDS = 2.0
logger = structlog.get_logger()
Model = TypeVar("Model", Bundle, PropensityModel)


@dataclass(frozen=True, slots=True)
class ModelPair:
    """A relevance model and the propensity that was trained on its signals; without one the declared weights serve."""

    relevance: Bundle | None = None
    propensity: PropensityModel | None = None


class ChampionInService:
    """Loads the champions beside the pair in service, and swaps both at once when every check passed.

    The last good relevance model serves from the first request on. The propensity comes when `allow_propensity` was
    called, because LightGBM takes seconds to import; until then decisions go by the declared weights.
    """

    def __init__(self, tracking_uri: str, bundles: Path) -> None:
        self._tracking_uri = tracking_uri
        self._bundles = bundles
        self._pair = ModelPair()
        self._refused: set[str] = set()
        self._has_propensity = False
        self._has_looked = threading.Event()
        self._stopped = threading.Event()
        self._looking = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="champion", daemon=True)

    @property
    def pair(self) -> ModelPair:
        """The models in service, which belong together: to be read once a decision."""
        return self._pair

    @property
    def bundle(self) -> Bundle | None:
        """The relevance model in service, or None before there is one."""
        return self._pair.relevance

    @property
    def is_known(self) -> bool:
        """Whether there is a model in service, or a first look found none."""
        return self._pair.relevance is not None or self._has_looked.is_set()

    @property
    def is_stopped(self) -> bool:
        """Whether it follows the registry no more."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Load the last good bundle from disk, then follow the registry in a thread."""
        self.load_last_good()
        self._thread.start()

    def wait(self) -> None:
        """Return when the registry was looked at for the first time."""
        self._has_looked.wait()

    def stop(self) -> None:
        """Stop following."""
        self._stopped.set()

    def allow_propensity(self) -> None:
        """Load the propensity that belongs to the relevance model in service, and follow the registry's from now on."""
        with ONE_AT_A_TIME:
            if not self.is_stopped:
                self._has_propensity = True
                self.load_last_good()
                self._look()

    def check(self) -> None:
        """Look at the registry once and serve its pair of champions if that is another one.

        Raises where a version is refused: a relevance version that is leaves both as they are, a propensity that is
        leaves the declared weights to a relevance version that just came.
        """
        with self._looking:
            registry = self._registry()
            version, partner = registry.pair()
            if version is None and partner is None:  # nobody promoted anything yet, here at least
                return
            relevance, refused = self._pair.relevance, None
            if version is not None and (relevance is None or relevance.version != version):
                if version in self._refused:
                    return
                relevance = self._fetched(registry, version, load_bundle)
            propensity = self._pair.propensity if _belong_together(relevance, self._pair.propensity) else None
            try:
                propensity = self._partner(relevance, propensity, partner)
            except NboError as error:
                refused = error
            self._put(ModelPair(relevance, propensity))
            if refused is not None:
                raise refused

    def load_last_good(self) -> None:
        """Serve the pair that was in service last on this machine, as far as it still passes its checks."""
        version, partner = self._last_good()
        if version is not None and self._pair.relevance is None:
            self._try("load the last good bundle", lambda: self._serve(version))
        if partner is not None and self._has_propensity:
            self._try("load the last good propensity", lambda: self._serve_beside(partner))

    def _partner(
        self, relevance: Bundle | None, propensity: PropensityModel | None, version: str | None
    ) -> PropensityModel | None:
        """Return the propensity of this version, where it may serve beside `relevance`; one that is refused raises."""
        if version is None or not self._has_propensity:
            return None
        if (propensity and propensity.version == version) or version in self._refused:
            return propensity
        from training.model_kinds import PROPENSITY

        found = self._fetched(self._registry(PROPENSITY), version, _load_propensity)
        if not _belong_together(relevance, found):
            self._refused.add(version)
            raise BundleRefused(f"pair: {version} was trained on {found.relevance_version}, which does not serve")
        return found

    def _fetched(self, registry: "Registry", version: str, load: Callable[[Path, str], Model]) -> Model:
        try:
            registry.fetch(version, self._bundles)
            return load(self._bundles / version, version)
        except NboError:
            self._refused.add(version)
            raise

    def _registry(self, kind: "ModelKind | None" = None) -> "Registry":
        from training.model_kinds import RELEVANCE
        from training.registry import Registry

        return Registry(self._tracking_uri, kind or RELEVANCE)

    def _follow(self) -> None:
        with ONE_AT_A_TIME:
            self._look()
        while not self._stopped.wait(POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        if not self._stopped.is_set():
            self._try("follow the champion", self.check)
        self._has_looked.set()

    def _try(self, what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # the thread must outlive every failure of registry, disk or bundle
            logger.warning("model_not_changed", step=what, error=type(error).__name__, reason=str(error)[:300])

    def _serve(self, version: str) -> None:
        """Serve a relevance version of this machine, with the propensity in service where they belong together."""
        relevance = load_bundle(self._bundles / version, version)
        with self._looking:
            propensity = self._pair.propensity
            self._put(ModelPair(relevance, propensity if _belong_together(relevance, propensity) else None))

    def _serve_beside(self, version: str) -> None:
        model = _load_propensity(self._bundles / version, version)
        with self._looking:
            if self._pair.propensity is None and _belong_together(self._pair.relevance, model):
                self._put(replace(self._pair, propensity=model))

    def _put(self, pair: ModelPair) -> None:
        """Let the pair serve: one assignment, so that no request sees half of it; and write down which it is."""
        if pair.relevance is self._pair.relevance and pair.propensity is self._pair.propensity:
            return
        self._pair = pair
        served = [None if one is None else one.version for one in (pair.relevance, pair.propensity)]
        if not self._has_propensity:  # it is not gone, only not looked at yet
            served[1] = self._last_good()[1]
        self._bundles.mkdir(parents=True, exist_ok=True)
        pointer = self._bundles / "champion.json"
        beside = pointer.with_suffix(f".{threading.get_ident()}.tmp")
        beside.write_text(json.dumps({"version": served[0], "propensity": served[1]}))
        beside.replace(pointer)
        logger.info("models_in_service", relevance=served[0], propensity=served[1])

    def _last_good(self) -> tuple[str | None, str | None]:
        """Return the versions that served last; an older program wrote the propensity into a file of its own."""
        pair, alone = (_read(self._bundles / f"{name}.json") for name in ("champion", "propensity"))
        return pair.get("version"), pair["propensity"] if "propensity" in pair else alone.get("version")


def _belong_together(relevance: Bundle | None, propensity: PropensityModel | None) -> bool:
    """Return whether the propensity was trained on this relevance version, as far as it says."""
    if propensity is None or propensity.relevance_version is None:
        return True
    return propensity.relevance_version == (relevance.version if relevance else NO_RELEVANCE)


def _load_propensity(directory: Path, version: str) -> PropensityModel:
    from recsys.models.propensity_folder import load_propensity_model

    return load_propensity_model(directory, version)


def _read(file: Path) -> dict[str, str | None]:
    try:
        found: dict[str, str | None] = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found

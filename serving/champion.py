"""The models in service: each follows its alias `champion`, swaps between requests, does without the registry."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from recsys.domain.errors import NboError
from recsys.models.bundle import Bundle
from recsys.models.bundle_files import load_bundle
from recsys.models.propensity_folder import load_propensity_model
from recsys.models.propensity_model import PropensityModel
from serving.heavy_imports import ONE_AT_A_TIME

if TYPE_CHECKING:
    from training.model_kinds import ModelVersion
    from training.registry import Registry

POLL_SECONDS = 2.0
logger = structlog.get_logger()
Model = TypeVar("Model", bound="ModelVersion")


class FollowedModel(Generic[Model]):
    """Loads a kind's champion beside the version in service and swaps them when every check passed.

    `load` checks the files of a version; `name` is that of the thread and of the file that points to the last good one.
    """

    def __init__(self, tracking_uri: str, bundles: Path, name: str, load: Callable[[Path, str], Model]) -> None:
        self._tracking_uri = tracking_uri
        self._bundles = bundles
        self._name = name
        self._load = load
        self._model: Model | None = None
        self._refused: str | None = None
        self._has_looked = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=name, daemon=True)

    @property
    def is_known(self) -> bool:
        """Whether there is a model in service, or a first look found none."""
        return self._model is not None or self._has_looked.is_set()

    @property
    def is_stopped(self) -> bool:
        """Whether it follows the registry no more."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Follow the registry in a thread."""
        self._thread.start()

    def wait(self) -> None:
        """Return when the registry was looked at for the first time."""
        self._has_looked.wait()

    def stop(self) -> None:
        """Stop following."""
        self._stopped.set()

    def check(self) -> None:
        """Look at the registry once and serve its champion if that is another version."""
        registry = self._registry()
        version = registry.champion()
        in_service = self._model.version if self._model else None
        if version is None or version in (in_service, self._refused):
            return
        try:
            registry.fetch(version, self._bundles)
            self._serve(version)
        except NboError:
            self._refused = version
            raise

    def load_last_good(self) -> None:
        """Serve the version that was in service last on this machine, if it still passes its checks."""
        version = self._last_good()
        if version is not None:
            self._try("load the last good bundle", lambda: self._serve(version))

    def _registry(self) -> "Registry":
        from training.registry import Registry

        return Registry(self._tracking_uri)

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
        self._model = self._load(self._bundles / version, version)
        pointer = self._bundles / f"{self._name}.json"
        beside = pointer.with_suffix(f".{threading.get_ident()}.tmp")
        beside.write_text(json.dumps({"version": version}))
        beside.replace(pointer)
        logger.info("model_in_service", version=version)

    def _last_good(self) -> str | None:
        try:
            return str(json.loads((self._bundles / f"{self._name}.json").read_text())["version"])
        except (OSError, ValueError, KeyError):
            return None


class ChampionInService(FollowedModel[Bundle]):
    """The relevance model in service; the last good one serves from the first request on."""

    def __init__(self, tracking_uri: str, bundles: Path) -> None:
        super().__init__(tracking_uri, bundles, "champion", load_bundle)

    @property
    def bundle(self) -> Bundle | None:
        """The model version in service, or None before there is one."""
        return self._model

    def start(self) -> None:
        """Load the last good bundle from disk, then follow the registry in a thread."""
        self.load_last_good()
        super().start()


class PropensityInService(FollowedModel[PropensityModel]):
    """The propensity model in service; loaded in the thread, because LightGBM takes seconds to import.

    Until there is one, decisions go by the declared weights.
    """

    def __init__(self, tracking_uri: str, bundles: Path) -> None:
        super().__init__(tracking_uri, bundles, "propensity", load_propensity_model)

    @property
    def model(self) -> PropensityModel | None:
        """The model version in service, or None before there is one."""
        return self._model

    def _registry(self) -> "Registry":
        from training.model_kinds import PROPENSITY
        from training.registry import Registry

        return Registry(self._tracking_uri, PROPENSITY)

    def _follow(self) -> None:
        with ONE_AT_A_TIME:
            if not self.is_stopped:
                self.load_last_good()
        super()._follow()

"""The model in service: follows the alias `champion`, swaps between requests, survives the registry being away."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from recsys.domain.errors import NboError
from recsys.models.bundle import Bundle
from recsys.models.bundle_files import load_bundle

POLL_SECONDS = 2.0
logger = structlog.get_logger()


class ChampionInService:
    """Loads the champion's bundle beside the one in service and swaps them when every check passed."""

    def __init__(self, tracking_uri: str, bundles: Path) -> None:
        self._tracking_uri = tracking_uri
        self._bundles = bundles
        self._bundle: Bundle | None = None
        self._refused: str | None = None
        self._has_looked = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="champion", daemon=True)

    @property
    def bundle(self) -> Bundle | None:
        """The model version in service, or None before there is one."""
        return self._bundle

    @property
    def is_known(self) -> bool:
        """Whether there is a model in service, or a first look found none."""
        return self._bundle is not None or self._has_looked.is_set()

    def start(self) -> None:
        """Load the last good bundle from disk, then follow the registry in a thread."""
        version = self._last_good()
        if version is not None:
            self._try("load the last good bundle", lambda: self._serve(version))
        self._thread.start()

    @property
    def is_stopped(self) -> bool:
        """Whether it follows the registry no more."""
        return self._stopped.is_set()

    def wait(self) -> None:
        """Return when the registry was looked at for the first time."""
        self._has_looked.wait()

    def stop(self) -> None:
        """Stop following."""
        self._stopped.set()

    def check(self) -> None:
        """Look at the registry once and serve its champion if that is another version."""
        from training.registry import Registry

        registry = Registry(self._tracking_uri)
        version = registry.champion()
        in_service = self._bundle.version if self._bundle else None
        if version is None or version in (in_service, self._refused):
            return
        try:
            registry.fetch(version, self._bundles)
            self._serve(version)
        except NboError:
            self._refused = version
            raise

    def _follow(self) -> None:
        while not self._stopped.is_set():
            self._try("follow the champion", self.check)
            self._has_looked.set()
            self._stopped.wait(POLL_SECONDS)

    def _try(self, what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # the thread must outlive every failure of registry, disk or bundle
            logger.warning("model_not_changed", step=what, error=type(error).__name__, reason=str(error)[:300])

    def _serve(self, version: str) -> None:
        self._bundle = load_bundle(self._bundles / version, version)
        pointer = self._bundles / "champion.json"
        beside = pointer.with_suffix(f".{threading.get_ident()}.tmp")
        beside.write_text(json.dumps({"version": version}))
        beside.replace(pointer)
        logger.info("model_in_service", version=version)

    def _last_good(self) -> str | None:
        try:
            return str(json.loads((self._bundles / "champion.json").read_text())["version"])
        except (OSError, ValueError, KeyError):
            return None

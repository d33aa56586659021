"""Builds the parts of the service from the settings, once, and closes them."""

import gc
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TYPE_CHECKING

import structlog

from recsys.domain.clock import Clock, system_clock
from recsys.domain.errors import FeaturesUnavailable, StoreUnavailable
from recsys.domain.policy import Policy
from recsys.storage.database import Database, open_database
from recsys.storage.event_log import EventLog
from serving.access import Access
from serving.archive import Archive
from serving.campaigns_in_force import CampaignsInService
from serving.champion import ChampionInService
from serving.evidence import EvidenceInService
from serving.features_missing import FEATURES_MISSING, FEATURES_UNAVAILABLE
from serving.heavy_imports import ONE_AT_A_TIME
from serving.in_force import CatalogueInService, PolicyInService
from serving.own_in_force import OwnInService, code_shelf
from serving.settings import Settings

if TYPE_CHECKING:
    from features.gateway import FeatureGateway
    from training.registry import Registry

OPEN_AGAIN_SECONDS = (0.5, 2.0, 10.0)
OWN_SHARE = 0.5
"""So much of a decision's deadline is for the bank's own functions."""
OWN_CODE_SECONDS = 10.0
"""How long the start waits for what the bank's own code imports."""
WARMING_PAUSES = (0.1, 0.3, 1.0)
logger = structlog.get_logger()


class FeaturesInService:
    """The feature store as decisions read it: opened in a thread, because Feast takes seconds to import."""

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        self._settings = settings
        self._clock = clock
        self.own = OwnInService(code_shelf(settings), settings.decision_deadline_ms / 1000 * OWN_SHARE)
        self._gateway: FeatureGateway | None = None
        self._has_tried = threading.Event()
        self._closing = threading.Event()
        self._opener = threading.Thread(target=self._keep_trying, name="features", daemon=True)

    def trouble(self) -> str | None:
        """Return why decisions are without features now, which is that the store does not answer or was emptied."""
        try:
            is_filled = self.gateway.marker() is not None
        except FeaturesUnavailable:
            return FEATURES_UNAVAILABLE
        return None if is_filled else FEATURES_MISSING

    def lacking(self, log: EventLog, read: frozenset[str]) -> tuple[str, ...]:
        """Return those of the bank's own features in `read` that are served no more."""
        try:
            marker = self.gateway.marker()
        except FeaturesUnavailable:
            return ()
        return tuple(sorted(self.own.dropped(log, marker) & read))

    def warm(self) -> None:
        """Read once as a decision does, of nobody: what is looked up, connected and imported first takes longer."""
        for pause in WARMING_PAUSES:
            with suppress(FeaturesUnavailable):
                self.gateway.read_online("")
                return
            if self._closing.wait(pause):
                return

    @property
    def is_known(self) -> bool:
        """Whether it is open, or could not be opened at first."""
        return self._gateway is not None or self._has_tried.is_set()

    def failed(self) -> Mapping[str, str]:
        """Return of each of the bank's own views that could not be brought up to date why."""
        try:
            marker = self.gateway.marker()
        except FeaturesUnavailable:
            return {}
        return marker.failed if marker is not None else {}

    @property
    def gateway(self) -> "FeatureGateway":
        """The open feature store; FeaturesUnavailable while it is not."""
        if self._gateway is None:
            raise FeaturesUnavailable("The feature store is not open yet.")
        return self._gateway

    def start(self) -> None:
        """Begin to open it."""
        self._opener.start()

    def wait(self) -> None:
        """Return when it is open or could not be opened at first."""
        self._has_tried.wait()

    def close(self) -> None:
        """Give its connections back."""
        self._closing.set()
        if self._gateway is not None:
            self._gateway.close()

    def _keep_trying(self) -> None:
        for pause in chain(OPEN_AGAIN_SECONDS, repeat(OPEN_AGAIN_SECONDS[-1])):
            if self._closing.is_set() or self._open():
                break
            self._has_tried.set()
            self._closing.wait(pause)
        self._has_tried.set()

    def _open(self) -> bool:
        """Return whether it is open now."""
        try:
            from features.gateway import FeatureGateway

            with ONE_AT_A_TIME:
                gateway = FeatureGateway(self._settings, clock=self._clock)
                gateway.prepare()
            self._gateway = gateway
        except Exception as error:  # decisions go on without features, and say so
            logger.warning("features_unavailable", error=type(error).__name__, reason=str(error)[:300])
        return self._gateway is not None


def registry_of(settings: Settings, version: str = "") -> "Registry":
    """Open the model registry that `version` is named in, else relevance's; takes seconds the first time (MLflow)."""
    from training.model_kinds import kind_of
    from training.registry import Registry

    return Registry(settings.tracking_uri, kind_of(version))


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with."""

    settings: Settings
    database: Database
    catalogue: CatalogueInService
    champion: ChampionInService
    features: FeaturesInService
    archive: Archive
    access: Access
    policy: PolicyInService = field(default_factory=PolicyInService)
    campaigns: CampaignsInService = field(default_factory=CampaignsInService)
    evidence: EvidenceInService = field(default_factory=EvidenceInService)
    clock: Clock = system_clock
    is_settled: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin following the champions and opening the feature store.

        Nobody collects garbage until all is loaded: walking the half million objects that Feast and MLflow leave
        behind stops every request for a fifth of a second, again and again, and finds next to nothing.
        """
        gc.disable()
        self.champion.start()
        self.features.start()
        self.evidence.follow(lambda offer_ids: self.features.gateway.read_offer_answers(offer_ids), self._look)
        threading.Thread(target=self._settle, name="settle", daemon=True).start()

    def awaited(self) -> tuple[str, ...]:
        """Return what a service that has just started is still loading, nothing once all was tried."""
        if self.is_settled.is_set():
            return ()
        known = {"model": self.champion.is_known, "features": self.features.is_known, "propensity": False}
        return tuple(part for part, is_known in known.items() if not is_known)

    def close(self) -> None:
        """Stop the threads and close what is open."""
        self.champion.stop()
        self.evidence.stop()
        gc.unfreeze()
        self.features.close()
        self.database.close()

    def _look(self) -> None:
        """Bring the evidence up to date."""
        with self.database.read() as log:
            self.evidence.refresh(log, self.catalogue.current(log).table.offer_ids, self.clock())

    def _warm(self) -> None:
        """Load the functions of the bank's own features; what they fail with, a decision says."""
        own = self.features.own
        with suppress(StoreUnavailable), ONE_AT_A_TIME:
            with self.database.read() as log:
                own.warm(log)
            own.wait(OWN_CODE_SECONDS)

    def _settle(self) -> None:
        """Follow the propensity champion; once everything is loaded, take it out of the garbage collector's rounds.

        One after the other: LightGBM, Feast and MLflow import the same libraries, which threads must not do at once.
        """
        try:
            self.features.wait()
            self._warm()
            self.champion.wait()
            self.champion.allow_propensity()
            self.features.warm()
            if not self.champion.is_stopped:
                gc.freeze()
        finally:
            gc.enable()
            self.is_settled.set()


def build_services(settings: Settings, clock: Clock = system_clock) -> Services:
    """Open the event log (migrated to the newest schema) and prepare the other parts, all on one clock."""
    # Standard output belongs to what a command answers.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    settings.home.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.event_log_url, settings.calendar)
    database.upgrade()
    with database.read() as log:
        _, policy = log.versions_in_force()
    if policy is None:
        with database.transaction() as log:
            log.save_policy(Policy(), clock())
    return Services(
        settings=settings,
        database=database,
        catalogue=CatalogueInService(),
        champion=ChampionInService(settings.tracking_uri, settings.bundles),
        features=FeaturesInService(settings, clock),
        evidence=EvidenceInService(settings.evidence_seconds),
        archive=Archive(settings),
        access=Access(settings, database),
        clock=clock,
    )

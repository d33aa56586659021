"""What decisions were made with, found again by version: catalogue, policy and models."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from recsys.catalogue import Catalogue
from recsys.domain.decision import Decision, Situation
from recsys.domain.errors import BundleRefused, ModelVersionNotFound, NotReplayable
from recsys.domain.policy import Policy
from recsys.engine import DECLARED, decide
from recsys.models.bundle import Bundle
from recsys.models.bundle_files import load_bundle
from recsys.models.propensity_model import PropensityModel
from recsys.storage.event_log import EventLog
from serving.in_force import compiled, vocabulary
from serving.settings import Settings

_KEPT = 24
_KINDS = ("catalogue", "policy", "model", "propensity")
Found = TypeVar("Found", Catalogue, Policy, Bundle, PropensityModel)
Model = TypeVar("Model", Bundle, PropensityModel)


@dataclass(frozen=True, slots=True)
class Basis:
    """Everything beside the situation that a decision depends on."""

    catalogue: Catalogue
    policy: Policy
    model: Bundle | None
    propensity: PropensityModel | None

    def decide(self, situation: Situation) -> Decision:
        """Return the decision of this situation."""
        return decide(situation, self.catalogue, self.model, self.policy, self.propensity)


class Archive:
    """Looks versions up where they are kept: the event log, this machine's bundles, else the model registry."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._found: OrderedDict[str, Catalogue | Policy | Bundle | PropensityModel] = OrderedDict()
        self._looking = threading.Lock()

    def basis_of(self, record: Mapping[str, Any], log: EventLog) -> Basis:
        """Return what the record's decision was made with; raises `NotReplayable` that says what is gone."""
        catalogue, policy, model, propensity = (record[f"{kind}_version"] for kind in _KINDS)
        return Basis(
            self._kept(catalogue, Catalogue, lambda: self._catalogue(log, catalogue)),
            self._kept(policy, Policy, lambda: log.policy_of(policy)),
            None if model == "none" else self._kept(model, Bundle, lambda: self._load(model, load_bundle)),
            None if propensity == DECLARED else self._propensity(propensity),
        )

    def _kept(self, version: str, kind: type[Found], look_up: Callable[[], Found | None]) -> Found:
        """Return a version found before, or look it up; the least used of many goes."""
        with self._looking:
            found = self._found.get(version)
            if not isinstance(found, kind):
                found = look_up()
                if found is None:
                    raise NotReplayable(f"{kind.__name__} {version} is not there any more.")
                self._found[version] = found
            self._found.move_to_end(version)
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
            return found

    def _catalogue(self, log: EventLog, version: str) -> Catalogue | None:
        saved = log.catalogue_of(version)
        return None if saved is None else compiled(saved, vocabulary(log))

    def _propensity(self, version: str) -> PropensityModel:
        from recsys.models.propensity_folder import load_propensity_model

        return self._kept(version, PropensityModel, lambda: self._load(version, load_propensity_model))

    def _load(self, version: str, load: Callable[[Path, str], Model]) -> Model:
        folder = self._settings.bundles / version
        try:
            if not folder.is_dir():
                from training.model_kinds import kind_of
                from training.registry import Registry

                registry = Registry(self._settings.tracking_uri, kind_of(version))
                folder = registry.fetch(version, self._settings.bundles)
            return load(folder, version)
        except (BundleRefused, ModelVersionNotFound) as error:
            raise NotReplayable(f"The decision's model cannot be had: {error}") from error

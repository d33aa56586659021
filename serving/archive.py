"""What decisions were made with, found again by version: catalogue, policy, models and evidence."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from recsys.catalogue import Catalogue
from recsys.domain.decision import CampaignArm, CampaignArms
from recsys.domain.errors import BundleRefused, InvalidInput, ModelVersionNotFound, NotFound, NotReplayable
from recsys.domain.policy import Policy
from recsys.engine import DECLARED, NO_RELEVANCE
from recsys.models.bundle import Bundle
from recsys.models.bundle_files import load_bundle
from recsys.models.propensity_model import PropensityModel
from recsys.ranking.evidence import OfferEvidence
from recsys.storage.event_log import EventLog
from serving.basis import Basis
from serving.in_force import compiled, vocabulary
from serving.settings import Settings
from serving.treatments import Treatments, campaign_arms

_KEPT = 24
Found = TypeVar("Found", Catalogue, Policy, Bundle, PropensityModel, OfferEvidence)
Model = TypeVar("Model", Bundle, PropensityModel)


class Archive:
    """Looks versions up where they are kept: the event log, this machine's bundles, else the model registry."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._found: OrderedDict[str, Catalogue | Policy | Bundle | PropensityModel | OfferEvidence] = OrderedDict()
        self._looking = threading.Lock()
        self._treatments = Treatments()

    def basis_of(self, record: Mapping[str, Any], log: EventLog) -> Basis:
        """Return what the record's decision was made with; raises `NotReplayable` that says what is gone."""
        arms = campaign_arms(record)
        in_force = record if arms is None else asdict(arms)
        catalogue, policy = in_force["catalogue_version"], in_force["policy_version"]
        model, propensity = record["model_version"], record["propensity_version"]
        basis = Basis(
            self._kept(catalogue, Catalogue, lambda: self._catalogue(log, catalogue)),
            self._kept(policy, Policy, lambda: log.policy_of(policy)),
            None if model == NO_RELEVANCE else self.model(model),
            None if propensity == DECLARED else self._propensity(propensity),
            evidence=self._evidence(record, log),
        )
        return basis if arms is None else self._as_treated(basis, arms, record, log)

    def model(self, version: str) -> Bundle:
        """Return the relevance model of this version; raises `NotReplayable` where it cannot be had."""
        return self._kept(version, Bundle, lambda: self._load(version, load_bundle))

    def treated(self, arms: Sequence[CampaignArm], basis: Basis, log: EventLog) -> Basis:
        """Return the basis that decides in these arms of campaigns; a model of their own goes by the declared weights.

        Raises `ChangeInvalid` where a treatment does not fit what is in force, `NotReplayable` where its model is gone.
        """
        found = self._treatments.applied(arms, basis, log)
        model = basis.model if found.model is None else self.model(found.model)
        is_champion = found.model is None or (basis.model is not None and found.model == basis.model.version)
        propensity = basis.propensity if is_champion else None  # it knows the champion's signals only
        return replace(found.over(basis), model=model, propensity=propensity)

    def _as_treated(self, basis: Basis, arms: CampaignArms, record: Mapping[str, Any], log: EventLog) -> Basis:
        try:
            treated = self._treatments.applied(arms.arms, basis, log).over(basis)
        except (NotFound, InvalidInput) as error:
            raise NotReplayable(f"The treatment of a campaign cannot be applied again: {error}") from error
        if (treated.catalogue.version, treated.policy.version) != (
            record["catalogue_version"],
            record["policy_version"],
        ):
            raise NotReplayable("A campaign's treatment no longer gives the catalogue and policy of the decision.")
        return treated

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

    def _evidence(self, record: Mapping[str, Any], log: EventLog) -> OfferEvidence | None:
        """Return the evidence that the record names; records of before it was named have none."""
        version = record.get("evidence_version")
        if version is None:
            return None
        counts = log.evidence_of(version)
        return self._kept(version, OfferEvidence, lambda: None if counts is None else OfferEvidence(counts))

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

"""The registered model versions, which of them is champion, and their bundles as plain files."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recsys.domain.errors import BundleRefused, ModelVersionNotFound, NoChampion, NotPromotable
from recsys.models.bundle import Bundle, load_bundle
from training.config import REGISTERED_NAME
from training.tracking import BUNDLE_FOLDER, exists, open_tracking

CHAMPION, PREVIOUS = "champion", "previous"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_VERSIONS = 1_000


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One registered version: `version` names its content, `number` its place in the registry.

    `metrics` are the means of its back-test, `refusals` the promotion gates it did not pass then.
    """

    version: str
    number: int
    model: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    refusals: tuple[str, ...]
    aliases: tuple[str, ...]
    created_at: datetime
    run_id: str
    approver: str | None


class Registry:
    """The model registry at `tracking_uri`; cheap to make, safe to use from several processes.

    Versions are named as bundles are ("m-…"), or by their number in the registry.
    """

    def __init__(self, tracking_uri: str) -> None:
        self._tracking_uri = tracking_uri

    @property
    def _client(self) -> Any:
        return open_tracking(self._tracking_uri)

    def champion(self) -> str | None:
        """Return the version that serves, or None before the first promotion; one query, to be polled."""
        return self._version_of(CHAMPION) if exists(self._tracking_uri) else None

    def versions(self) -> list[VersionInfo]:
        """Return every registered version, newest first."""
        if not exists(self._tracking_uri):
            return []
        aliases: dict[int, list[str]] = {}
        for alias, number in self._client.get_registered_model(REGISTERED_NAME).aliases.items():
            aliases.setdefault(int(number), []).append(alias)
        found = self._client.search_model_versions(f"name = '{REGISTERED_NAME}'", max_results=_MOST_VERSIONS)
        infos = [_described(entry, tuple(sorted(aliases.get(int(entry.version), ())))) for entry in found]
        return sorted(infos, key=lambda info: -info.number)

    def version(self, version: str) -> VersionInfo:
        """Return one version by its name or number; raises ModelVersionNotFound."""
        for info in self.versions():
            if version in (info.version, str(info.number)):
                return info
        raise ModelVersionNotFound(version)

    def register(
        self,
        bundle: Bundle,
        run_id: str,
        metrics: Mapping[str, float],
        refusals: tuple[str, ...] = (),
    ) -> VersionInfo:
        """Add the bundle that run `run_id` logged; the same content again only renews what is said about it."""
        said = {"metrics": json.dumps(dict(metrics)), "refusals": json.dumps(refusals)}
        known = next((info for info in self.versions() if info.version == bundle.version), None)
        if known:
            for key, value in said.items():
                self._client.set_model_version_tag(REGISTERED_NAME, str(known.number), key, value)
            return self.version(bundle.version)
        tags = {
            "bundle": bundle.version,
            "model": bundle.model_name,
            "parameters": json.dumps(bundle.model.parameters()),
            **said,
        }
        source = f"{self._client.get_run(run_id).info.artifact_uri}/{BUNDLE_FOLDER}"
        self._client.create_model_version(REGISTERED_NAME, source, run_id, tags=tags)
        return self.version(bundle.version)

    def promote(self, version: str, approver: str, *, is_gated: bool = True) -> VersionInfo:
        """Make `version` the champion and remember the one before.

        Raises ModelVersionNotFound; NotPromotable when there is a champion and a gate refused the version;
        BundleRefused when its files no longer pass their checks.
        """
        info = self.version(version)
        before = self.champion()
        if before == info.version:
            return info
        if before is not None and is_gated and info.refusals:
            raise NotPromotable(f"{info.version} stays out of service. {'; '.join(info.refusals)}.")
        with tempfile.TemporaryDirectory() as folder:
            self.fetch(info.version, Path(folder))
        if before is not None:
            self._point(PREVIOUS, self.version(before).number)
        self._client.set_model_version_tag(REGISTERED_NAME, str(info.number), "approver", approver)
        self._point(CHAMPION, info.number)
        return self.version(info.version)

    def rollback(self) -> VersionInfo:
        """Make the previous champion the champion again; raises NoChampion when none is remembered."""
        before = self._version_of(PREVIOUS) if exists(self._tracking_uri) else None
        if before is None:
            raise NoChampion("There is no earlier champion to go back to; see `nbo models list`.")
        self._point(CHAMPION, self.version(before).number)
        self._client.delete_registered_model_alias(REGISTERED_NAME, PREVIOUS)
        return self.version(before)

    def fetch(self, version: str, into: Path) -> Path:
        """Return `into`/<version> with the checked files of the bundle, downloading them when they are not there.

        Nothing of the artifact is run. Raises ModelVersionNotFound, and BundleRefused when the files are
        not those of `version`.
        """
        target = into / version
        if _is_whole(target, version):
            return target
        info = self.version(version)
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into, prefix=".fetching-") as folder:
            self._client.download_artifacts(info.run_id, BUNDLE_FOLDER, folder)
            downloaded = Path(folder) / BUNDLE_FOLDER
            if load_bundle(downloaded).version != info.version:
                raise BundleRefused(f"version: the registry's files are not those of {info.version}")
            target = into / info.version
            _put(downloaded, target)
        return target

    def _version_of(self, alias: str) -> str | None:
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client.get_model_version_by_alias(REGISTERED_NAME, alias).tags["bundle"])
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def _point(self, alias: str, number: int) -> None:
        self._client.set_registered_model_alias(REGISTERED_NAME, alias, str(number))


def _is_whole(directory: Path, version: str) -> bool:
    try:
        return load_bundle(directory).version == version
    except BundleRefused:
        return False


def _put(downloaded: Path, target: Path) -> None:
    """Move the folder into place; another process may do the same at the same time."""
    if not _is_whole(target, target.name):
        shutil.rmtree(target, ignore_errors=True)
    try:
        downloaded.rename(target)
    except OSError:
        if not _is_whole(target, target.name):
            raise


def _described(entry: Any, aliases: tuple[str, ...]) -> VersionInfo:
    tags = entry.tags
    return VersionInfo(
        version=tags["bundle"],
        number=int(entry.version),
        model=tags["model"],
        parameters=json.loads(tags["parameters"]),
        metrics=json.loads(tags["metrics"]),
        refusals=tuple(json.loads(tags["refusals"])),
        aliases=aliases,
        created_at=_EPOCH + timedelta(milliseconds=int(entry.creation_timestamp)),
        run_id=entry.run_id,
        approver=tags.get("approver"),
    )

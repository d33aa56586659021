"""The registered model versions, which of them is champion, and their bundles as plain files."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recsys.domain.clock import Clock, system_clock
from recsys.domain.errors import BundleRefused, ModelVersionNotFound, NoChampion, NotPromotable
from recsys.evaluation.intervals import Interval
from training.gates import Gate, judge_approver, refusals
from training.model_kinds import RELEVANCE, ModelKind, ModelVersion
from training.tracking import BUNDLE_FOLDER, exists, open_tracking

CHAMPION, PREVIOUS = "champion", "previous"
AUTOMATIC = "promotion gates"
"""Who approves where every gate passed and nobody was asked."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_VERSIONS = 1_000


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One registered version: `version` names its content, `number` its place in the registry.

    `metrics` are the means of its back-test and `intervals` their 95 % intervals (low, high); `gates` what
    was judged then and `refusals` what kept it out; `card` is where its model card lies. `approver` is who
    made it champion last, and `before` the number of the champion it followed.
    """

    version: str
    number: int
    model: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    gates: tuple[Gate, ...]
    refusals: tuple[str, ...]
    aliases: tuple[str, ...]
    created_at: datetime
    run_id: str
    trainer: str
    card: str | None
    card_run: str
    approver: str | None
    promoted_at: datetime | None
    before: int | None

    def described(self) -> dict[str, Any]:
        """Return everything with the gates as JSON values."""
        return {**asdict(self), "gates": [gate.described() for gate in self.gates]}


@dataclass(frozen=True, slots=True)
class Findings:
    """What training found of a version: means and intervals of its back-test, its gates, who trained, its card."""

    metrics: Mapping[str, float]
    gates: tuple[Gate, ...]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    trainer: str = "nbo train"
    card: str | None = None

    @classmethod
    def of(cls, intervals: Mapping[str, Interval], gates: Sequence[Gate], trainer: str, card: str) -> "Findings":
        """Return what these intervals say, rounded as it is registered."""
        return cls(
            metrics={name: round(interval.mean, 6) for name, interval in intervals.items()},
            gates=tuple(gates),
            intervals={name: (round(one.low, 6), round(one.high, 6)) for name, one in intervals.items()},
            trainer=trainer,
            card=card,
        )


class Registry:
    """The model registry at `tracking_uri`; cheap to make, safe to use from several processes.

    It holds the versions of one `kind`, which are named by their content ("m-…", "q-…") or by their number.
    """

    def __init__(self, tracking_uri: str, kind: ModelKind = RELEVANCE, clock: Clock = system_clock) -> None:
        self._tracking_uri, self._kind, self._name, self._clock = tracking_uri, kind, kind.name, clock

    @property
    def _client(self) -> Any:
        return open_tracking(self._tracking_uri, self._name)

    def champion(self) -> str | None:
        """Return the version that serves, or None before the first promotion; one query, to be polled."""
        entry = self._entry_of(CHAMPION) if exists(self._tracking_uri) else None
        return None if entry is None else str(entry.tags["bundle"])

    def versions(self) -> list[VersionInfo]:
        """Return every registered version, newest first."""
        if not exists(self._tracking_uri):
            return []
        aliases: dict[int, list[str]] = {}
        for alias, number in self._client.get_registered_model(self._name).aliases.items():
            aliases.setdefault(int(number), []).append(alias)
        found = self._client.search_model_versions(f"name = '{self._name}'", max_results=_MOST_VERSIONS)
        infos = [_described(entry, tuple(sorted(aliases.get(int(entry.version), ())))) for entry in found]
        champion = next((info for info in infos if CHAMPION in info.aliases), None)
        before = champion.before if champion else None
        named = [replace(info, aliases=(*info.aliases, PREVIOUS)) if info.number == before else info for info in infos]
        return sorted(named, key=lambda info: -info.number)

    def version(self, version: str) -> VersionInfo:
        """Return one version by its name or number; raises ModelVersionNotFound."""
        for info in self.versions():
            if version in (info.version, str(info.number)):
                return info
        raise ModelVersionNotFound(version)

    def register(self, made: ModelVersion, run_id: str, findings: Findings) -> VersionInfo:
        """Add the version that run `run_id` logged; the same content again only renews what is said about it."""
        root = self._client.get_run(run_id).info.artifact_uri
        said = {
            "metrics": json.dumps(dict(findings.metrics)),
            "intervals": json.dumps({name: list(bounds) for name, bounds in findings.intervals.items()}),
            "gates": json.dumps([gate.described() for gate in findings.gates], ensure_ascii=False),
            "trainer": findings.trainer,
            "card": f"{root}/{findings.card}" if findings.card else "",
            "card_run": run_id,
        }
        known = next((info for info in self.versions() if info.version == made.version), None)
        if known:
            for key, value in said.items():
                self._client.set_model_version_tag(self._name, str(known.number), key, value)
            return self.version(made.version)
        tags = {
            "bundle": made.version,
            "model": made.model_name,
            "parameters": json.dumps(made.manifest["parameters"]),
            **said,
        }
        self._client.create_model_version(self._name, f"{root}/{BUNDLE_FOLDER}", run_id, tags=tags)
        return self.version(made.version)

    def promote(self, version: str, approver: str) -> VersionInfo:
        """Make `version` the champion; what it followed is kept with it, and one alias is flipped last.

        Raises ModelVersionNotFound; NotPromotable when a gate refuses, or the approver trained it;
        BundleRefused when its files no longer pass their checks.
        """
        info = self.version(version)
        before = self._entry_of(CHAMPION)
        if before is not None and int(before.version) == info.number:
            return info
        refused = refusals([*info.gates, judge_approver(info.trainer, approver)])
        if not info.gates:
            refused = ("gates: none were judged when it was trained", *refused)
        if refused:
            raise NotPromotable(f"{info.version} stays out of service. {'; '.join(refused)}.")
        self._check(info.version)
        kept = {
            "approver": approver.strip(),
            "before": None if before is None else int(before.version),
            "at": self._clock().isoformat(),
        }
        self._client.set_model_version_tag(self._name, str(info.number), "promotion", json.dumps(kept))
        self._point_champion(info.number)
        return self.version(info.version)

    def rollback(self, leaving: str | None = None) -> VersionInfo:
        """Make the champion before this one the champion again; where it is not `leaving` any more, it stays.

        Raises NoChampion when there was none; BundleRefused when its files no longer pass their checks.
        """
        versions = self.versions()
        champion = next((info for info in versions if CHAMPION in info.aliases), None)
        if champion is not None and leaving not in (None, champion.version):
            return champion
        before = next((info for info in versions if PREVIOUS in info.aliases), None)
        if before is None:
            raise NoChampion("There is no earlier champion to go back to; see `nbo models list`.")
        self._check(before.version)
        self._point_champion(before.number)
        return self.version(before.version)

    def artifact(self, run: str, path: str) -> bytes | None:
        """Return a file that a run kept beside the bundle, such as `model_card.json`; None where it kept none."""
        if path not in self.artifacts(run, path.rpartition("/")[0]):
            return None
        with tempfile.TemporaryDirectory() as into:
            return Path(self._client.download_artifacts(run, path, into)).read_bytes()

    def artifacts(self, run: str, folder: str) -> tuple[str, ...]:
        """Return the paths of what a run kept in a folder, such as `plots`; "" is what it kept in none."""
        return tuple(sorted(entry.path for entry in self._client.list_artifacts(run, folder or None)))

    def _check(self, version: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.fetch(version, Path(folder))

    def fetch(self, version: str, into: Path) -> Path:
        """Return `into`/<version> with the checked files of the bundle, downloading them when they are not there.

        Nothing of the artifact is run. Raises ModelVersionNotFound, and BundleRefused when the files are
        not those of `version`.
        """
        target = into / version
        if self._is_whole(target, version):
            return target
        info = self.version(version)
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into, prefix=".fetching-") as folder:
            self._client.download_artifacts(info.run_id, BUNDLE_FOLDER, folder)
            downloaded = Path(folder) / BUNDLE_FOLDER
            if self._kind.load(downloaded).version != info.version:
                raise BundleRefused(f"version: the registry's files are not those of {info.version}")
            target = into / info.version
            self._put(downloaded, target)
        return target

    def _entry_of(self, alias: str) -> Any:
        """Return MLflow's entry of the version with this alias, or None."""
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_model_version_by_alias(self._name, alias)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def _point_champion(self, number: int) -> None:
        self._client.set_registered_model_alias(self._name, CHAMPION, str(number))

    def _is_whole(self, directory: Path, version: str) -> bool:
        try:
            return self._kind.load(directory).version == version
        except BundleRefused:
            return False

    def _put(self, downloaded: Path, target: Path) -> None:
        """Move the folder into place; another process may do the same at the same time."""
        if not self._is_whole(target, target.name):
            shutil.rmtree(target, ignore_errors=True)
        try:
            downloaded.rename(target)
        except OSError:
            if not self._is_whole(target, target.name):
                raise


def _described(entry: Any, aliases: tuple[str, ...]) -> VersionInfo:
    tags = entry.tags
    gates = tuple(Gate.from_json(document) for document in json.loads(tags.get("gates", "[]")))
    bounds = json.loads(tags.get("intervals", "{}"))
    promotion = json.loads(tags.get("promotion", "{}"))
    return VersionInfo(
        version=tags["bundle"],
        number=int(entry.version),
        model=tags["model"],
        parameters=json.loads(tags["parameters"]),
        metrics=json.loads(tags["metrics"]),
        intervals={name: (float(low), float(high)) for name, (low, high) in bounds.items()},
        gates=gates,
        refusals=refusals(gates),
        aliases=aliases,
        created_at=_EPOCH + timedelta(milliseconds=int(entry.creation_timestamp)),
        run_id=entry.run_id,
        trainer=tags.get("trainer", "nbo train"),
        card=tags.get("card") or None,
        card_run=tags.get("card_run", entry.run_id),
        approver=promotion.get("approver"),
        promoted_at=datetime.fromisoformat(promotion["at"]) if "at" in promotion else None,
        before=promotion.get("before"),
    )

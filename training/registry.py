"""The registered model versions, which pair of them serves, and their bundles as plain files.

A propensity is trained on the signals of one relevance version and is used with that one only. What serves with a
relevance version is written beside that version, so that one alias decides about both, and both change at once.
"""

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
from recsys.engine import NO_RELEVANCE
from recsys.evaluation.intervals import Interval
from training.gates import Gate, judge_approver, refusals
from training.model_kinds import PROPENSITY, RELEVANCE, ModelKind, ModelVersion
from training.tracking import BUNDLE_FOLDER, exists, open_tracking

CHAMPION, PREVIOUS = "champion", "previous"
AUTOMATIC = "promotion gates"
"""Who approves where every gate passed and nobody was asked."""

_PARTNER, _NOBODY = "partner", "declared"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_VERSIONS = 1_000


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One registered version: `version` names its content, `number` its place in the registry.

    `metrics` are the means of its back-test and `intervals` their 95 % intervals (low, high); `gates` what
    was judged then and `refusals` what kept it out; `card` is where its model card lies. `approver` is who
    made it champion last, and `before` the number of the champion it followed. `relevance` is the version whose
    signals a propensity was trained on, None where that is not known; `partner` is the propensity that serves with a
    relevance version, None for the declared weights.
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
    relevance: str | None = None
    partner: str | None = None

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
        """Return the version that serves, or None where there is none."""
        return self.pair()[0 if self._kind is RELEVANCE else 1]

    def pair(self) -> tuple[str | None, str | None]:
        """Return the relevance and the propensity version that serve; None: none, or the declared weights.

        One query, to be polled; two before the first promotion by this version of the program.
        """
        if not exists(self._tracking_uri):
            return None, None
        entry = self._relevance._entry_of(CHAMPION)
        relevance = None if entry is None else str(entry.tags["bundle"])
        kept = None if entry is None else entry.tags.get(_PARTNER)
        if kept is not None:
            return relevance, None if kept == _NOBODY else kept
        aliased = self._propensity._entry_of(CHAMPION)
        return relevance, None if aliased is None else str(aliased.tags["bundle"])

    @property
    def _relevance(self) -> "Registry":
        return self if self._kind is RELEVANCE else Registry(self._tracking_uri, RELEVANCE, self._clock)

    @property
    def _propensity(self) -> "Registry":
        return self if self._kind is PROPENSITY else Registry(self._tracking_uri, PROPENSITY, self._clock)

    def versions(self) -> list[VersionInfo]:
        """Return every registered version, newest first."""
        if not exists(self._tracking_uri):
            return []
        aliases: dict[int, list[str]] = {}
        for alias, number in self._client.get_registered_model(self._name).aliases.items():
            aliases.setdefault(int(number), []).append(alias)
        found = self._client.search_model_versions(f"name = '{self._name}'", max_results=_MOST_VERSIONS)
        infos = [_described(entry, tuple(sorted(aliases.get(int(entry.version), ())))) for entry in found]
        if self._kind is PROPENSITY:  # whose own alias may lag behind
            serving = self.champion()
            infos = [replace(one, aliases=(CHAMPION,) if one.version == serving else ()) for one in infos]
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
        if learned_from := made.manifest.get("training", {}).get("relevance"):
            tags["relevance"] = learned_from
        self._client.create_model_version(self._name, f"{root}/{BUNDLE_FOLDER}", run_id, tags=tags)
        return self.version(made.version)

    def promote(self, version: str, approver: str) -> VersionInfo:
        """Make `version` the champion; what it followed is kept with it, and one step decides in the end.

        With a relevance version comes the propensity that was trained on it, where there is one that may be promoted;
        else the declared weights serve: `partner` of what is returned says which. Raises ModelVersionNotFound;
        NotPromotable when a gate refuses, the approver trained it, or another relevance version serves than the
        propensity was trained on; BundleRefused when its files no longer pass their checks.
        """
        info = self.version(version)
        before = next((one for one in self.versions() if CHAMPION in one.aliases), None)
        if before is not None and before.number == info.number:
            return info
        refused = _refused(info, approver)
        if self._kind is PROPENSITY:
            refused = (*refused, *self._unpaired(info))
        if refused:
            raise NotPromotable(f"{info.version} stays out of service. {'; '.join(refused)}.")
        self._check(info.version)
        if self._kind is PROPENSITY:
            self._keep_promotion(info, approver, before)
            self._pair_with_champion(info)
        else:
            partner = self._partner_for(info, approver)
            self._keep_partner(before)
            self._tag(info, _PARTNER, partner.version if partner else _NOBODY)
            self._keep_promotion(info, approver, before)
            self._point_champion(info.number)
            self._follow_with_alias()
        return self.version(info.version)

    def _keep_promotion(self, info: VersionInfo, approver: str, before: VersionInfo | None) -> None:
        kept = {
            "approver": approver.strip(),
            "before": None if before is None else before.number,
            "at": self._clock().isoformat(),
        }
        self._tag(info, "promotion", json.dumps(kept))

    def _tag(self, info: VersionInfo, key: str, value: str) -> None:
        self._client.set_model_version_tag(self._name, str(info.number), key, value)

    def _unpaired(self, info: VersionInfo) -> tuple[str, ...]:
        """Return why a propensity cannot serve with the relevance version that serves now; empty where it can."""
        serving = self._relevance.champion()
        if info.relevance is None:
            return () if serving is None else ("pair: it does not say which relevance version it was trained on",)
        if info.relevance == (serving or NO_RELEVANCE):
            return ()
        said = f"pair: it was trained on {info.relevance}, and {serving or 'no relevance version'} serves"
        return (f"{said}; promote {info.relevance}, and it comes with it",)

    def _partner_for(self, info: VersionInfo, approver: str) -> VersionInfo | None:
        """Return the propensity to serve with a relevance version: the one that did, else the newest that may."""
        registry = self._propensity
        trained_on_it = [one for one in registry.versions() if one.relevance == info.version]
        served = [one for one in trained_on_it if one.version == info.partner]
        for one in (*served, *trained_on_it):
            if one in served or not _refused(one, approver):
                try:
                    registry._check(one.version)
                except BundleRefused:
                    continue
                if one not in served:
                    registry._keep_promotion(one, approver, None)
                return one
        return None

    def _keep_partner(self, info: VersionInfo | None) -> None:
        """Write down what serves with a champion that is left, where an older version of this program did not."""
        if info is not None:
            self._tag(info, _PARTNER, self.pair()[1] or _NOBODY)

    def _pair_with_champion(self, info: VersionInfo) -> None:
        """Let a propensity serve with the relevance version that serves now."""
        relevance, entry = self._relevance, self._relevance._entry_of(CHAMPION)
        if entry is not None:
            relevance._client.set_model_version_tag(relevance._name, str(entry.version), _PARTNER, info.version)
        self._point_champion(info.number)

    def _follow_with_alias(self) -> None:
        """Point the propensity's own alias to what serves, for whoever looks into MLflow; nothing here goes by it."""
        registry, serving = self._propensity, self.pair()[1]
        if serving is not None:
            registry._point_champion(registry.version(serving).number)
        elif registry._entry_of(CHAMPION) is not None:
            registry._client.delete_registered_model_alias(registry._name, CHAMPION)

    def rollback(self, leaving: str | None = None) -> VersionInfo:
        """Make the champion before this one the champion again; where it is not `leaving` any more, it stays.

        With a relevance version comes back the propensity that served with it.

        Raises NoChampion when there was none; BundleRefused when its files no longer pass their checks.
        """
        versions = self.versions()
        champion = next((info for info in versions if CHAMPION in info.aliases), None)
        if champion is not None and leaving not in (None, champion.version):
            return champion
        before = next((info for info in versions if PREVIOUS in info.aliases), None)
        if before is None:
            raise NoChampion("There is no earlier champion to go back to; see `nbo models list`.")
        if self._kind is PROPENSITY and (unpaired := self._unpaired(before)):
            raise NoChampion(f"{before.version} served before, but cannot again. {'; '.join(unpaired)}.")
        self._check(before.version)
        if self._kind is PROPENSITY:
            self._pair_with_champion(before)
        else:
            self._keep_partner(champion)
            self._point_champion(before.number)
            self._follow_with_alias()
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


def _refused(info: VersionInfo, approver: str) -> tuple[str, ...]:
    """Return why the version may not be promoted by `approver`, empty where it may."""
    refused = refusals([*info.gates, judge_approver(info.trainer, approver)])
    return refused if info.gates else ("gates: none were judged when it was trained", *refused)


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
        relevance=tags.get("relevance"),
        partner=None if tags.get(_PARTNER, _NOBODY) == _NOBODY else tags[_PARTNER],
    )

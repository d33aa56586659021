"""Lineage: from a model version to its run, data, features and code, and from any of these back to versions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recsys.domain.errors import ModelVersionNotFound
from training.model_kinds import PROPENSITY, RELEVANCE, kind_of
from training.registry import Registry, VersionInfo
from training.tracking import TrainingData, open_tracking


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where one version comes from; `data` is None for a version that was trained before it was kept."""

    version: str
    number: int
    kind: str
    model: str
    aliases: tuple[str, ...]
    created_at: datetime
    trainer: str
    approver: str | None
    run_id: str
    code: str
    data: TrainingData | None

    def described(self) -> dict[str, Any]:
        """Return it as JSON values."""
        data = self.data
        return {
            **{name: getattr(self, name) for name in self.__slots__ if name != "data"},
            "aliases": list(self.aliases),
            "created_at": self.created_at.isoformat(),
            "data": data and {
                **{name: getattr(data, name) for name in data.__slots__},
                "digest": data.digest,
                "views": dict(data.views),
                "facts": list(data.facts),
            },
        }  # fmt: skip


def lineage_of(tracking_uri: str, version: str) -> Lineage:
    """Return where a version comes from; raises ModelVersionNotFound."""
    return trace(tracking_uri, Registry(tracking_uri, kind_of(version)).version(version))


def versions_from(tracking_uri: str, name: str) -> list[Lineage]:
    """Return the versions, newest first, that were trained on the data, through the service or view, or by the code.

    `name` may be a data digest or sha256, the name of a feature service, view or fact, a run, or a commit. Raises
    ModelVersionNotFound when none was.
    """
    traced = [
        trace(tracking_uri, info)
        for kind in (RELEVANCE, PROPENSITY)
        for info in Registry(tracking_uri, kind).versions()
    ]
    found = [one for one in traced if _comes_from(one, name)]
    if not found:
        raise ModelVersionNotFound(name)
    return sorted(found, key=lambda one: one.created_at, reverse=True)


def _comes_from(one: Lineage, name: str) -> bool:
    if name == one.run_id or (len(name) >= 7 and one.code.partition("+")[2].startswith(name)):
        return True
    data = one.data
    return data is not None and (
        name in (data.digest, data.sha256, data.service) or name in data.views or name in data.facts
    )


def trace(tracking_uri: str, info: VersionInfo) -> Lineage:
    """Return where this version comes from."""
    kind = kind_of(info.version).name
    run = open_tracking(tracking_uri, kind).get_run(info.run_id)
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return Lineage(
        version=info.version,
        number=info.number,
        kind=kind,
        model=info.model,
        aliases=info.aliases,
        created_at=info.created_at,
        trainer=info.trainer,
        approver=info.approver,
        run_id=info.run_id,
        code=run.data.tags.get("code_version", ""),
        data=TrainingData.of_logged(inputs[0]) if inputs else None,
    )

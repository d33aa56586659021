"""The kinds of models that are registered: how each is called, how its versions begin, how its files are checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from recsys.models.bundle_files import load_bundle
from recsys.models.propensity_folder import load_propensity_model
from training.config import PROPENSITY_NAME, RELEVANCE_NAME


class ModelVersion(Protocol):
    """What every loaded model version says of itself; its manifest has its `parameters`."""

    @property
    def version(self) -> str: ...
    @property
    def model_name(self) -> str: ...
    @property
    def manifest(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class ModelKind:
    """A registered model: its `name`, what its versions begin with, and `load`, which raises BundleRefused.

    `canaries` says what its canary is made of.
    """

    name: str
    prefix: str
    canaries: str
    load: Callable[[Path], ModelVersion]


RELEVANCE = ModelKind(RELEVANCE_NAME, "m-", "histories", load_bundle)
PROPENSITY = ModelKind(PROPENSITY_NAME, "q-", "rows", load_propensity_model)


def kind_of(version: str) -> ModelKind:
    """Return which kind a version's name is of; a mere number is one of relevance."""
    return PROPENSITY if version.startswith(PROPENSITY.prefix) else RELEVANCE

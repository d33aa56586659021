"""What one training run is asked to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.offline import OfflineFeatures
from recsys.models.base import RelevanceModel, require_memory
from recsys.models.data_shape import DataShape
from recsys.models.families import create_model

HEADLINE = "NDCG@5"
"""The metric by which candidates are compared, chosen and promoted."""

RELEVANCE_NAME, PROPENSITY_NAME = "nbo-relevance", "nbo-propensity"
"""Under which names experiments and registered models are kept."""

Progress = Callable[[str, int, int | None], None]
"""Called with (what is being done, how much is done, of how much or None)."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Where models are fitted: its `name`, and what makes an unfitted model of each family that it fits itself.

    No fit that needs more than `memory` bytes in this process is started; None: any is.
    """

    name: str = "local"
    makers: Mapping[str, Callable[[Mapping[str, Any]], RelevanceModel]] = field(default_factory=dict)
    memory: int | None = None

    def create(self, family: str, parameters: Mapping[str, Any], shape: DataShape) -> RelevanceModel:
        """Return an unfitted model, one that is fitted in this process where the engine has no own.

        What `parameters` do not say is as suits data of that `shape`. Raises NotEnoughMemory.
        """
        model = create_model(family, parameters, shape)
        require_memory(model, shape, self.memory)
        return self.makers[family](model.parameters()) if family in self.makers else model


LOCAL = Engine()


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """`features` is where everything is read from, `models` the families to try.

    The last `test_share` (0–1) of all purchases by time is held out to compare the candidates.
    `tolerance` is how much worse than the champion's, relatively, a challenger's `HEADLINE` may be at the
    low end of its interval.

    With `tune`, that many trials a family first search for hyper-parameters, on the last `validation_share`
    of the purchases before the held-out ones. The file `studies` keeps the trials, so that a search goes on
    where it was stopped; None keeps them in memory. `trainer` is who trains, and may not approve. `engine`
    is where the candidates are fitted; the champion's recipe, which they are compared with, is always fitted here.
    """

    features: OfflineFeatures
    tracking_uri: str
    models: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 7
    test_share: float = 0.2
    ks: tuple[int, ...] = (1, 3, 5, 10)
    tolerance: float = 0.05
    promote_if_better: bool = False
    tune: int | None = None
    validation_share: float = 0.2
    studies: Path | None = None
    trainer: str = "nbo train"
    engine: Engine = LOCAL

    @property
    def validation_and_test_share(self) -> float:
        """The share (0–1) of all purchases that come after the start of the validation window."""
        return 1.0 - (1.0 - self.test_share) * (1.0 - self.validation_share)

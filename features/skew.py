"""Skew: whether what decisions were told online is what the feature tables say of the same people and moments."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from recsys.domain.customer import AttributeValue

MOST_SKEW = 0.02
"""A feature that differs in a larger share of decisions is not the one that a model learned from."""
LEAST_PAIRS = 100
"""With fewer pairs nothing is judged."""
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class FeatureSkew:
    """How one feature differs between what was logged and what the tables say, over `pairs` in which either knows it.

    `logged_only` and `joined_only` count values that one side alone knows; they are among the `different`.
    `mean_difference` is the mean of |logged − joined| over numbers that both know, in the feature's own unit.
    """

    feature: str
    pairs: int
    different: int
    logged_only: int
    joined_only: int
    mean_difference: float | None

    @property
    def share(self) -> float:
        """The share of pairs that differ (0–1)."""
        return self.different / self.pairs if self.pairs else 0.0

    @property
    def is_skewed(self) -> bool:
        """Whether more pairs differ than may."""
        return self.pairs >= LEAST_PAIRS and self.share > MOST_SKEW


@dataclass(frozen=True, slots=True)
class SkewReport:
    """What was compared, when and of which decisions; features in the order of their names.

    `too_new` counts decisions after the moment the tables describe, which nothing can be said of.
    """

    measured_at: datetime
    decisions: int
    too_new: int
    features: tuple[FeatureSkew, ...]

    @property
    def skewed(self) -> tuple[FeatureSkew, ...]:
        """Return the features that differ more often than they may."""
        return tuple(one for one in self.features if one.is_skewed)

    def described(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        rows = [{**asdict(one), "share": round(one.share, 6), "is_skewed": one.is_skewed} for one in self.features]
        return {
            "measured_at": self.measured_at.isoformat(),
            "decisions": self.decisions,
            "too_new": self.too_new,
            "most_skew": MOST_SKEW,
            "least_pairs": LEAST_PAIRS,
            "features": rows,
        }

    def write(self, file: Path) -> None:
        """Keep the report in `file`, wholly or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".writing")
        beside.write_text(json.dumps(self.described()))
        os.replace(beside, file)


def read_report(file: Path) -> SkewReport | None:
    """Return the report that was kept in `file`, or None where none was."""
    try:
        kept = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    names = FeatureSkew.__slots__
    features = tuple(FeatureSkew(**{name: row[name] for name in names}) for row in kept["features"])
    return SkewReport(datetime.fromisoformat(kept["measured_at"]), kept["decisions"], kept["too_new"], features)


def measure_skew(
    logged: Sequence[Mapping[str, AttributeValue]], joined: Sequence[Mapping[str, AttributeValue]]
) -> tuple[FeatureSkew, ...]:
    """Compare row by row what was `logged` with what was `joined` for the same person and moment, feature by feature.

    A feature that is missing, None or NaN is not known. Numbers are equal within one part in a million.
    """
    names = sorted({name for rows in (logged, joined) for row in rows for name in row})
    return tuple(
        _compare(name, ((one.get(name), other.get(name)) for one, other in zip(logged, joined, strict=True)))
        for name in names
    )


def _compare(feature: str, pairs: Iterable[tuple[AttributeValue, AttributeValue]]) -> FeatureSkew:
    known = different = logged_only = joined_only = 0
    distances: list[float] = []
    for logged, joined in pairs:
        has_logged, has_joined = _is_known(logged), _is_known(joined)
        known += has_logged or has_joined
        logged_only += has_logged and not has_joined
        joined_only += has_joined and not has_logged
        if has_logged and has_joined:
            if isinstance(logged, int | float) and isinstance(joined, int | float):
                distances.append(abs(logged - joined))
                different += not math.isclose(logged, joined, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
            else:
                different += logged != joined
    mean = math.fsum(distances) / len(distances) if distances else None
    return FeatureSkew(feature, known, different + logged_only + joined_only, logged_only, joined_only, mean)


def _is_known(value: AttributeValue) -> bool:
    return value is not None and value == value

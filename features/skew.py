"""Skew: whether what decisions were told online is what the feature tables say of the same people and moments."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from features.from_events import INTERACTION_FEATURES, PROFILE_FEATURES, age_name
from recsys.domain.customer import AttributeValue

MOST_SKEW = 0.02
"""A feature that differs in a larger share of decisions is not the one that a model learned from."""
LEAST_PAIRS = 100
"""With fewer pairs nothing is judged."""
_TOLERANCE = 1e-6
_OF_EVENTS = tuple(age_name(name) or name for name in INTERACTION_FEATURES)
"""What every decision is told of a customer's events; its record names only what was known."""


@dataclass(frozen=True, slots=True)
class FeatureSkew:
    """How one feature differs between what was logged and what the tables say, over `pairs` in which either knows it.

    `decisions` counts those compared, which are those that it was served to: before it was served, nothing could be
    told of it. `logged_only` and `joined_only` count values that one side alone knows; they are among the `different`.
    `mean_difference` is the mean of |logged − joined| over numbers that both know, in the feature's own unit.
    """

    feature: str
    decisions: int
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
        return self.is_judged and self.share > MOST_SKEW

    @property
    def is_judged(self) -> bool:
        """Whether there are enough pairs to say anything."""
        return self.pairs >= LEAST_PAIRS


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
        rows = [
            {**asdict(one), "share": round(one.share, 6), "is_skewed": one.is_skewed, "is_judged": one.is_judged}
            for one in self.features
        ]
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
    rows = ({"decisions": row["pairs"], **row} for row in kept["features"])  # one of before did not say
    features = tuple(FeatureSkew(**{name: row[name] for name in names}) for row in rows)
    return SkewReport(datetime.fromisoformat(kept["measured_at"]), kept["decisions"], kept["too_new"], features)


def told_features(
    inputs: Mapping[str, Any], code: Mapping[str, str] = MappingProxyType({})
) -> dict[str, AttributeValue]:
    """Return what the `inputs` of a stored decision say it was told of the person, by name; None is not known.

    What it does not name was not served to it: a view or an attribute that came later, or was dropped. The bank's facts
    are those that were served, or the event log's where the decision took them; before format 4 it does not say which.
    `code` is what the bank's functions are now (`OwnFeatures.code`): what another one computed is another feature.
    """
    facts: Mapping[str, Any] | None = inputs.get("profile", {})
    if facts is None:
        customer = inputs["customer"]
        facts = {**customer["attributes"], **{name: customer[name] for name in PROFILE_FEATURES}}
    made = inputs.get("own_code", {})
    own = {name: value for name, value in inputs.get("own", {}).items() if made.get(name) in (None, code.get(name))}
    return {**dict.fromkeys(_OF_EVENTS), **facts, **inputs["features"], **own}


def measure_skew(
    logged: Sequence[Mapping[str, AttributeValue]], joined: Sequence[Mapping[str, AttributeValue]]
) -> tuple[FeatureSkew, ...]:
    """Compare row by row what was `logged` with what was `joined` for the same person and moment, feature by feature.

    A feature that a row of `logged` does not name was not served then, and is not compared there. None and NaN are not
    known. Numbers are equal within one part in a million.
    """
    names = sorted({name for rows in (logged, joined) for row in rows for name in row})
    both = [*zip(logged, joined, strict=True)]
    return tuple(_compare(name, [(one[name], other.get(name)) for one, other in both if name in one]) for name in names)


def _compare(feature: str, served: Sequence[tuple[AttributeValue, AttributeValue]]) -> FeatureSkew:
    known = different = logged_only = joined_only = 0
    distances: list[float] = []
    for logged, joined in served:
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
    different += logged_only + joined_only
    return FeatureSkew(feature, len(served), known, different, logged_only, joined_only, mean)


def _is_known(value: AttributeValue) -> bool:
    return value is not None and value == value

"""What the science pages show of models and decisions, ready to print."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from serving.decisions.schemas import HeldBackBody, OfferBody
from serving.models.service import Registered, leading
from serving.settings import Settings
from training.gates import APPROVER, SKEW, Gate, Verdict, judge_approver

if TYPE_CHECKING:
    from training.registry import VersionInfo

COMPARED = 4
METRICS = ("NDCG@5", "HR@3", "MAP@5", "MRR", "AUC", "log-loss", "Brier", "ECE")
VERDICT_ICONS = {
    Verdict.PASSED: "yes",
    Verdict.WARNED: "warning",
    Verdict.REFUSED: "no",
    Verdict.NOT_APPLICABLE: "skip",
}
GATE_TEXTS = {
    "better than popularity": "gate_popularity",
    "not worse than the champion": "gate_champion",
    "even across segments": "gate_segments",
    "calibration error": "gate_calibration",
    "off-policy value": "gate_off_policy",
    "bundle checks and canary": "gate_bundle",
    "AUC not below the declared weights": "gate_auc",
    "complete model card": "gate_card",
    SKEW: "gate_skew",
    "facts without a date": "gate_facts",
    APPROVER: "gate_approver",
}
"""Gates of training by the key of their name; one that is not here is called as training calls it."""

CARD_SECTIONS = frozenset({
    "purpose", "model", "data", "left_out", "split", "metrics", "comparison", "segments", "exposure", "fold_in",
    "parity", "limits", "evaluation_slice", "calibration", "signals",
})  # fmt: skip
PLOTS = frozenset({"recall", "against_popularity", "exposure", "parity", "search", "reliability"})
WIDTH = 120.0
_LEAST_WIDTH = 0.6
_INTERVAL = {"mean", "low", "high"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a score as a step of a staircase: from `start`, `width` wide, of `WIDTH`; `zero` is where 0 lies."""

    text: str
    value: float
    start: float
    width: float
    zero: float


@dataclass(frozen=True, slots=True)
class Whisker:
    """An interval drawn on a scale of `WIDTH` that it shares with others; `zero` is where 0 lies."""

    low: float
    middle: float
    high: float
    zero: float


def compared(found: Registered) -> "list[VersionInfo]":
    """Return the versions to set side by side."""
    return leading(found.versions, COMPARED)


def can_go_back(found: Registered) -> bool:
    """Return whether there was a champion before this one."""
    return any("previous" in one.aliases for one in found.versions)


def metrics_of(versions: "Sequence[VersionInfo]") -> list[str]:
    """Return the metrics to show of these versions, the one that decides first."""
    known = {name for one in versions for name in one.metrics}
    return [name for name in METRICS if name in known]


def against_popularity(card: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Return the difference from popularity with its interval that the card gives for the version's own family."""
    comparison = (card or {}).get("comparison")
    if not card or not isinstance(comparison, list):
        return None
    family = card["model"]["family"]
    found = [row["against popularity"] for row in comparison if row["family"] == family]
    return found[0] if found and is_interval(found[0]) else None


def differences(found: Registered, versions: "Sequence[VersionInfo]") -> dict[str, dict[str, float] | None]:
    """Return version → its difference from popularity, None where no card keeps it."""
    return {one.version: against_popularity(found.cards.get(one.version)) for one in versions}


def whiskers(intervals: Mapping[str, Mapping[str, float] | None]) -> dict[str, Whisker]:
    """Return the intervals as they are drawn, on one scale that has 0 on it."""
    known = {name: one for name, one in intervals.items() if one}
    low = min([0.0, *(one["low"] for one in known.values())])
    high = max([0.0, *(one["high"] for one in known.values())])
    unit = WIDTH / ((high - low) or 1.0)

    def place(value: float) -> float:
        return (value - low) * unit

    return {
        name: Whisker(place(one["low"]), place(one["mean"]), place(one["high"]), place(0.0))
        for name, one in known.items()
    }


def judged(info: "VersionInfo", actor: str) -> list[Gate]:
    """Return the gates of a version as they stand when `actor` approves."""
    return [*(gate for gate in info.gates if gate.name != APPROVER), judge_approver(info.trainer, actor)]


def tally(gates: Sequence[Gate]) -> dict[str, int]:
    """Return how many gates found what, by verdict name."""
    counts = Counter(gate.verdict for gate in gates)
    return {verdict.name.lower(): counts[verdict] for verdict in Verdict}


def partner(info: "VersionInfo", propensities: "Sequence[VersionInfo]") -> str | None:
    """Return what a version serves with: the relevance version it was trained on, or the propensity that comes along.

    That is the one that serves or served with it, else the newest that no gate refuses; None: the declared weights.
    """
    if info.relevance or info.partner:
        return info.relevance or info.partner
    return next((one.version for one in propensities if one.relevance == info.version and not one.refusals), None)


def followed(info: "VersionInfo", versions: "Sequence[VersionInfo]") -> str | None:
    """Return the name of the champion that this version followed."""
    return next((one.version for one in versions if one.number == info.before), None)


def promotions(versions: "Sequence[VersionInfo]") -> "list[VersionInfo]":
    """Return the versions that were ever promoted, the latest promotion first."""
    made = [one for one in versions if one.approver]
    return sorted(made, key=lambda one: (one.promoted_at or one.created_at, one.number), reverse=True)


def mlflow_address(settings: Settings, info: "VersionInfo | None" = None) -> str | None:
    """Return where MLflow's pages show a version's run, else the whole; None where no page is known."""
    base = settings.mlflow_ui_url or settings.tracking_uri
    if not base.startswith(("http://", "https://")):
        return None
    return base.rstrip("/") if info is None else f"{base.rstrip('/')}/#/runs/{info.run_id}"


def is_interval(value: object) -> bool:
    """Return whether a value of a card is a mean with its interval."""
    return isinstance(value, Mapping) and set(value) == _INTERVAL


def interval_text(value: Mapping[str, float], digits: int = 3, sign: bool = False) -> str:
    """Return a mean with its interval."""
    mean, low, high = (signed(value[end], digits, sign) for end in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def signed(value: float, digits: int = 3, sign: bool = True) -> str:
    """Return a number with its sign, a real minus; without `sign` a plus is left out."""
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def staircase(offer: OfferBody) -> tuple[list[Bar], Bar]:
    """Return the reasons that count as steps, and their sum: the log-odds of the propensity."""
    counting = [one for one in offer.reasons if one.contribution]
    ends = [0.0, *accumulate(one.contribution for one in counting)]
    low, unit = min(ends), WIDTH / ((max(ends) - min(ends)) or 1.0)

    def bar(text: str, before: float, after: float) -> Bar:
        start, width = (min(before, after) - low) * unit, max(abs(after - before) * unit, _LEAST_WIDTH)
        return Bar(text, after - before, start, width, -low * unit)

    steps = [bar(one.text, before, after) for one, (before, after) in zip(counting, pairwise(ends), strict=True)]
    return steps, bar("", 0.0, ends[-1])


def held_back_groups(held_back: Sequence[HeldBackBody]) -> list[tuple[str, list[str]]]:
    """Return each reason with the titles that it holds back, the most frequent first."""
    groups: dict[str, list[str]] = {}
    for one in held_back:
        groups.setdefault(one.text, []).append(one.title)
    return sorted(groups.items(), key=lambda group: -len(group[1]))

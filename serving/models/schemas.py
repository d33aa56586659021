"""The bodies of monitoring: shares are 0–1, intervals 95 %, periods named by their beginning in UTC."""

from datetime import datetime
from typing import Literal

from serving.decisions.schemas import Body


class SizeBody(Body):
    """How many there are in the window, and how many of them the figures were made of."""

    total: int
    looked_at: int


class ShareBody(Body):
    """A share of `rows` with its Wilson interval; without rows there is none."""

    rows: int
    share: float | None
    low: float | None
    high: float | None


class CalibrationBinBody(ShareBody):
    """Answered offers of about the same chance: the mean chance that was given, and the share that accepted."""

    predicted: float


class CalibrationBody(Body):
    """How true the chances of one propensity version were.

    `error` is the expected calibration error over 15 bins of equally many answers, `by_chance` what exactly right
    chances stay below in 99 of 100 samples as large; `verdict` says whether it exceeds the gate's bound and chance.
    """

    propensity_version: str
    answers: int
    accepted: int
    error: float
    by_chance: float
    bound: float
    verdict: Literal["true", "off"]
    deciles: list[CalibrationBinBody]


class PeriodBody(Body):
    """One period: acceptance of what was answered, and what was decided."""

    period: datetime
    acceptance: ShareBody
    decisions: int
    no_offer: ShareBody
    degraded: ShareBody
    explored: ShareBody
    offers_shown: int


class CoverageBody(Body):
    """What the decisions showed of the catalogue in force, and how often nothing, with less than usual, or to learn."""

    catalogue: int
    offers_shown: int
    gini: float
    no_offer: ShareBody
    degraded: ShareBody
    explored: ShareBody


class SignalDriftBody(Body):
    """How far one signal has moved: the population stability index, and what chance explains of it."""

    signal: str
    index: float
    by_chance: float
    verdict: Literal["steady", "shifting", "drifted"]


class DriftTimeBody(Body):
    """The index of the two scores in a period against the first one."""

    period: datetime
    propensity: float
    relevance: float


class DriftBody(Body):
    """The latest period with enough contacts against the first: every signal, the farthest moved first.

    A contact counts once, by its last decision and the first offer of that.
    """

    reference: datetime
    current: datetime
    signals: list[SignalDriftBody]
    over_time: list[DriftTimeBody]


class MonitoringBody(Body):
    """How decisions did since `since`; `drift` is null before two periods have `least_contacts` each."""

    as_of: datetime
    since: datetime
    period: Literal["week", "day", "hour"]
    decisions: SizeBody
    answers: SizeBody
    refused_profiling: int
    calibration: list[CalibrationBody]
    coverage: CoverageBody
    over_time: list[PeriodBody]
    drift: DriftBody | None
    least_contacts: int

"""/science/monitoring: whether chances come true, what is shown, and whether what comes in has moved."""

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter, Depends, Request, Response

from serving.consoles.charts import Chart, Series
from serving.consoles.page import answer
from serving.consoles.safety import PageRoute
from serving.consoles.wording import Say, speaker
from serving.dependencies import Language, Role, ServicesOf, allow
from serving.models.feature_skew import latest_report
from serving.models.monitoring import DRIFTED, LEAST_ANSWERS, SHIFTING, monitor
from serving.models.schemas import CalibrationBody, DriftBody, MonitoringBody, ShareBody

SIGNALS_SHOWN = 12
_FORMATS = {"week": "%Y-%m-%d", "day": "%Y-%m-%d", "hour": "%m-%d %H:%M"}

router = APIRouter(
    prefix="/science/monitoring",
    route_class=PageRoute,
    dependencies=[Depends(allow(Role.SCIENTIST, Role.APPROVER, Role.AUDITOR))],
)


@router.get("")
def show_monitoring(request: Request) -> Response:
    """Show the page, which fetches its figures by itself."""
    return answer(request, "science_monitoring.html", {})


@router.get("/figures")
def show_figures(request: Request, services: ServicesOf, language: Language) -> Response:
    """Return the figures of the last 90 days, drawn."""
    found, say = monitor(services), speaker(language)
    drawings = {
        "calibration": [calibration_chart(one, say) for one in found.calibration],
        "acceptance": acceptance_chart(found, say),
        "coverage": coverage_chart(found, say),
        "drift": drift_chart(found.drift, found.period, say) if found.drift else None,
    }
    return answer(
        request,
        "_science_monitoring.html",
        {
            "found": found,
            "drawings": drawings,
            "signals": SIGNALS_SHOWN,
            "least_answers": LEAST_ANSWERS,
            "skew": latest_report(services.settings),
        },
    )


def calibration_chart(found: CalibrationBody, say: Say) -> Chart:
    """Return the share that accepted by the chance that was given, beside the diagonal of exact chances."""
    bins = found.deciles
    predicted = [one.predicted for one in bins]
    return {
        "kind": "lines",
        "x": [100 * chance for chance in predicted],
        "x_kind": "value",
        "x_name": say("predicted_chance"),
        "y_name": say("accepted_share"),
        "unit": "percent",
        "zero": True,
        "series": [
            _with_interval(say("came_true"), bins),
            {"name": say("exact_chances"), "y": predicted, "dashed": True},
        ],
        "description": say("calibration_description", version=found.propensity_version, n=found.answers),
    }


def acceptance_chart(found: MonitoringBody, say: Say) -> Chart:
    """Return the share of answered offers that was accepted, by period."""
    shares = [one.acceptance for one in found.over_time]
    series = [_with_interval(say("acceptance"), shares)]
    return _over_time(found, series, say("accepted_share"), say("acceptance_description"), say)


def coverage_chart(found: MonitoringBody, say: Say) -> Chart:
    """Return the shares of decisions without an offer, with less than usual and with a trial, by period."""
    series: list[Series] = [
        {"name": say(f"share_{name}"), "y": [getattr(one, name).share for one in found.over_time]}
        for name in ("no_offer", "degraded", "explored")
    ]
    return _over_time(found, series, say("share_of_decisions"), say("coverage_description"), say)


def drift_chart(found: DriftBody, period: str, say: Say) -> Chart:
    """Return the stability index of both scores by period, with the two usual thresholds."""
    return {
        "kind": "lines",
        "x": _moments([one.period for one in found.over_time], period),
        "x_kind": "category",
        "x_name": say(f"by_{period}"),
        "y_name": say("stability_index"),
        "unit": "number",
        "zero": True,
        "series": [
            {"name": say(f"score_{name}"), "y": [getattr(one, name) for one in found.over_time]}
            for name in ("propensity", "relevance")
        ],
        "marks": [
            {"axis": "y", "at": SHIFTING, "name": say("drift_shifting")},
            {"axis": "y", "at": DRIFTED, "name": say("drift_drifted")},
        ],
        "description": say("drift_description"),
    }


def _over_time(found: MonitoringBody, series: list[Series], name: str, description: str, say: Say) -> Chart:
    return {
        "kind": "lines",
        "x": _moments([one.period for one in found.over_time], found.period),
        "x_kind": "category",
        "x_name": say(f"by_{found.period}"),
        "y_name": name,
        "unit": "percent",
        "zero": True,
        "series": series,
        "description": description,
    }


def _moments(moments: Sequence[datetime], period: str) -> list[str]:
    return [moment.strftime(_FORMATS[period]) for moment in moments]


def _with_interval(name: str, shares: Sequence[ShareBody]) -> Series:
    values, low, high = ([getattr(one, part) for one in shares] for part in ("share", "low", "high"))
    return {"name": name, "y": values, "low": low, "high": high}

"""What a campaign has shown: the read-out as JSON with the verdict in words, and the effect over time as a picture."""

from dataclasses import asdict
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments.campaign import LAUNCHED, Plan
from experiments.estimate import json_values
from experiments.plan_document import stored_plan
from experiments.plots import EffectOverTime, Theme, draw_effect
from experiments.readout import Look, Readout, read_out
from experiments.verdict import Verdict
from recsys.domain.errors import CampaignInvalid, CampaignNotLaunched, SplitCheckFailed
from recsys.storage.campaign_log import SavedCampaign
from serving.campaigns.words import picture_words, say_decision, say_reason
from serving.wiring import Services

PICTURES = {"svg": "image/svg+xml", "png": "image/png"}


def results(services: Services, campaign_id: str, language: str) -> dict[str, Any]:
    """Return the results as the API shows them; while the split check fails, no effect is among them.

    Raises `CampaignNotFound`, `CampaignNotLaunched`.
    """
    saved, plan, readout = _read(services, campaign_id)
    shown = readout.is_trusted
    document = {
        "campaign_id": campaign_id,
        "name": plan.name,
        "status": saved.status,
        "plan_version": saved.plan_version,
        "as_of": readout.at.isoformat(),
        "matured_until": readout.matured_until.isoformat(),
        "first_results_on": readout.first_results_on.isoformat() if readout.first_results_on else None,
        "running_days": readout.running_days,
        "days_left": days_left(plan, readout) if saved.status in LAUNCHED else None,
        "units": {"assigned": readout.units, "matured": readout.matured_units, "planned": plan.planned_units},
        "verdicts": [{"arm": one.arm, **_verdict(one.verdict, language)} for one in readout.arms],
        "srm": {**readout.assigned.as_json(), "expected": dict(readout.expected)},
        "exposed_srm": readout.exposed.as_json() if readout.exposed else None,
        "hidden_because": None if shown else list(readout.assigned.reasons),
        "funnel": readout.funnel,
        "metrics": [asdict(one) for one in readout.metrics] if shown else None,
        "arms": [
            {
                "arm": one.arm,
                "guardrails": [
                    {"metric": guardrail.metric, "margin": guardrail.margin, "state": one.guardrails[guardrail.metric]}
                    for guardrail in plan.guardrails
                ],
                "by_agent": asdict(one.by_agent) if one.by_agent else None,
                "compliers": asdict(one.compliers) if one.compliers else None,
            }
            for one in readout.arms
        ]
        if shown
        else None,
        "pitched": asdict(readout.pitched) if readout.pitched else None,
        "over_time": [_look(look) for look in readout.looks] if shown else None,
    }
    told: dict[str, Any] = json_values(document)
    return told


def days_left(plan: Plan, readout: Readout) -> int | None:
    """Return in how many days the planned units will have matured at the present pace; None while nobody comes."""
    if readout.matured_units >= plan.planned_units:
        return 0
    if not readout.units:
        return None
    a_day = readout.units / max(readout.running_days, 1)
    return ceil(max(plan.planned_units - readout.units, 0) / a_day) + plan.maturity_days


def picture(
    services: Services, campaign_id: str, arm: str | None, look: tuple[str, str, Theme]
) -> tuple[bytes, str] | None:
    """Return the picture of an arm's primary effect over time and its media type; None before anybody has matured.

    `look` is (language, "svg" or "png", theme); `arm` the first besides control by default. A PNG becomes an SVG on a
    machine without a font for the language. Raises `SplitCheckFailed` while results are hidden, `CampaignNotFound`,
    `CampaignNotLaunched`, `CampaignInvalid` for an arm that the campaign has not.
    """
    saved, plan, readout = _read(services, campaign_id)
    name = plan.treatments[0] if arm is None else arm
    if name not in plan.treatments:
        raise CampaignInvalid([("arm", "is none of the campaign's arms besides the control")])
    if not readout.is_trusted:
        raise SplitCheckFailed(readout.assigned.reasons)
    looks = [one for one in readout.looks if one.arm == name]
    if not looks:
        return None
    language, kind, theme = look
    over_time = EffectOverTime.of([one.n for one in looks], [one.effect for one in looks], plan.planned_units)
    words = picture_words(saved.plan["name"], name, plan.primary, language)
    with TemporaryDirectory() as folder:
        written = draw_effect(over_time, words, Path(folder) / "effect", theme)
        wanted = next((path for path in written if path.suffix == f".{kind}"), written[0])
        return wanted.read_bytes(), PICTURES[wanted.suffix[1:]]


def _read(services: Services, campaign_id: str) -> tuple[SavedCampaign, Plan, Readout]:
    with services.database.read() as log:
        saved = log.campaign(campaign_id)
        if not saved.epochs:
            raise CampaignNotLaunched(campaign_id)
        return saved, stored_plan(saved.plan), read_out(log, saved, services.clock())


def _verdict(verdict: Verdict, language: str) -> dict[str, Any]:
    return {
        "decision": verdict.decision,
        "text": say_decision(verdict, language),
        "reasons": [
            {
                "code": reason.code,
                "metric": reason.metric,
                "figures": dict(reason.figures),
                "text": say_reason(reason, language),
            }
            for reason in verdict.reasons
        ],
    }


def _look(look: Look) -> dict[str, Any]:
    return {"arm": look.arm, "day": look.day.isoformat(), "n": look.n, **asdict(look.effect)}

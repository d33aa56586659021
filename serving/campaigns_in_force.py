"""The campaigns that decisions take part in: compiled once per version, with what each arm decides with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from experiments.assignment import assigner
from experiments.campaign import Plan, Status
from experiments.enrolment import CampaignInForce
from experiments.plan_document import parse_plan
from experiments.treatment import audience_of, check_plan, model_of, offers_of, treated
from recsys.catalogue import Catalogue
from recsys.domain.campaign_unit import CampaignUnit
from recsys.domain.errors import CampaignInvalid, ChangeInvalid
from recsys.domain.policy import Policy
from recsys.rules.vocabulary import Vocabulary
from recsys.storage.campaign_log import SavedCampaign
from recsys.storage.event_log import EventLog
from serving.in_force import vocabulary

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Treatment:
    """What one customer is decided with: no `model` means the champion."""

    catalogue: Catalogue
    policy: Policy
    model: str | None = None


@dataclass(frozen=True, slots=True)
class CampaignsInForce:
    """The running campaigns over one catalogue and policy; `broken` ones rest until they fit the catalogue again."""

    running: tuple[CampaignInForce, ...]
    broken: Mapping[str, str]
    untreated: Treatment
    kept: Mapping[str, tuple[str, ...]]
    """The products whose totals each campaign keeps, of those that have ended too."""
    known: Vocabulary = field(repr=False)
    _treatments: dict[tuple[tuple[str, str], ...], Treatment] = field(default_factory=dict, repr=False)

    def treatment(self, units: Collection[CampaignUnit], at: datetime) -> Treatment:
        """Return what a customer with these units is decided with at a moment; in order of campaigns, the first model.

        Only running campaigns within their period treat anybody. Each combination of arms is compiled once.
        """
        arms = {unit.campaign_id: unit.arm for unit in units}
        active = [one for one in self.running if one.campaign_id in arms and one.takes_place(at)]
        key = tuple((one.campaign_id, arms[one.campaign_id]) for one in active)
        found = self._treatments.get(key)
        if found is None:
            found = self._treatments[key] = self._combined(active, arms)
        return found

    def _combined(self, active: Sequence[CampaignInForce], arms: Mapping[str, str]) -> Treatment:
        found = self.untreated
        for one in active:
            for arm in one.plan.arms:
                if arm.name != arms[one.campaign_id] or not arm.treatment:
                    continue
                try:
                    changed = treated(arm.treatment, found.catalogue, found.policy, self.known)
                except ChangeInvalid as error:  # it fits the catalogue, but not with another campaign's arm
                    logger.warning("arms_do_not_fit", campaign=one.campaign_id, arm=arm.name, reason=str(error))
                    continue
                found = Treatment(*changed, found.model or model_of(arm.treatment))
        return found


class CampaignsInService:
    """Holds the compiled campaigns; every read compares the versions of campaigns, catalogue and policy."""

    def __init__(self) -> None:
        self._held: tuple[object, CampaignsInForce] | None = None  # one value, so that no thread sees half a change

    def current(self, log: EventLog, catalogue: Catalogue, policy: Policy) -> CampaignsInForce:
        """Return the campaigns that are running now, oldest first, over the catalogue and the policy in force."""
        version = log.campaigns_version(), catalogue.version, policy.version
        held = self._held
        if held is None or held[0] != version:
            base = Treatment(catalogue, policy)
            self._held = held = version, compiled(log.campaigns(), base, vocabulary(log))
        return held[1]


def compiled(saved: Sequence[SavedCampaign], base: Treatment, known: Vocabulary) -> CampaignsInForce:
    """Return the running ones among the saved campaigns, over the catalogue and the policy in force."""
    running: list[CampaignInForce] = []
    broken: dict[str, str] = {}
    for one in saved:
        if one.status != Status.RUNNING:
            continue
        try:
            running.append(_compiled(one, base, known))
        except CampaignInvalid as error:
            logger.warning("campaign_broken", campaign=one.campaign_id, reason=str(error))
            broken[one.campaign_id] = str(error)
    return CampaignsInForce(tuple(running), broken, base, {one.campaign_id: one.kept for one in saved}, known)


def _compiled(saved: SavedCampaign, base: Treatment, known: Vocabulary) -> CampaignInForce:
    plan: Plan = parse_plan(saved.plan)
    check_plan(plan, base.catalogue, base.policy, known)
    epoch = saved.epochs[-1]
    return CampaignInForce(
        saved.campaign_id,
        plan,
        assigner(saved.campaign_id, plan, epoch.epoch, epoch.weights, audience_of(plan, known)),
        offers_of(plan, base.catalogue),
    )

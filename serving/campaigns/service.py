"""A campaign from its draft to its end: each change checked, audited and made in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments.allocation import due_weights
from experiments.campaign import LAUNCHED, Plan, Status, check_transition, plan_to_dict
from experiments.plan_document import parse_plan, stored_plan
from experiments.treatment import check_plan, model_of, treated
from recsys.catalogue import Catalogue, cells, offer_to_dict
from recsys.domain.errors import (
    CampaignFixed,
    CampaignInvalid,
    CampaignsOverlap,
    NeedsSecondPerson,
)
from recsys.domain.policy import Policy
from recsys.storage.campaign_log import SavedCampaign, SavedChange, SavedEpoch
from recsys.storage.event_log import EventLog
from serving.contacts.service import new_id
from serving.idempotency import JUST_DO_IT, Once
from serving.in_force import conventions, vocabulary
from serving.wiring import Services, registry_of

FIRST_REASON = "launch"
LEARNED = "learned"
MOST_REASON = 200


@dataclass(frozen=True, slots=True)
class CampaignService:
    """What one actor can do with campaigns."""

    services: Services
    actor: str

    def draft(self, document: object, once: Once = JUST_DO_IT) -> SavedCampaign:
        """Save a new campaign; raises `CampaignInvalid` with every problem of its plan."""
        with self.services.database.transaction() as log:
            plan = parse_plan(document, conventions(log, self.services.policy.current(log)))
            now = self.services.clock()
            if made := once.begin(log, now):
                return log.campaign(made["campaign_id"])
            self._check(log, plan)
            saved = SavedCampaign(
                campaign_id=new_id("x", now),
                plan=plan_to_dict(plan),
                plan_version=plan.version,
                kept=plan.kept,
                status=Status.DRAFT,
                author=self.actor,
                created_at=now,
            )
            log.add_campaign(saved)
            once.end(log, campaign_id=saved.campaign_id)
        return saved

    def change(self, campaign_id: str, fields: Mapping[str, Any], once: Once = JUST_DO_IT) -> SavedCampaign:
        """Change fields of a draft's plan, or the weights of a launched campaign, which opens an epoch.

        Raises `CampaignFixed` for anything else once the campaign was approved.
        """
        with self.services.database.transaction() as log:
            saved = log.campaign_for_change(campaign_id)
            if once.begin(log, self.services.clock()):
                return saved
            status = Status(saved.status)
            if status is Status.DRAFT:
                plan = parse_plan({**saved.plan, **fields}, conventions(log, self.services.policy.current(log)))
                self._check(log, plan)
                after = replace(saved, plan=plan_to_dict(plan), plan_version=plan.version, kept=plan.kept)
                if after != saved:
                    log.set_campaign(after, self._changed("plan", saved.plan_version, after.plan_version))
            elif status in LAUNCHED and "weights" in fields and fields.keys() <= {"weights", "reason"}:
                weights = _weights(stored_plan(saved.plan), fields["weights"])
                self._open_epoch(log, saved, weights, _reason(fields.get("reason")))
            else:
                raise CampaignFixed(status)
            once.end(log, campaign_id=campaign_id)
            return log.campaign(campaign_id)

    def learn(self, campaign_id: str) -> bool:
        """Open the epoch that Thompson sampling makes due; returns whether it was."""
        with self.services.database.transaction() as log:
            saved = log.campaign_for_change(campaign_id)
            weights = due_weights(log, saved, self.services.clock())
            if weights:
                self._open_epoch(log, saved, weights, LEARNED)
        return weights is not None

    def approve(self, campaign_id: str) -> SavedCampaign:
        """Register the plan as it is: from here on it is fixed."""
        with self.services.database.transaction() as log:
            saved = self._launchable(log, campaign_id)
            self._move(log, saved, Status.APPROVED, approver=self.actor, approved_at=self.services.clock())
            self._check(log, stored_plan(saved.plan))
            return log.campaign(campaign_id)

    def start(self, campaign_id: str) -> SavedCampaign:
        """Let it take customers, for the first time or after a pause; raises `CampaignsOverlap` in its layer."""
        self._check_models(campaign_id)
        with self.services.database.transaction() as log:
            saved = self._launchable(log, campaign_id)
            plan = stored_plan(saved.plan)
            self._move(log, saved, Status.RUNNING, started_at=saved.started_at or self.services.clock())
            self._check(log, plan)
            _check_layer(plan, saved, log.campaigns())
            if not saved.epochs:
                self._open_epoch(log, saved, plan.weights, FIRST_REASON)
            return log.campaign(campaign_id)

    def pause(self, campaign_id: str) -> SavedCampaign:
        """Take nobody more and treat nobody until it is started again."""
        with self.services.database.transaction() as log:
            self._move(log, log.campaign_for_change(campaign_id), Status.PAUSED)
            return log.campaign(campaign_id)

    def stop(self, campaign_id: str) -> SavedCampaign:
        """End it; outcomes of its units count until they have matured."""
        with self.services.database.transaction() as log:
            self._move(log, log.campaign_for_change(campaign_id), Status.STOPPED, ended_at=self.services.clock())
            return log.campaign(campaign_id)

    def ship(self, campaign_id: str, arm_name: str) -> SavedCampaign:
        """End it and put the catalogue and the policy of an arm in force; its model is promoted by itself."""
        now = self.services.clock()
        with self.services.database.transaction() as log:
            saved = self._launchable(log, campaign_id)
            arm = next((one for one in stored_plan(saved.plan).arms if one.name == arm_name), None)
            if arm is None:
                raise CampaignInvalid([("arm", "is none of the campaign's arms")])
            self._move(log, saved, Status.SHIPPED, ended_at=saved.ended_at or now, shipped_arm=arm_name)
            before = self._in_force(log)
            catalogue, policy = treated(arm.treatment, *before, vocabulary(log), log.calendar)
            if catalogue is not before[0]:
                rows = [offer_to_dict(offer) for offer in catalogue.offers]
                log.save_catalogue(catalogue.version, rows, catalogue.rule_types, now)
            if policy != before[1]:
                log.save_policy(policy, now)
            return log.campaign(campaign_id)

    def _in_force(self, log: EventLog) -> tuple[Catalogue, Policy]:
        return self.services.catalogue.current(log), self.services.policy.current(log)

    def _check(self, log: EventLog, plan: Plan) -> None:
        check_plan(plan, *self._in_force(log), vocabulary(log))

    def _launchable(self, log: EventLog, campaign_id: str) -> SavedCampaign:
        """Return a campaign that this actor may launch or ship; raises `NeedsSecondPerson` for their own."""
        saved = log.campaign_for_change(campaign_id)
        if self.services.settings.auth != "demo" and saved.author == self.actor:
            raise NeedsSecondPerson
        return saved

    def _check_models(self, campaign_id: str) -> None:
        """Raise `ModelVersionNotFound` for an arm whose model is not registered; asked before any transaction."""
        with self.services.database.read() as log:
            plan = stored_plan(log.campaign(campaign_id).plan)
        wanted = [version for arm in plan.arms if (version := model_of(arm.treatment)) is not None]
        for version in wanted:
            registry_of(self.services.settings, version).version(version)

    def _move(self, log: EventLog, saved: SavedCampaign, wanted: Status, **changes: Any) -> None:
        check_transition(Status(saved.status), wanted)
        log.set_campaign(replace(saved, status=wanted, **changes), self._changed("status", saved.status, wanted))

    def _open_epoch(self, log: EventLog, saved: SavedCampaign, weights: Mapping[str, float], reason: str) -> None:
        before = saved.epochs[-1].weights if saved.epochs else None
        epoch = SavedEpoch(len(saved.epochs) + 1, dict(weights), self.services.clock(), reason, self.actor)
        log.add_campaign_epoch(saved.campaign_id, epoch, before)

    def _changed(self, what: str, before: object, after: object) -> SavedChange:
        return SavedChange(self.actor, self.services.clock(), what, before, after)


def _weights(plan: Plan, given: object) -> dict[str, float]:
    """Return shares that add up to 1 from a weight for every arm."""
    if not isinstance(given, Mapping) or given.keys() != plan.weights.keys():
        raise CampaignInvalid([("weights", f"must have one number for each of {', '.join(plan.weights)}")])
    found, problems = {}, []
    for arm, weight in given.items():
        try:
            found[arm] = cells.number(weight, 0.0, 1e6)
        except ValueError as error:
            problems.append((f"weights.{arm}", str(error)))
    if not problems and (not found[plan.control.name] or sum(found.values()) == found[plan.control.name]):
        problems = [("weights", "must be above 0 for the control and another arm")]
    if problems:
        raise CampaignInvalid(problems)
    return {arm: found[arm] / sum(found.values()) for arm in plan.weights}


def _reason(given: object) -> str:
    if given is None:
        return "by hand"
    if not isinstance(given, str) or not 0 < len(given.strip()) <= MOST_REASON:
        raise CampaignInvalid([("reason", f"must be a text of at most {MOST_REASON} characters")])
    return given.strip()


def _check_layer(plan: Plan, saved: SavedCampaign, others: Sequence[SavedCampaign]) -> None:
    for other in others:
        if plan.layer and other.status in LAUNCHED and other.campaign_id != saved.campaign_id:
            layer = stored_plan(other.plan).layer
            if layer and plan.layer.overlaps(layer):
                raise CampaignsOverlap(other.campaign_id, layer.name)

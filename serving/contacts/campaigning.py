"""A customer's part in campaigns during one transaction: given arms, recommended to, answered, closed, saved once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

import structlog

from experiments.assignment import GlobalHoldout
from experiments.campaign import HOLDOUT
from experiments.enrolment import CampaignInForce, Participant, enrol
from recsys.domain.campaign_unit import CampaignUnit
from recsys.domain.contact import Contact, ContactEvent
from recsys.domain.decision import CampaignArm, CampaignArms, Situation
from recsys.domain.errors import ChangeInvalid, NotReplayable
from recsys.domain.interaction import held_offers
from recsys.domain.offer import OfferKind
from recsys.domain.outcome import Answer
from recsys.domain.vocabulary import COMPLAINT
from recsys.ranking.eligibility import rule_facts
from recsys.storage.event_log import EventLog
from serving.basis import Basis
from serving.campaigns_in_force import CampaignsInForce
from serving.wiring import Services

NOT_APPLIED = "campaign_not_applied"
logger = structlog.get_logger()


class Campaigning:
    """The customer's units in campaigns; nothing is read where there is no campaign, nothing written before `save`."""

    def __init__(self, services: Services, log: EventLog, customer_id: str) -> None:
        self.log = log
        self._services, self._customer_id = services, customer_id
        self._saved: dict[str, CampaignUnit] | None = None
        self._units_now: dict[str, CampaignUnit] | None = None

    @cached_property
    def _in_force(self) -> CampaignsInForce:
        services, log = self._services, self.log
        return services.campaigns.current(log, services.catalogue.current(log), services.policy.current(log))

    @cached_property
    def _campaigns(self) -> tuple[CampaignInForce, ...]:
        """The campaigns whose units still count, running or not."""
        now = self._services.clock()
        return tuple(one for one in self._in_force.launched if one.counts(now))

    @property
    def _units(self) -> dict[str, CampaignUnit]:
        if self._units_now is None:
            self._saved = self.log.campaign_units(self._customer_id)
            self._units_now = dict(self._saved)
        return self._units_now

    def treat(self, situation: Situation, basis: Basis) -> tuple[Situation, Basis]:
        """Return the situation and the basis with the treatments of the customer's arms, new ones given where due.

        A treatment that cannot be applied any more leaves the decision as it is without any, and degraded. Who is
        held out of all campaigns now gets neither arms nor treatments; what they do goes on counting for their units.
        """
        running = [one for one in self._campaigns if one.is_running]
        holdout = GlobalHoldout(basis.policy.holdout_share, basis.policy.holdout_rotation_days)
        if not running or holdout.holds(self._customer_id.encode(), situation.made_at):
            return situation, basis
        contact = situation.contact
        held = held_offers(situation.history)
        participant = Participant(
            self._customer_id,
            rule_facts(situation, basis.catalogue, held),
            str(contact.channel),
            contact.agent_id,
            situation.made_at,
        )
        unread = frozenset(situation.unread)  # an audience that names one takes in nobody new
        open_ = [one for one in running if (rule := one.assigner.audience) is None or unread.isdisjoint(rule.names)]
        self._units_now = enrol(self.log, participant, open_, self._units)
        arms = tuple(
            CampaignArm(unit.campaign_id, unit.epoch, unit.arm, unit.probability)
            for one in running
            if (unit := self._units.get(one.campaign_id))
            and unit.arm != HOLDOUT
            and one.treats(str(contact.channel), situation.made_at)
        )
        if not arms:
            return situation, basis
        try:
            treated = self._services.archive.treated(arms, basis, self.log)
        except (ChangeInvalid, NotReplayable) as error:
            logger.warning("campaign_not_applied", arms=[(one.campaign_id, one.arm) for one in arms], reason=str(error))
            return replace(situation, degraded_reasons=(*situation.degraded_reasons, NOT_APPLIED)), basis
        campaigns = CampaignArms(arms, basis.catalogue.version, basis.policy.version)
        return replace(situation, campaigns=campaigns), treated

    def recommended(self, record: Mapping[str, Any], at: datetime) -> None:
        """Note that a decision put offers on the list."""
        if self._campaigns:
            self._reach("recommended", {offer["offer_id"] for offer in record["offers"]}, at)

    def exposed(self, stage: str, offer_id: str, at: datetime) -> None:
        """Note that an offer was seen, or pitched."""
        self._reach(stage, {offer_id}, at)

    def answered(self, offer: Mapping[str, Any], answer: Answer, at: datetime) -> None:
        """Note an answer to an offer as the decision's record has it."""
        for one in self._campaigns:
            if unit := self._units.get(one.campaign_id):
                self._units[one.campaign_id] = unit.answering(
                    answer,
                    at,
                    net_value=offer["net_value"],
                    is_sale=OfferKind(offer["kind"]).is_sale,
                    of_campaign=offer["offer_id"] in one.offer_ids,
                )

    def closed(self, contact: Contact, events: Sequence[ContactEvent]) -> None:
        """Note the end of a contact: its length, its satisfaction, and a complaint that came after the assignment."""
        at = contact.closed_at
        if at is None:
            return
        was_heard = any(event.intent == COMPLAINT for event in events)
        counts = {"contacts": 1.0, "handling_seconds": (at - contact.opened_at).total_seconds()}
        if contact.csat is not None:
            counts |= {"csat_total": float(contact.csat), "csat_ratings": 1.0}
        for one in self._campaigns:
            if unit := self._units.get(one.campaign_id):
                came_with = contact.is_complaint and unit.assigned_at < contact.opened_at
                complained = was_heard or came_with
                self._units[one.campaign_id] = unit.counting(at, **counts, complaints=float(complained))

    def save(self) -> None:
        """Write what changed since the last time."""
        if self._saved is not None and self._units_now is not None:
            self.log.save_campaign_units(self._saved, self._units_now, self._in_force.kept)
            self._saved = dict(self._units_now)

    def _reach(self, stage: str, offer_ids: set[str], at: datetime) -> None:
        for one in self._campaigns:
            unit = self._units.get(one.campaign_id)
            if unit and not offer_ids.isdisjoint(one.offer_ids):
                self._units[one.campaign_id] = unit.reaching(stage, at)

"""A customer's campaigns in a contact: the arms they already have, and those they are given now."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from experiments.assignment import Assigner, Assignment, Facts, assign
from experiments.campaign import Plan
from recsys.domain.calendar import UTC_DAYS, BankCalendar
from recsys.domain.campaign_unit import CampaignUnit
from recsys.domain.customer import AttributeValue
from recsys.storage.event_log import EventLog

_LONGER_DAY = 3
"""Hours that a day may be longer when clocks change, and a little more: a unit knows itself what counts."""


@dataclass(frozen=True, slots=True)
class CampaignInForce:
    """A campaign in its present epoch, running, or else with units whose outcomes may still count.

    `offer_ids` are the offers it is about.
    """

    campaign_id: str
    plan: Plan
    assigner: Assigner
    offer_ids: frozenset[str]
    is_running: bool = True
    ended_at: datetime | None = None

    def treats(self, channel: str, at: datetime) -> bool:
        """Return whether its arms are treated in a contact on this channel at that moment."""
        return self.is_running and self.takes_place(at) and (not self.plan.channels or channel in self.plan.channels)

    def counts(self, at: datetime) -> bool:
        """Return whether what happens at that moment may still count for some unit."""
        time_to_mature = timedelta(days=self.plan.maturity_days + 1, hours=_LONGER_DAY)
        return self.ended_at is None or at <= self.ended_at + time_to_mature

    def takes_place(self, at: datetime) -> bool:
        """Return whether the moment is within the campaign's period."""
        begins, ends = self.assigner.period
        return begins <= at < ends


@dataclass(frozen=True, slots=True)
class Participant:
    """Who is in contact: what is known of them before any treatment, where, with which agent, and when."""

    customer_id: str
    facts: Facts
    channel: str
    agent_id: str | None
    at: datetime


def enrol(
    log: EventLog,
    participant: Participant,
    in_force: Sequence[CampaignInForce],
    before: Mapping[str, CampaignUnit],
) -> dict[str, CampaignUnit]:
    """Return the customer's units by campaign with those that begin now, which the caller saves.

    `before` is `log.campaign_units(customer_id)`, in the same transaction. A campaign that has used up its cap takes
    nobody more, whatever the arm.
    """
    contact = participant.channel, participant.at
    assigners = [one.assigner for one in in_force]
    new = assign(participant.customer_id, participant.facts, contact, assigners, before)
    plans = {one.campaign_id: one.plan for one in in_force}
    units = dict(before)
    for assignment in sorted(new, key=lambda one: one.campaign_id):
        plan = plans[assignment.campaign_id]
        if _has_room(log, plan, assignment.campaign_id, participant.at):
            units[assignment.campaign_id] = unit_of(assignment, plan, participant, log.calendar)
    return units


def unit_of(
    assignment: Assignment, plan: Plan, participant: Participant, calendar: BankCalendar = UTC_DAYS
) -> CampaignUnit:
    """Return the unit that begins with an assignment; its covariates are the facts of this moment."""
    at, facts = participant.at, participant.facts
    return CampaignUnit(
        campaign_id=assignment.campaign_id,
        customer_id=participant.customer_id,
        epoch=assignment.epoch,
        arm=assignment.arm,
        probability=assignment.probability,
        assigned_at=at,
        counts_until=calendar.day_of(at) + timedelta(days=plan.maturity_days),
        agent_id=participant.agent_id or "",
        in_fixed_slice=assignment.in_fixed_slice,
        calendar=calendar,
        covariates={name: _number(facts.get(name)) for name in plan.covariates},
    )


def _number(value: AttributeValue) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _has_room(log: EventLog, plan: Plan, campaign_id: str, at: datetime) -> bool:
    """Return whether the caps leave room for one more unit, and count it when they do."""
    daily, total = plan.daily_cap or math.inf, plan.total_cap or math.inf
    if daily == total == math.inf:
        return True
    day = log.calendar.day_of(at)
    today, ever = log.campaign_volume(campaign_id, day)
    if today >= daily or ever >= total:
        return False
    today, ever = log.count_campaign_unit(campaign_id, day)
    if today > daily or ever > total:  # somebody else took the last place meanwhile
        log.count_campaign_unit(campaign_id, day, -1)
        return False
    return True

"""What the arms a customer is in make of the catalogue, the policy and the model in force."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments.plan_document import stored_plan
from experiments.treatment import model_of, offers_named, treated
from recsys.catalogue import Catalogue
from recsys.domain.decision import CampaignArm, CampaignArms
from recsys.domain.policy import Policy
from recsys.storage.event_log import EventLog
from serving.basis import Basis
from serving.in_force import vocabulary

_KEPT = 64
_Key = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Treated:
    """What decides in these arms; `model` is the version that they rank with, None for the champion."""

    catalogue: Catalogue
    policy: Policy
    campaign_of: Mapping[str, str]
    model: str | None

    def over(self, basis: Basis) -> Basis:
        """Return the basis with these in it, its models as they are."""
        return replace(basis, catalogue=self.catalogue, policy=self.policy, campaign_of=self.campaign_of)


class Treatments:
    """Applies the treatments of arms, each combination once for the catalogue and policy it meets."""

    def __init__(self) -> None:
        self._found: OrderedDict[_Key, Treated] = OrderedDict()
        self._applying = threading.Lock()

    def applied(self, arms: Sequence[CampaignArm], basis: Basis, log: EventLog) -> Treated:
        """Return what these arms make of the basis.

        One campaign after the other in the order of `arms`, so that the last word has the last of them.
        Raises `ChangeInvalid` where a treatment does not fit what is in force, `CampaignNotFound`.
        """
        named = tuple((arm.campaign_id, arm.arm) for arm in arms)
        key = basis.catalogue.version, basis.policy.version, named
        with self._applying:
            found = self._found.get(key)
            if found is None:
                self._found[key] = found = _apply(named, basis, log)
            self._found.move_to_end(key)
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
            return found


def campaign_arms(record: Mapping[str, Any]) -> CampaignArms | None:
    """Return the campaigns' arms that the record's decision was made in, None for a decision outside of any."""
    found = record["inputs"].get("campaigns")
    if found is None:
        return None
    return CampaignArms(**{**found, "arms": tuple(CampaignArm(**arm) for arm in found["arms"])})


def _apply(named: Sequence[tuple[str, str]], basis: Basis, log: EventLog) -> Treated:
    catalogue, policy, model = basis.catalogue, basis.policy, None
    campaign_of: dict[str, str] = {}
    names = vocabulary(log)
    for campaign_id, arm_name in named:
        plan = stored_plan(log.campaign(campaign_id).plan)
        treatment = next((arm.treatment for arm in plan.arms if arm.name == arm_name), {})
        catalogue, policy = treated(treatment, catalogue, policy, names, log.calendar)
        model = model_of(treatment) or model
        campaign_of |= dict.fromkeys(sorted(offers_named(treatment, catalogue)), campaign_id)
    return Treated(catalogue, policy, campaign_of, model)

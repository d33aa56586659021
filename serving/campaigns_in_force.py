"""The campaigns that decisions take part in, compiled once per version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from experiments.assignment import assigner
from experiments.campaign import Status
from experiments.enrolment import CampaignInForce
from experiments.plan_document import stored_plan
from experiments.treatment import audience_of, check_plan, offers_of
from recsys.catalogue import Catalogue
from recsys.domain.errors import CampaignInvalid
from recsys.domain.policy import Policy
from recsys.rules.vocabulary import Vocabulary
from recsys.storage.campaign_log import SavedCampaign
from recsys.storage.event_log import EventLog
from serving.in_force import vocabulary

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CampaignsInForce:
    """The campaigns that were launched, oldest first; `broken` ones rest until they fit the catalogue again."""

    launched: tuple[CampaignInForce, ...]
    broken: Mapping[str, str]
    kept: Mapping[str, tuple[str, ...]]
    """The products whose totals each campaign keeps, of those that have ended too."""

    @property
    def running(self) -> tuple[CampaignInForce, ...]:
        """Those that take in customers and treat them."""
        return tuple(one for one in self.launched if one.is_running)


class CampaignsInService:
    """Holds the compiled campaigns; every read compares the versions of campaigns, catalogue and policy."""

    def __init__(self) -> None:
        self._held: tuple[object, CampaignsInForce] | None = None  # one value, so that no thread sees half a change

    def current(self, log: EventLog, catalogue: Catalogue, policy: Policy) -> CampaignsInForce:
        """Return the campaigns as they stand now, compiled over the catalogue and the policy in force."""
        version = log.campaigns_version(), catalogue.version, policy.version
        held = self._held
        if held is None or held[0] != version:
            self._held = held = version, compiled(log.campaigns(), (catalogue, policy), vocabulary(log))
        return held[1]


def compiled(saved: Sequence[SavedCampaign], rules: tuple[Catalogue, Policy], known: Vocabulary) -> CampaignsInForce:
    """Return the launched ones among the saved campaigns, over a catalogue and a policy."""
    launched: list[CampaignInForce] = []
    broken: dict[str, str] = {}
    for one in saved:
        if not one.epochs:
            continue
        is_running = one.status == Status.RUNNING
        try:
            if is_running:
                check_plan(stored_plan(one.plan), *rules, known, is_new=False)
        except CampaignInvalid as error:
            logger.warning("campaign_broken", campaign=one.campaign_id, reason=str(error))
            broken[one.campaign_id] = str(error)
            is_running = False
        launched.append(_compiled(one, rules[0], known, is_running))
    return CampaignsInForce(tuple(launched), broken, {one.campaign_id: one.kept for one in saved})


def _compiled(saved: SavedCampaign, catalogue: Catalogue, known: Vocabulary, is_running: bool) -> CampaignInForce:
    plan, epoch = stored_plan(saved.plan), saved.epochs[-1]
    audience = audience_of(plan, known) if is_running else None
    return CampaignInForce(
        saved.campaign_id,
        plan,
        assigner(saved.campaign_id, plan, epoch.epoch, epoch.weights, audience),
        offers_of(plan, catalogue),
        is_running,
        saved.ended_at,
    )

"""How the agents pitched a campaign: each one's customers by arm, and to how many of them."""

from experiments.metrics import PITCHED
from recsys.domain.campaign_unit import EVERYONE
from recsys.storage.event_log import EventLog
from serving.campaigns.schemas import AgentBody, AgentList, PitchedBody


def agents_of(log: EventLog, campaign_id: str) -> AgentList:
    """Return every agent's customers by arm, from all that were assigned. Raises `CampaignNotFound`."""
    arms = [arm["name"] for arm in log.campaign(campaign_id).plan["arms"]]
    agents: dict[str, dict[str, PitchedBody]] = {}
    for cell, totals in log.campaign_totals(campaign_id, by=("agent_id",), products=(PITCHED,)).items():
        if cell.arm in arms:
            by_arm = agents.setdefault(cell.agent_id or "", {arm: PitchedBody(units=0, pitched=0) for arm in arms})
            by_arm[cell.arm] = PitchedBody(
                units=by_arm[cell.arm].units + round(totals[EVERYONE]),
                pitched=by_arm[cell.arm].pitched + round(totals.get(PITCHED, 0.0)),
            )
    found = [AgentBody(agent_id=agent_id, arms=by_arm) for agent_id, by_arm in agents.items()]
    return AgentList(agents=sorted(found, key=lambda one: (-sum(arm.units for arm in one.arms.values()), one.agent_id)))

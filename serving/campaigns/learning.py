"""Gives campaigns that learn their next weights when these are due, on whichever worker looks first."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from anyio import to_thread

from experiments.allocation import due_weights
from serving.campaigns.service import CampaignService
from serving.wiring import Services

LEARNER = "thompson"
LOOK_EVERY_SECONDS = 60.0
logger = structlog.get_logger()


def reweigh(services: Services) -> list[str]:
    """Open the epochs that are due; returns the campaigns that have new weights."""
    with services.database.read() as log:
        due = [one.campaign_id for one in log.campaigns() if due_weights(log, one, services.clock())]
    service = CampaignService(services, LEARNER)
    return [campaign_id for campaign_id in due if service.learn(campaign_id)]


@contextlib.asynccontextmanager
async def learning(services: Services) -> AsyncIterator[None]:
    """Look for epochs that are due every minute, as long as the block runs."""
    task = asyncio.create_task(_keep_looking(services))
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _keep_looking(services: Services) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        try:
            for campaign_id in await to_thread.run_sync(reweigh, services):
                logger.info("campaign_reweighed", campaign=campaign_id)
        except Exception as error:  # the job must outlive every failure of the database or of one campaign
            logger.warning("campaigns_not_reweighed", error=type(error).__name__, reason=str(error)[:300])

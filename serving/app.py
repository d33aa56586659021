"""Builds the application: mounts the resources and owns the life of their services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from serving import consoles, errors, health
from serving.addresses import WholeParts
from serving.campaigns.learning import learning
from serving.campaigns.routes import router as campaigns
from serving.contacts.routes import router as contacts
from serving.customers.routes import router as customers
from serving.decisions.routes import router as decisions
from serving.guard import JsonGuard
from serving.health import Measured
from serving.live.routes import router as live
from serving.live_hub import LiveHub
from serving.models.routes import router as models
from serving.offers.routes import router as offers
from serving.outcomes.routes import router as outcomes
from serving.policy.routes import router as policy
from serving.pushes.routes import router as pushes
from serving.settings import Settings
from serving.wiring import build_services


def create_app(settings: Settings) -> FastAPI:
    """Return the application of these settings; its services start and stop with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = build_services(settings)
        app.state.live_hub = LiveHub(settings.redis_url or "redis://127.0.0.1:6379")
        app.state.services.start()
        await app.state.live_hub.start()
        async with learning(app.state.services):
            yield
        await app.state.live_hub.stop()
        app.state.services.close()

    app = FastAPI(title="Next best offer", version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    resources = (live, contacts, outcomes, decisions, customers, offers, policy, campaigns, models)
    for router in (*resources, pushes, health.router):
        app.include_router(router)
    consoles.mount(app)

    errors.install(app)
    app.add_middleware(JsonGuard)
    app.add_middleware(WholeParts)
    app.add_middleware(Measured)
    return app


def app_from_environment() -> FastAPI:
    """Return the application of the settings in the environment; what each worker process calls."""
    return create_app(Settings())

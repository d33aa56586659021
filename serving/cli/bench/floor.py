"""The floor of the decision benchmark: the same server, fixed JSON, one HGETALL and one durable insert."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis
from fastapi import FastAPI, Request, Response

from recsys.domain.clock import system_clock
from recsys.storage.database import open_database
from serving.guard import JsonGuard
from serving.health import Measured
from serving.settings import Settings

ANSWER_BYTES = "NBO_BENCH_ANSWER_BYTES"


def floor_app() -> FastAPI:
    """Return the application; the size of its answer comes from the environment."""
    settings = Settings()
    answer = b'{"fixed": "' + b"x" * (int(os.environ[ANSWER_BYTES]) - 13) + b'"}'

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.database = open_database(settings.event_log_url)
        app.state.redis = redis.Redis.from_url(settings.redis_url or "")
        yield
        app.state.database.close()

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    def readyz() -> dict[str, str]:
        return {"mode": "normal"}

    @app.post("/v1/contacts", status_code=201)
    def fixed(body: dict[str, str], request: Request) -> Response:
        request.app.state.redis.hgetall(f"bench:{body['customer_id']}")
        with request.app.state.database.transaction(body["customer_id"]) as log:
            log.save_catalogue(secrets.token_hex(8), [], {}, system_clock())
        return Response(answer, status_code=201, media_type="application/json")

    app.add_middleware(JsonGuard)
    app.add_middleware(Measured)
    return app

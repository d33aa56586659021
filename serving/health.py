"""/healthz, /readyz and /metrics: whether the service is alive, ready and how it is doing."""

import os
import time
from http import HTTPStatus

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.domain.errors import StoreUnavailable
from recsys.engine import DECLARED
from serving.answers import json_response
from serving.dependencies import ServicesOf
from serving.features_missing import ADVICE, FAILED_ADVICE, FEATURES_MISSING, LACKING_ADVICE, MATERIALISED
from serving.own_in_force import read_by

router = APIRouter(tags=["operations"])

_SHARED_METRICS = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
"""Where several workers add up; read once, because Feast sets the variable for a moment while it is imported."""

REQUESTS = Counter("nbo_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "nbo_http_request_seconds",
    "Time from request to answer.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


class Measured:
    """ASGI middleware: counts and times each request by its route, never by its identifiers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unknown")
                REQUESTS.labels(scope["method"], route, message["status"]).inc()
                SECONDS.labels(scope["method"], route).observe(time.perf_counter() - began)
            await send(message)

        await self.app(scope, receive, count)


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Alive: the process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def readyz(services: ServicesOf) -> Response:
    """Ready: decisions can be made and recorded; `mode` says what they do without.

    `starting` until the models and the feature store were loaded, or could not be; `awaited` names what was not yet.
    """
    try:
        with services.database.read() as log:
            catalogue, policy = services.catalogue.current(log), services.policy.current(log)
    except StoreUnavailable as error:
        return json_response({"status": "not ready", "reason": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
    if not services.champion.is_known:
        starting = {"status": "not ready", "reason": "The model is being loaded."}
        return json_response(starting, HTTPStatus.SERVICE_UNAVAILABLE)
    bundle, propensity = services.champion.pair.relevance, services.champion.pair.propensity
    missing = [] if bundle else ["no_model"]
    if trouble := services.features.trouble():
        missing.append(trouble)
    with services.database.read() as log:
        lacking = services.features.lacking(log, read_by(catalogue, bundle, propensity))
    failed, own = services.features.failed(), services.features.own
    functions = {"functions_aside": own.aside(), "functions_failing": own.failing()}
    if lacking or failed or any(functions.values()):
        missing.append(FEATURES_MISSING)
    awaited = services.awaited()
    ready = {
        "status": "ready",
        "mode": "starting" if awaited else "degraded" if missing else "normal",
        **({"awaited": awaited} if awaited else {}),
        "degraded_reasons": list(dict.fromkeys(missing)),
        **({"advice": ADVICE} if trouble == FEATURES_MISSING else {}),
        **({"failed": failed, "advice": FAILED_ADVICE} if failed else {}),
        **({"lacking": lacking, "advice": LACKING_ADVICE} if lacking else {}),
        **{name: told for name, told in functions.items() if told},
        "model_version": bundle.version if bundle else None,
        "propensity_version": propensity.version if propensity else DECLARED,
        "catalogue_version": catalogue.version,
        "policy_version": policy.version,
        "offers": len(catalogue.offers),
    }
    return json_response(ready, HTTPStatus.OK)


@router.get("/metrics")
def metrics(services: ServicesOf) -> Response:
    """Prometheus metrics of this worker, or of all workers when there are several."""
    MATERIALISED.set(services.features.trouble() is None)
    if _SHARED_METRICS:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, _SHARED_METRICS)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

"""Questions to the model registry end in time: nobody waits for one that hangs, and one that is away is said to be."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import structlog

from recsys.domain.errors import NboError, RegistryUnavailable
from serving.wiring import Services

WITHIN_SECONDS = 2.0
REST_SECONDS = 4.0
"""How long nobody asks a registry again that did not answer in time."""

_AT_ONCE = 4
_slots = threading.BoundedSemaphore(_AT_ONCE)
_asked_again_at: dict[str, float] = {}
logger = structlog.get_logger()
Found = TypeVar("Found")


def in_time(services: Services, ask: Callable[[], Found], within: float | None = None) -> Found:
    """Return what `ask` gets of the registry; raises `RegistryUnavailable` when it fails or takes longer.

    It runs in a thread of its own, after the champion's first look: MLflow, which takes seconds to import and retries
    for minutes, is there by then or it is not asked for.
    """
    limit, registry = WITHIN_SECONDS if within is None else within, services.settings.tracking_uri
    if time.monotonic() < _asked_again_at.get(registry, 0.0) or not _slots.acquire(timeout=limit):
        raise RegistryUnavailable
    found: Future[Found] = Future()

    def run() -> None:
        try:
            services.champion.wait()
            found.set_result(ask())
        except Exception as error:  # whatever MLflow, its server or the disk raise
            found.set_exception(error)
        finally:
            _slots.release()

    threading.Thread(target=run, name="registry", daemon=True).start()
    try:
        return found.result(limit)
    except NboError:
        raise
    except Exception as error:
        if not found.done():
            _asked_again_at[registry] = time.monotonic() + REST_SECONDS
        logger.warning("registry_unavailable", error=type(error).__name__, reason=str(error)[:300])
        raise RegistryUnavailable from error

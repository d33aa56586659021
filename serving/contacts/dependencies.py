"""Gives routes the contact service of their application, and a turn for what it decides."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request, Response

from serving.contacts.service import ContactService

Turn = Callable[[Callable[[], Response]], Awaitable[Response]]


async def contact_service(request: Request) -> ContactService:
    """Return the contact service."""
    state = request.app.state
    return ContactService(state.services, state.live_hub)


async def turn(request: Request) -> Turn:
    """Return what runs a decision in a thread: no more of them than writers can make progress.

    Further threads would only take the interpreter from the one that holds the lock, which everybody waits for.
    """
    state = request.app.state
    if not hasattr(state, "decision_threads"):
        state.decision_threads = CapacityLimiter(state.services.database.writers_at_once)

    async def in_turn(work: Callable[[], Response]) -> Response:
        return await to_thread.run_sync(work, limiter=state.decision_threads)

    return in_turn


Contacts = Annotated[ContactService, Depends(contact_service)]
InTurn = Annotated[Turn, Depends(turn)]

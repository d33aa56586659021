"""/v1/contacts/{id}/stream: server-sent events, resumable with Last-Event-ID."""

from collections.abc import AsyncIterator
from typing import Annotated

import anyio.to_thread
import orjson
from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from serving.addresses import PathId
from serving.decisions.rendering import render
from serving.dependencies import Language, LiveHubOf, Role, ServicesOf, allow
from serving.live.stream import follow
from serving.wiring import Services

router = APIRouter(prefix="/v1/contacts", tags=["contacts"], dependencies=[Depends(allow(Role.AGENT, Role.SERVICE))])


def existing_contact(contact_id: PathId, services: ServicesOf) -> str:
    """Return the contact's id; ContactNotFound before a stream has begun, when it still can be a 404."""
    with services.database.read() as log:
        return log.contact(contact_id).contact_id


ExistingContact = Annotated[str, Depends(existing_contact)]
LastEventId = Annotated[int, Header(alias="Last-Event-ID", ge=0)]


@router.get("/{contact_id}/stream", response_class=EventSourceResponse)
async def stream(
    contact_id: ExistingContact,
    services: ServicesOf,
    hub: LiveHubOf,
    language: Language,
    last_event_id: LastEventId = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Send each decision of the contact once, as an event `decision` whose id is its sequence number."""
    async for sequence in follow(services, hub, contact_id, last_event_id):
        if sequence is None:
            yield ServerSentEvent(comment="still here")
            continue
        decisions = await anyio.to_thread.run_sync(_decisions, services, contact_id, last_event_id, language)
        for last_event_id, decision in decisions:
            yield ServerSentEvent(raw_data=decision, event="decision", id=str(last_event_id))


def _decisions(services: Services, contact_id: str, after: int, language: str) -> list[tuple[int, str]]:
    """Return the sequence number and the JSON of each decision after `after`."""
    with services.database.read() as log:
        catalogue, records = services.catalogue.current(log), log.decisions_of(contact_id, after)
    return [(one["sequence"], orjson.dumps(render(one, language, catalogue)).decode()) for one in records]

"""Gives routes the contact service of their application."""

from typing import Annotated

from fastapi import Depends

from serving.contacts.service import ContactService
from serving.dependencies import LiveHubOf, ServicesOf


async def contact_service(services: ServicesOf, hub: LiveHubOf) -> ContactService:
    """Return the contact service."""
    return ContactService(services, hub)


Contacts = Annotated[ContactService, Depends(contact_service)]

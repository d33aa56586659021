"""Gives routes the catalogue's service of their application, and the one what-if that a worker runs at a time."""

import threading
from typing import Annotated

from fastapi import Depends, Request

from serving.dependencies import ServicesOf
from serving.offers.service import OfferService
from serving.offers.what_if import WhatIf


async def offer_service(services: ServicesOf) -> OfferService:
    """Return the catalogue's service."""
    return OfferService(services)


async def what_if(request: Request, services: ServicesOf) -> WhatIf:
    """Return what runs a what-if, in the one turn of this worker."""
    state = request.app.state
    if not hasattr(state, "what_if_turn"):
        state.what_if_turn = threading.Lock()
    return WhatIf(services, state.what_if_turn)


Offers = Annotated[OfferService, Depends(offer_service)]
OneWhatIf = Annotated[WhatIf, Depends(what_if)]

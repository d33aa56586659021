"""The request and answer bodies of the catalogue."""

from typing import Annotated, Any

from pydantic import Field

from recsys.domain.channel import PHONE
from serving.contacts.schemas import ChannelWord, Identifier, Request
from serving.decisions.schemas import Body, HeldBackBody, OfferBody


class CatalogueBody(Body):
    """The catalogue in service and its version."""

    catalogue_version: str
    offers: list[dict[str, Any]]


class DifferenceBody(Body):
    """One column that saving would change; a term is `terms.NAME` or `term_bounds.NAME`, null is nothing."""

    offer_id: str
    field: str
    before: Any
    after: Any


class PreviewRequest(Request):
    """An offer as it would be saved, and the contact to look at it in."""

    offer: dict[str, Any]
    customer_id: Identifier
    channel: ChannelWord = PHONE
    reason: Annotated[str, Field(max_length=200)] | None = None


class SaidBody(Body):
    """What an agent says in one language; where it is not written, the other language's stands in."""

    title: str
    talk_track: str
    disclosure: str


class PreviewedCustomer(Body):
    """Whom the preview is for."""

    customer_id: str
    name: str | None
    segment: str | None
    language: str | None


class OfferPreviewBody(Body):
    """The offer as its card would look for this customer, and where it would stand or what holds it back.

    `suggested` are the titles of the whole list, in order; nothing of this was recorded.
    """

    customer: PreviewedCustomer
    card: OfferBody
    position: int | None
    held_back: HeldBackBody | None
    said: dict[str, SaidBody]
    suggested: list[str]

"""/marketing/catalogue: the offers and how they do, and the editor with preview, what-if and review before saving."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, ValidationError

from recsys.domain.errors import CatalogueInvalid, ChangeInvalid, CustomerNotFound, OfferChanged, WhatIfRunning
from serving.addresses import IdBeginning, PathId, quoted
from serving.consoles import offer_words
from serving.consoles.catalogue_list import STATES, Wanted, listing
from serving.consoles.offer_editor import BLANK, AtEditor, Editor, Submitted, fingerprint
from serving.consoles.offer_form import KINDS, OfferForm
from serving.consoles.page import answer
from serving.consoles.safety import PageRoute, same_origin
from serving.consoles.what_if_view import titles_of, view_of
from serving.dependencies import Role, ServicesOf, allow
from serving.errors import offer_problem
from serving.offers.dependencies import OneWhatIf
from serving.offers.schemas import PreviewRequest
from serving.offers.what_if import WhatIfRequest

router = APIRouter(
    prefix="/marketing/catalogue",
    route_class=PageRoute,
    dependencies=[Depends(allow(Role.MARKETER)), Depends(same_origin)],
)


class Asked(BaseModel):
    """What the list was asked for; anything else is left out."""

    model_config = ConfigDict(extra="ignore")

    q: Annotated[str, Query(max_length=200)] = ""
    kind: str = ""
    family: str = ""
    state: str = ""
    page: Annotated[int, Query(ge=1, le=100_000)] = 1


@router.get("")
def show_catalogue(request: Request, services: ServicesOf, asked: Annotated[Asked, Query()]) -> Response:
    """List the offers that were asked for with what customers have answered to them so far."""
    wanted = Wanted(asked.q, asked.kind, asked.family, asked.state, asked.page)
    with services.database.read() as log:
        catalogue, totals = services.catalogue.current(log), log.answer_totals()
    values = {
        "listing": listing(catalogue.offers, totals, wanted, services.clock()),
        "wanted": wanted,
        "total": len(catalogue.offers),
        "version": catalogue.version,
        "families": sorted({offer.family for offer in catalogue.offers if offer.family}),
        "kinds": KINDS,
        "states": STATES,
        "words": offer_words,
    }
    return answer(request, "catalogue.html", values)


@router.get("/new")
def begin_offer(editor: AtEditor, like: IdBeginning = "") -> Response:
    """Show the form of a new offer, which may begin `like` one that is there."""
    with editor.services.database.read() as log:
        catalogue = editor.services.catalogue.current(log)
    offer = replace(catalogue.offer(like), offer_id="") if like else BLANK
    form = OfferForm.of_offer(offer, catalogue.version, is_new=True)
    return answer(editor.request, "offer.html", editor.page(form))


@router.get("/customers")
def suggest_customers(request: Request, services: ServicesOf, preview_customer: IdBeginning = "") -> Response:
    """Return the customers whose id starts with what was typed, to choose from."""
    with services.database.read() as log:
        found = log.customers_starting_with(preview_customer, 10)
    return answer(request, "_offer_customers.html", {"customer_ids": found})


@router.get("/{offer_id:path}")
def edit_offer(offer_id: PathId, editor: AtEditor, saved: bool = False) -> Response:
    """Show the form of an offer; raises `OfferNotFound`."""
    with editor.services.database.read() as log:
        catalogue = editor.services.catalogue.current(log)
    form = OfferForm.of_offer(catalogue.offer(offer_id), catalogue.version)
    return answer(editor.request, "offer.html", editor.page(form, is_saved=saved))


@router.post("/review")
def review(form: Submitted, editor: AtEditor) -> Response:
    """Say in words what saving would change, or what is in the way, next to its field."""
    return _refused(form, editor) or _reviewed(form, editor)


@router.post("/save")
def save(form: Submitted, editor: AtEditor, reviewed: Annotated[str, Form(max_length=64)] = "") -> Response:
    """Save what was reviewed; what was typed since is reviewed first."""
    if refused := _refused(form, editor):
        return refused
    if reviewed != fingerprint(form):
        return _reviewed(form, editor)
    try:
        editor.offers.save([form.row()], form.based_on)
    except OfferChanged:
        return _changed_meanwhile(form, editor)
    address = f"/marketing/catalogue/{quoted(form.offer_id)}?saved=true"
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


def _refused(form: OfferForm, editor: Editor) -> Response | None:
    """Return the form with its problems, or with what somebody else changed meanwhile; None where nothing is wrong."""
    found = list(editor.offers.check([form.row()]).problems)
    if editor.is_taken(form):
        found.append({"field": "offer_id", "reason": "is used by another offer too", "line": None, "column": None})
    if problems := editor.problems(form, found):
        page = editor.page(form, problems=problems)
        return answer(editor.request, "offer.html", page, HTTPStatus.UNPROCESSABLE_ENTITY)
    return _changed_meanwhile(form, editor) if editor.offers.changed_since(form.offer_id, form.based_on) else None


def _reviewed(form: OfferForm, editor: Editor) -> Response:
    changes = editor.in_words(editor.offers.check([form.row()]).differences)
    return answer(editor.request, "offer.html", editor.page(form, review=changes, reviewed=fingerprint(form)))


def _changed_meanwhile(form: OfferForm, editor: Editor) -> Response:
    """Return the form as typed, with what changed; it is now based on that, so that saving again is a decision."""
    changes = editor.in_words(editor.offers.changed_since(form.offer_id, form.based_on))
    current = editor.offers.listed().catalogue_version
    page = editor.page(replace(form, based_on=current, is_new=False), meanwhile=changes)
    return answer(editor.request, "offer.html", page, HTTPStatus.CONFLICT)


@router.post("/preview")
def preview(
    form: Submitted,
    editor: AtEditor,
    preview_customer: Annotated[str, Form(max_length=1000)] = "",
    preview_channel: Annotated[str, Form(max_length=100)] = "phone",
    preview_reason: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Return the card that an agent would see, and what the rules typed so far lack."""
    values: dict[str, Any] = {"form": form, "shown": None, "problems": {}, "unknown_customer": False}
    asked = {"channel": preview_channel, "reason": preview_reason, "customer_id": preview_customer.strip()}
    try:
        values["shown"] = editor.offers.preview(PreviewRequest(offer=form.row(), **asked), editor.language)
    except CatalogueInvalid as error:
        values["problems"] = editor.problems(form, [offer_problem(one) for one in error.problems])
    except (CustomerNotFound, ValidationError):
        values["unknown_customer"] = True
        values["problems"] = editor.problems(form, editor.offers.check([form.row()]).problems)
    return answer(editor.request, "_offer_preview.html", values)


@router.post("/what-if")
def try_change(form: Submitted, editor: AtEditor, what_if: OneWhatIf) -> Response:
    """Return what saving would change for a sample of the customers, beside today."""
    values: dict[str, Any] = {"view": None, "is_busy": False, "problem": None, "retry_after": None}
    status = HTTPStatus.OK
    try:
        found = what_if.run({"offers": [form.row()]}, WhatIfRequest())
        titles = titles_of([*editor.offers.listed().offers, form.texts], editor.language)
        values["view"] = view_of(found, titles, form.offer_id, editor.language)
    except WhatIfRunning as error:
        values |= {"is_busy": True, "retry_after": error.retry_after_seconds}
        status = HTTPStatus.SERVICE_UNAVAILABLE
    except ChangeInvalid:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        values["problem"] = editor.problems(form, editor.offers.check([form.row()]).problems)
    if "hx-request" in editor.request.headers:
        return answer(editor.request, "_what_if.html", values, status)
    return answer(editor.request, "offer.html", editor.page(form, what_if=values), status)

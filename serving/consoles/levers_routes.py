"""/marketing/catalogue/levers: what if families had other levers, or the policy other limits; nothing is saved."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData

from recsys.domain.errors import ChangeInvalid, WhatIfRunning
from serving.consoles import formats
from serving.consoles.levers_form import LeversForm, field_of
from serving.consoles.offer_editor import FieldProblem
from serving.consoles.page import answer
from serving.consoles.reasons import say_reason
from serving.consoles.safety import PageRoute, same_origin
from serving.consoles.what_if_view import titles_of, view_of
from serving.consoles.wording import speaker
from serving.dependencies import Role, ServicesOf, allow, language_of
from serving.offers.dependencies import Offers, OneWhatIf
from serving.offers.what_if import WhatIfRequest
from serving.wiring import Services

router = APIRouter(
    prefix="/marketing/catalogue/levers",
    route_class=PageRoute,
    dependencies=[Depends(allow(Role.MARKETER)), Depends(same_origin)],
)


@router.get("")
def show_levers(request: Request, services: ServicesOf) -> Response:
    """Show the levers and limits in force, to be tried otherwise."""
    return answer(request, "levers.html", {"form": _today(services), "problems": {}, "what_if": None})


async def _sent(request: Request) -> FormData:
    return await request.form()


@router.post("")
def try_levers(
    request: Request,
    services: ServicesOf,
    offers: Offers,
    what_if: OneWhatIf,
    sent: Annotated[FormData, Depends(_sent)],
) -> Response:
    """Return what the change would do for a sample of the customers, or what is in the way."""
    today = _today(services)
    form, language = today.filled_in(sent), language_of(request)
    values: dict[str, Any] = {"view": None, "is_busy": False, "problem": None, "retry_after": None}
    status, reasons = HTTPStatus.OK, form.problems()
    try:
        if not reasons:
            found = what_if.run(form.change(today), WhatIfRequest())
            values["view"] = view_of(found, titles_of(offers.listed().offers, language), None, language)
    except WhatIfRunning as error:
        values |= {"is_busy": True, "retry_after": error.retry_after_seconds}
        status = HTTPStatus.SERVICE_UNAVAILABLE
    except ChangeInvalid as error:
        reasons = {field_of(error.place): error.reason}
    problems = {field: _told(field, reason, language) for field, reason in reasons.items()}
    if problems:
        values["problem"], status = problems, HTTPStatus.UNPROCESSABLE_ENTITY
    if "hx-request" in request.headers:
        return answer(request, "_what_if.html", values, status)
    return answer(request, "levers.html", {"form": form, "problems": problems, "what_if": values}, status)


def _told(field: str, reason: str, language: str) -> FieldProblem:
    part, _, name = field.partition(".")
    label = speaker(language)(f"policy_{name}") if part == "policy" else formats.name(name, language)
    return FieldProblem(field, label, say_reason(reason, language), None)


def _today(services: Services) -> LeversForm:
    with services.database.read() as log:
        catalogue, policy = services.catalogue.current(log), services.policy.current(log)
    return LeversForm.today(policy, sorted({offer.family for offer in catalogue.offers if offer.family}))

"""/v1/outcomes and /v1/exposures: what came of an offer, durable before it is acknowledged and recorded once."""

from http import HTTPStatus

from fastapi import APIRouter, BackgroundTasks, Depends, Response

from serving.contacts.dependencies import Contacts
from serving.contacts.schemas import AnswerRequest, ExposureRequest, OutcomeReceipt
from serving.dependencies import Asking, Role, allow
from serving.idempotency import IdempotencyKey

router = APIRouter(prefix="/v1", tags=["outcomes"], dependencies=[Depends(allow(Role.AGENT, Role.SERVICE))])


@router.post("/outcomes", status_code=HTTPStatus.CREATED, responses={200: {"model": OutcomeReceipt}})
def record_outcome(
    request: AnswerRequest,
    idempotency_key: IdempotencyKey,
    contacts: Contacts,
    asking: Asking,
    response: Response,
    afterwards: BackgroundTasks,
) -> OutcomeReceipt:
    """Record an answer: 201 when it is new, 200 with the first receipt when the key and body came before.

    An offer of a decision is answered once, 409 with the first receipt (`first`) after that; only what was put off
    may be accepted later. After the end of the contact nothing else is answered.
    """
    receipt, is_new = contacts.answer(request, f"{asking.name} {idempotency_key}")
    if is_new:
        afterwards.add_task(contacts.push_features, receipt.customer_id)
    else:
        response.status_code = HTTPStatus.OK
    return receipt


@router.post("/exposures", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
def record_exposure(request: ExposureRequest, contacts: Contacts) -> None:
    """Record that a recommended offer was seen or pitched; once is enough, and more changes nothing.

    Neither does what comes after the end of the contact: pages tell it by themselves, and nobody could act on a 409.
    """
    contacts.expose(request)

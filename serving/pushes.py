"""/v1/features/{view}: what a bank's systems push into views of its own, durable first, then online at once."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from features.own_features import OwnView, typed
from recsys.domain.customer import AttributeValue
from recsys.domain.errors import FeaturesUnavailable, FeatureViewNotFound, PushInvalid
from serving.addresses import PathId
from serving.answers import json_response
from serving.contacts.schemas import Identifier, Request
from serving.decisions.schemas import Body
from serving.dependencies import Role, ServicesOf, allow
from serving.idempotency import OnceOf
from serving.wiring import Services

router = APIRouter(prefix="/v1/features", tags=["features"], dependencies=[Depends(allow(Role.SERVICE))])

Value = StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | StrictStr | None


class NewRow(Request):
    """Everything that a view says of a customer from now on: each of its features, null where it is unknown."""

    customer_id: Identifier
    features: dict[str, Value]


class Pushed(Body):
    """What was kept; `online` is whether decisions read it already: if not, from the next materialisation on."""

    view: str
    customer_id: str
    known_at: datetime
    online: bool


@router.post("/{view}", status_code=HTTPStatus.CREATED, response_model=Pushed)
def push_features(view: PathId, request: NewRow, services: ServicesOf, once: OnceOf) -> Response:
    """Keep what a view of the bank's own says of a customer, known from this moment on, and serve it at once.

    The same Idempotency-Key adds nothing more.
    """
    with services.database.transaction(request.customer_id) as log:
        own = services.features.own.applied(log)
        found = own.view(view)
        if found is None or not found.is_pushed:
            raise FeatureViewNotFound(view, [one.name for one in own.views if one.is_pushed])
        values = _values(found, request)
        now = services.clock()
        if made := once.begin(log, now):
            now = datetime.fromisoformat(made["known_at"])
        else:
            log.add_pushed(view, request.customer_id, values, now)
            once.end(log, known_at=now.isoformat())
    online = _is_served(services, found, request.customer_id, values, now)
    pushed = {"view": view, "customer_id": request.customer_id, "known_at": now, "online": online}
    return json_response(pushed, once.status())


def _values(view: OwnView, request: NewRow) -> dict[str, AttributeValue]:
    """Return the features with their declared types; raises PushInvalid with everything that is wrong."""
    declared = {one.name: one.type for one in view.features}
    problems = [(name, f"{view.name} has no such feature") for name in request.features if name not in declared]
    values: dict[str, AttributeValue] = {}
    for name, kind in declared.items():
        if name not in request.features:
            problems.append((name, f"expected {kind}, or null where it is unknown; found nothing"))
            continue
        try:
            values[name] = typed(request.features[name], kind)
        except TypeError:
            problems.append((name, f"expected {kind}, found {type(request.features[name]).__name__}"))
    if problems:
        raise PushInvalid(problems)
    return values


def _is_served(
    services: Services, view: OwnView, customer_id: str, values: dict[str, AttributeValue], at: datetime
) -> bool:
    try:
        services.features.gateway.push_own(view, customer_id, values, at)
    except FeaturesUnavailable:
        return False
    return True

"""/v1/features: values that come into the bank's own views, known from the moment they come."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from features.own_features import OwnFeatures, OwnView, typed
from recsys.domain.customer import AttributeValue
from recsys.domain.errors import FeaturesUnavailable, FeatureViewNotFound, InvalidInput
from recsys.storage.event_log import EventLog
from serving.addresses import PathId
from serving.answers import json_response
from serving.contacts.schemas import Identifier, Request
from serving.decisions.schemas import Body
from serving.dependencies import Role, ServicesOf, allow
from serving.idempotency import OnceOf
from serving.wiring import Services

router = APIRouter(prefix="/v1/features", tags=["features"])
Pushed = str | bool | int | float | None


class NewValues(Request):
    """What is known of one customer from now on; a feature of the view that is not named is not known any more."""

    customer_id: Identifier
    features: Annotated[dict[str, Pushed], Field(min_length=1, max_length=200)]


class KnownValues(Body):
    """What is kept; `served`: the next decision reads it (else from the next materialisation on)."""

    view: str
    customer_id: str
    known_at: datetime
    features: dict[str, Pushed]
    served: bool


@router.post(
    "/{view}", status_code=HTTPStatus.CREATED, response_model=KnownValues, dependencies=[Depends(allow(Role.SERVICE))]
)
def push_values(view: PathId, request: NewValues, services: ServicesOf, once: OnceOf) -> Response:
    """Keep values of a customer in the log for training, and put them online at once.

    The same Idempotency-Key keeps nothing more. 404 for a view that is not applied or takes no pushes, and for a
    customer nobody knows; 422 for a feature that the view does not have, or of another type.
    """
    with services.database.transaction(request.customer_id) as log:
        applied = _applied(log, view)
        values = _checked(applied, request.features)
        customer_id, now = log.customer(request.customer_id).customer_id, services.clock()
        made = once.begin(log, now)
        if made is None:
            log.add_pushed(view, customer_id, values, now)
            once.end(log, known_at=now.isoformat())
        else:
            now = datetime.fromisoformat(made["known_at"])
    served = _put_online(services, applied, customer_id, values, now)
    said = KnownValues(view=view, customer_id=customer_id, known_at=now, features=values, served=served)
    return json_response(said.model_dump(mode="json"), once.status())


def _applied(log: EventLog, name: str) -> OwnView:
    saved = log.own_features()
    view = OwnFeatures.of_json(saved.document).view(name) if saved is not None else None
    if view is None or not view.is_pushed:
        raise FeatureViewNotFound(name)
    return view


def _checked(view: OwnView, given: dict[str, Pushed]) -> dict[str, AttributeValue]:
    """Return a value of every feature of the view; raises InvalidInput for another name or type."""
    types = {one.name: one.type for one in view.features}
    if other := sorted(given.keys() - types):
        raise InvalidInput(f"{view.name} has no feature {', '.join(other)}; it has {', '.join(types)}.")
    values: dict[str, AttributeValue] = {}
    for name, kind in types.items():
        try:
            values[name] = typed(given.get(name), kind)
        except TypeError as error:
            raise InvalidInput(f"{view.name}.{name}: {error}.") from None
    return values


def _put_online(
    services: Services, view: OwnView, customer_id: str, values: dict[str, AttributeValue], at: datetime
) -> bool:
    """Return whether the online store took them; of a view that was not materialised yet, and without Redis, not."""
    try:
        return services.features.gateway.push_own(view, customer_id, values, at)
    except FeaturesUnavailable:
        return False

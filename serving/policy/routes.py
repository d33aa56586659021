"""/v1/policy: the numbers that permission and arbitration use, in force and changed."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi import Body as FromBody

from recsys.domain.errors import PolicyInvalid
from recsys.domain.policy import Policy
from serving.decisions.schemas import Body
from serving.dependencies import Asking, Role, ServicesOf, allow
from serving.idempotency import OnceOf
from serving.policy.service import saved_change

router = APIRouter(prefix="/v1/policy", tags=["policy"], dependencies=[Depends(allow(Role.APPROVER, Role.SERVICE))])


class PolicyBody(Body):
    """The policy in force; `numbers` are described in docs/decisioning.md, `vocabulary` in docs/vocabulary.md."""

    policy_version: str
    numbers: dict[str, bool | int | float | str]
    vocabulary: dict[str, Any]


@router.get("")
def show_policy(services: ServicesOf) -> PolicyBody:
    """Return the policy in force."""
    with services.database.read() as log:
        return _body(services.policy.current(log))


@router.post("", status_code=HTTPStatus.CREATED)
def change_policy(
    numbers: Annotated[dict[str, Any], FromBody()],
    services: ServicesOf,
    once: OnceOf,
    asking: Asking,
    response: Response,
) -> PolicyBody:
    """Put a policy in force that differs from the present one in what is given; the next decision uses it.

    A `vocabulary` that drops words which protect is refused, unless `drop_words` is true.
    Sent again under its Idempotency-Key, it answers 200 with the policy that it put in force and changes nothing.
    """
    with services.database.transaction() as log:
        now = services.clock()
        made = once.begin(log, now)
        if made is not None and (known := log.policy_of(made["policy_version"])) is not None:
            policy = known
        else:
            drop_words = numbers.pop("drop_words", False)
            if not isinstance(drop_words, bool):
                raise PolicyInvalid("drop_words", "must be true or false")
            policy = saved_change(log, services.policy, numbers, (asking.name, now), drop_words).after
            once.end(log, policy_version=policy.version)
    response.status_code = once.status()
    return _body(policy)


def _body(policy: Policy) -> PolicyBody:
    document = policy.document()
    return PolicyBody(policy_version=policy.version, vocabulary=document.pop("vocabulary"), numbers=document)

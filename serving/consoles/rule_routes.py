"""/marketing/rule: what the rule editor shows under a rule while it is being written."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from serving.consoles.page import answer
from serving.consoles.reasons import say_reason
from serving.consoles.safety import PageRoute, same_origin
from serving.dependencies import Language, Role, ServicesOf, allow
from serving.offers.rule_check import check_rule

router = APIRouter(
    prefix="/marketing/rule",
    route_class=PageRoute,
    dependencies=[Depends(allow(Role.MARKETER)), Depends(same_origin)],
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a rule is wrong: its line in three parts, of which the middle one is at fault, and why."""

    line: int
    column: int
    before: str
    fault: str
    after: str
    reason: str


@router.post("")
def check(
    request: Request,
    services: ServicesOf,
    language: Language,
    rule: Annotated[str, Form(max_length=20_000)] = "",
    about: Annotated[str, Form(pattern="^(customer|contact)$")] = "contact",
    wants_count: Annotated[bool, Form()] = False,
) -> Response:
    """Return the fault in a rule with its place, or how many customers it is true for and who some of them are."""
    values: dict[str, Any] = {"wants_count": wants_count, "fault": None, "found": None, "everybody": None}
    if not rule.strip():
        with services.database.read() as log:
            values["everybody"] = log.customers_count()
    else:
        found = check_rule(services, rule, about_customer=about == "customer")
        if found.valid:
            values["found"] = found
        else:
            problem = found.problems[0]
            reason = say_reason(problem["reason"], language)
            values["fault"] = fault_of(rule, problem["line"], problem["column"], reason)
    return answer(request, "_rule_check.html", values)


def fault_of(rule: str, line: int, column: int, reason: str) -> Fault:
    """Return the faulty line of a rule, cut before and after the word or sign at the column (both count from 1)."""
    text = re.split(r"\r\n|\r|\n", rule)[line - 1]
    start = column - 1
    word = re.match(r"\w+|'[^']*'?|\S", text[start:])
    end = start + (word.end() if word else 0)
    return Fault(line, column, text[:start], text[start:end], text[end:], reason)

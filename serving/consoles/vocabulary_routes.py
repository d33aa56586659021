"""/marketing/vocabulary: which words stand for what, what nobody knows, and an approver's changes of it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from recsys.domain.errors import PolicyInvalid
from recsys.domain.vocabulary import Vocabulary
from serving.consoles.page import answer
from serving.consoles.reasons import say_reason
from serving.consoles.safety import PageRoute, problem_page, same_origin
from serving.consoles.vocabulary_form import (
    FORMS,
    ICONS,
    TRUTHS,
    Form,
    Meaning,
    Words,
    field_of,
    put_truths,
    removed,
    typed,
)
from serving.consoles.vocabulary_view import shipped_spellings, shown
from serving.dependencies import Actor, Role, ServicesOf, allow, language_of
from serving.policy.service import saved_change
from serving.wiring import Services

ADDRESS = "/marketing/vocabulary"
router = APIRouter(
    prefix=ADDRESS,
    route_class=PageRoute,
    dependencies=[Depends(allow(Role.MARKETER, Role.APPROVER, Role.AUDITOR)), Depends(same_origin)],
)
by_approver = [Depends(allow(Role.APPROVER))]
Part = Literal["channels", "reasons"]
Saved = dict[str, int]


async def _sent(request: Request) -> FormData:
    return await request.form()


Sent = Annotated[FormData, Depends(_sent)]
Count = Annotated[int | None, Query(ge=0)]


@router.get("")
def show_vocabulary(
    request: Request, services: ServicesOf, renamed: Count = None, complaints: Count = None, no_complaints: Count = None
) -> Response:
    """Show the vocabulary in force; after a change also what it made of the log."""
    saved = {"renamed": renamed, "complaints": complaints or 0, "no_complaints": no_complaints or 0}
    return answer(request, "vocabulary.html", _page(services, saved=saved if renamed is not None else None))


@router.get("/edit", dependencies=by_approver)
def edit(request: Request, services: ServicesOf, part: Part, name: str = "") -> Response:
    """Show the form of a channel or a reason, of a new one without `name`."""
    words, own = _in_force(services)
    if name and name not in (words.channels if part == "channels" else words.needs):
        return problem_page(request, HTTPStatus.NOT_FOUND)
    form = FORMS[part].of(name, words, own) if name else FORMS[part]()
    return _form_page(request, form, own)


@router.post("/edit", dependencies=by_approver)
def save(request: Request, services: ServicesOf, actor: Actor, part: Part, sent: Sent) -> Response:
    """Save a channel or a reason as typed, or take away what is the bank's own of it; else say what is wrong."""
    form = FORMS[part].submitted(sent)
    try:
        if sent.get("do") == "remove":
            return _saved(_change(services, actor, lambda own, _: removed(own, part, form.name)))
        return _saved(_change(services, actor, form.put))
    except PolicyInvalid as error:
        problems = {field_of(part, form.key, error): say_reason(error.reason, language_of(request))}
        return _form_page(request, form, _in_force(services)[1], problems)


@router.post("/meaning", dependencies=by_approver)
def give_meaning(request: Request, services: ServicesOf, actor: Actor, sent: Sent) -> Response:
    """Give a word that nobody knows a meaning; else say at the word what is wrong."""
    meaning = Meaning.submitted(sent)
    try:
        return _saved(_change(services, actor, meaning.put))
    except PolicyInvalid as error:
        page = _page(services, meaning=meaning, problem=say_reason(error.reason, language_of(request)))
        return answer(request, "vocabulary.html", page, HTTPStatus.UNPROCESSABLE_ENTITY)


@router.get("/truths", dependencies=by_approver)
def edit_truths(request: Request, services: ServicesOf) -> Response:
    """Show the form of the bank's own words for true and false."""
    _, own = _in_force(services)
    texts = {truth: "\n".join(own.get("truth", {}).get(truth, ())) for truth in TRUTHS}
    return answer(request, "vocabulary_truths.html", {"texts": texts, "problems": {}})


@router.post("/truths", dependencies=by_approver)
def save_truths(request: Request, services: ServicesOf, actor: Actor, sent: Sent) -> Response:
    """Save the bank's own words for true and false; else say what is wrong."""
    texts = {truth: typed(sent.get(truth)) for truth in TRUTHS}
    try:
        return _saved(_change(services, actor, lambda own, _: put_truths(own, texts)))
    except PolicyInvalid as error:
        field = next((one for one in TRUTHS if error.field.endswith(f".{one}")), TRUTHS[0])
        values = {"texts": texts, "problems": {field: say_reason(error.reason, language_of(request))}}
        return answer(request, "vocabulary_truths.html", values, HTTPStatus.UNPROCESSABLE_ENTITY)


def _in_force(services: Services) -> tuple[Vocabulary, Words]:
    with services.database.read() as log:
        policy = services.policy.current(log)
    return policy.words, policy.document()["vocabulary"]


def _change(services: Services, actor: str, write: Callable[[Words, Vocabulary], object]) -> Saved:
    """Save what `write` makes of the bank's own words as a policy; return what that made of the log."""
    with services.database.transaction() as log:
        policy = services.policy.current(log)
        own: Words = policy.document()["vocabulary"]
        write(own, policy.words)
        by = actor, services.clock()  # the form shows what is taken away
        reread = saved_change(log, services.policy, {"vocabulary": own}, by, drop_words=True).reread
    if reread is None:
        return {"renamed": 0}
    return {"renamed": reread.renamed, "complaints": reread.complaints, "no_complaints": reread.no_complaints}


def _saved(counts: Saved) -> Response:
    return RedirectResponse(f"{ADDRESS}?{urlencode(counts)}", HTTPStatus.SEE_OTHER)


def _page(services: Services, **more: Any) -> dict[str, Any]:
    with services.database.read() as log:
        policy, unknown, change = services.policy.current(log), log.unknown_words(), log.latest_policy_change()
    own = policy.document()["vocabulary"]
    return {
        "shown": shown(policy.words, own, unknown),
        "version": policy.version,
        "change": change,
        "complaint_days": policy.complaint_open_days,
        "address": ADDRESS,
        "saved": None,
        "meaning": None,
        "problem": None,
        **more,
    }


def _form_page(request: Request, form: Form, own: Words, problems: dict[str, str] | None = None) -> Response:
    parts = ("channels",) if form.part == "channels" else ("reasons", "intents")
    values = {
        "form": form,
        "address": ADDRESS,
        "icons": tuple(dict.fromkeys((*ICONS, *([form.icon] if hasattr(form, "icon") else ())))),
        "is_changed": any(form.name in own.get(part, {}) for part in parts),
        "ships": shipped_spellings(form.part, form.name),
        "problems": problems or {},
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return answer(request, "vocabulary_entry.html", values, status)

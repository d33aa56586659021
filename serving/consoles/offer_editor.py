"""The offer editor's page: its form with problems, review, preview customers and what the lists to choose from hold."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request

from recsys.catalogue import Catalogue
from recsys.domain.errors import CustomerNotFound
from recsys.domain.offer import Offer
from recsys.storage.event_log import EventLog
from serving.consoles import offer_words
from serving.consoles.called import Called
from serving.consoles.offer_form import KINDS, RISK_LEVELS, OfferForm, Problem
from serving.consoles.reasons import say_reason
from serving.consoles.rule_routes import Fault, fault_of
from serving.consoles.wording import speaker
from serving.dependencies import Language, ServicesOf
from serving.offers.dependencies import Offers
from serving.offers.rule_check import rule_names
from serving.offers.schemas import DifferenceBody
from serving.offers.service import OfferService
from serving.wiring import Services

SAMPLES = 3
BLANK = Offer("", "", "")
"""What the form of a new offer begins with."""
_LOOKED_AT = 60
"""Customers among whom the samples are looked for."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """Why a field cannot be saved, and of a rule where."""

    field: str
    label: str
    reason: str
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Editor:
    """One request to the editor, in the reader's language."""

    request: Request
    services: Services
    offers: OfferService
    language: str

    def page(self, form: OfferForm, **more: Any) -> dict[str, Any]:
        """Return everything the page shows of a form."""
        with self.services.database.read() as log:
            catalogue, policy = self.services.catalogue.current(log), self.services.policy.current(log)
            names, samples = rule_names(log), sample_customers(log)
        return {
            "form": form,
            "offer": next((one for one in catalogue.offers if one.offer_id == form.offer_id), None),
            "version": catalogue.version,
            "rule_names": names,
            "samples": samples,
            "families": sorted({offer.family for offer in catalogue.offers if offer.family}),
            "intents": intents_of(catalogue),
            "channels": policy.words.channels,
            "kinds": KINDS,
            "risk_levels": RISK_LEVELS,
            "problems": {},
            "review": None,
            "reviewed": "",
            "meanwhile": None,
            "what_if": None,
            "is_saved": False,
            "words": offer_words,
            **more,
        }

    def in_words(self, differences: Sequence[DifferenceBody]) -> list[Any]:
        """Return differences in the reader's language."""
        return offer_words.in_words(differences, Called(self.services, self.language), speaker(self.language))

    def problems(self, form: OfferForm, found: Sequence[Problem]) -> dict[str, FieldProblem]:
        """Return the first problem of every field that has one."""
        told: dict[str, FieldProblem] = {}
        for problem in form.problems(found):
            told.setdefault(problem["field"], self._told(form, problem))
        return told

    def is_taken(self, form: OfferForm) -> bool:
        """Return whether a new offer has the id of one that is there."""
        with self.services.database.read() as log:
            return form.is_new and form.offer_id in self.services.catalogue.current(log).table.column

    def _told(self, form: OfferForm, problem: Problem) -> FieldProblem:
        say, field = speaker(self.language), problem["field"]
        term = form.terms[int(field[5:])] if field.startswith("term-") else None
        text = form.texts["eligibility"] if field == "eligibility" else term.rule if term else ""
        is_placed = problem["line"] is not None and bool(text)
        reason = say_reason(problem["reason"], self.language)
        label = say("term_named", name=term.name or "?") if term else say(f"field_{field}")
        fault = fault_of(text, problem["line"], problem["column"], reason) if is_placed else None
        return FieldProblem(field, label, reason, fault)


async def editor(request: Request, services: ServicesOf, offers: Offers, language: Language) -> Editor:
    """Return the editor of this request."""
    return Editor(request, services, offers, language)


async def submitted(request: Request) -> OfferForm:
    """Return the form that was sent."""
    return OfferForm.submitted(await request.form())


AtEditor = Annotated[Editor, Depends(editor)]
Submitted = Annotated[OfferForm, Depends(submitted)]


def fingerprint(form: OfferForm) -> str:
    """Return what tells whether the form still says what was reviewed."""
    return hashlib.sha256(orjson.dumps([form.row(), form.based_on], option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def intents_of(catalogue: Catalogue) -> list[str]:
    """Return every reason of a contact that some offer answers."""
    return sorted({intent for offer in catalogue.offers for intent in offer.intents})


def sample_customers(log: EventLog) -> list[Any]:
    """Return up to three customers of different segments who may be sold to, else any."""
    found: dict[str | None, Any] = {}
    others: list[Any] = []
    for customer_id in log.customers_starting_with("", _LOOKED_AT):
        try:
            customer = log.customer(customer_id)
        except CustomerNotFound:  # erased a moment ago
            continue
        is_open = customer.consents.marketing and not customer.flags
        if is_open and customer.segment not in found:
            found[customer.segment] = customer
        else:
            others.append(customer)
        if len(found) == SAMPLES:
            break
    return [*found.values(), *others][:SAMPLES]

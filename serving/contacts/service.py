"""A contact from beginning to end: opened, decided for, heard, answered, handed over, closed.

Every method is one transaction under the customer's lock: what it reads, decides and records belongs
together, so two channels can never together break a cap. Features are read before it (they may be
stale), streams are woken after it.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recsys.catalogue import Catalogue
from recsys.domain.contact import Contact, ContactEvent, ContactEventType
from recsys.domain.errors import (
    ContactClosed,
    ContactNotFound,
    ContactTaken,
    IdempotencyKeyReused,
)
from recsys.domain.outcome import Answer, Outcome
from recsys.domain.protection import Statement
from recsys.storage.event_log import EventLog
from serving.basis import Basis
from serving.contacts.answering import check_is_allowed, check_is_first, count_acceptance, the_offer_made
from serving.contacts.campaigning import Campaigning
from serving.contacts.schemas import (
    AnswerRequest,
    CloseContact,
    ExposureRequest,
    HandOff,
    NewContactEvent,
    OpenContact,
    OutcomeReceipt,
    WaitingContact,
)
from serving.contacts.situation import (
    RECENT_CONTACTS,
    FeaturesRead,
    Heard,
    Person,
    as_it_stands,
    made_known,
    push_features,
    situation_in,
)
from serving.contacts.views import Json, contact_view, in_queue, stored_view
from serving.decisions.record import make_record
from serving.live_hub import LiveHub
from serving.timing import stage
from serving.wiring import Services
from serving.words import channel_named, need_named

FIRST = 1
"""The number of a contact's first decision."""
MOST_LIVE_CONTACTS = 50
"""Among so many latest contacts of a customer the open ones are decided anew when their protections change."""


class ContactService:
    """What can be done with contacts; the HTTP API and the agent console both speak through it."""

    def __init__(self, services: Services, hub: LiveHub) -> None:
        self._services = services
        self._hub = hub

    def open(self, request: OpenContact, language: str) -> Json:
        """Open a contact and decide for it; an unknown customer is served as a prospect."""
        now = self._services.clock()
        features = FeaturesRead(self._services.features, request.customer_id)
        with self._services.database.transaction(request.customer_id) as log:
            with stage("gather"):
                person = made_known(log, request.customer_id, now)
            words = self._services.policy.current(log).words
            contact = Contact(
                contact_id=new_id("c", now),
                customer_id=request.customer_id,
                opened_at=now,
                channel=channel_named(request.channel, words),
                direction=request.direction,
                reason=need_named(request.reason, words),
                is_complaint=words.is_complaint(request.reason),
                sentiment=request.sentiment,
                agent_id=request.agent_id,
                continues=request.continues,
            )
            if request.continues is not None:
                contact = _continued(contact, log.contact(request.continues))
            log.add_contact(contact, last_sequence=FIRST)
            person = replace(person, contacts=(contact, *person.contacts)[:RECENT_CONTACTS])
            campaigning = Campaigning(self._services, log, contact.customer_id)
            decided = self._decide(campaigning, (Heard(contact), person), features, now, FIRST)
        return decided.view(language)  # nobody can follow the contact yet, so nobody is told

    def add_event(self, contact_id: str, event: NewContactEvent, language: str) -> Json:
        """Record what was heard and decide anew; ContactClosed once the contact has ended."""
        contact, features, now = self._before(contact_id)
        with self._services.database.transaction(contact.customer_id) as log:
            contact = _still_open(log, contact_id)
            words = self._services.policy.current(log).words
            heard = replace(
                contact,
                sentiment=contact.sentiment if event.sentiment is None else event.sentiment,
                is_complaint=contact.is_complaint or words.is_complaint(event.intent),
            )
            if heard != contact:
                log.set_contact(contact := heard)
            learned = event.model_dump(exclude={"type"}) | {"intent": need_named(event.intent, words)}
            _note(log, contact, ContactEventType(event.type), now, **learned)
            campaigning = Campaigning(self._services, log, contact.customer_id)
            decided = self._decide(campaigning, as_it_stands(log, contact), features, now)
        self._hub.changed(contact_id)
        return decided.view(language)

    def pick_up(self, contact_id: str, agent_id: str, language: str) -> Json:
        """Give a waiting contact to an agent; ContactTaken when another one was quicker."""
        return self.hand_off(contact_id, HandOff(agent_id=agent_id), language, only_if_waiting=True)

    def hand_off(self, contact_id: str, request: HandOff, language: str, *, only_if_waiting: bool = False) -> Json:
        """Give the contact, with its whole context, to an agent, perhaps on another channel."""
        contact, features, now = self._before(contact_id)
        with self._services.database.transaction(contact.customer_id) as log:
            contact = _still_open(log, contact_id)
            if only_if_waiting and contact.agent_id not in (None, request.agent_id):
                raise ContactTaken
            words = self._services.policy.current(log).words
            channel = channel_named(request.channel, words) if request.channel else contact.channel
            contact = replace(contact, agent_id=request.agent_id, channel=channel)
            log.set_contact(contact)
            _note(log, contact, ContactEventType.HANDOFF, now, text=request.note, agent_id=request.agent_id)
            campaigning = Campaigning(self._services, log, contact.customer_id)
            decided = self._decide(campaigning, as_it_stands(log, contact), features, now)
        self._hub.changed(contact_id)
        return decided.view(language)

    def close(self, contact_id: str, request: CloseContact, language: str) -> Json:
        """End the contact; closing it again changes nothing."""
        contact = self.contact(contact_id)
        now = self._services.clock()
        with self._services.database.transaction(contact.customer_id) as log:
            contact = log.contact(contact_id)
            if contact.closed_at is None:
                contact = replace(contact, closed_at=now, csat=request.csat)
                log.set_contact(contact)
                _note(log, contact, ContactEventType.CLOSED, now, text=request.summary)
                campaigning = Campaigning(self._services, log, contact.customer_id)
                campaigning.closed(contact, log.contact_events(contact_id))
                campaigning.save()
            view = stored_view(log, contact, self._services.catalogue.current(log), language)
        self._hub.changed(contact_id)
        return view

    def answer(self, request: AnswerRequest, idempotency_key: str) -> tuple[OutcomeReceipt, bool]:
        """Record an answer once and decide anew; returns the receipt and whether it is a new one.

        Raises OfferNotAllowed when the decision did not make the offer, or when permission no longer
        allows an acceptance; IdempotencyKeyReused when the key came with another body.
        """
        digest = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        with self._services.database.read() as log:
            record = log.decision(request.decision_id)
        features = FeaturesRead(self._services.features, record["customer_id"])
        now = self._services.clock()
        with self._services.database.transaction(record["customer_id"]) as log:
            earlier = log.outcome_receipt(idempotency_key)
            if earlier is not None:
                if earlier[0] != digest:
                    raise IdempotencyKeyReused
                return OutcomeReceipt.model_validate(earlier[1]), False
            contact = log.contact(record["contact_id"])
            campaigning, basis = Campaigning(self._services, log, contact.customer_id), self._in_force(log)
            offer = the_offer_made(request.offer_id, record, basis.catalogue)
            if request.answer is Answer.ACCEPTED:
                check_is_first(request.offer_id, log.outcomes_of_decision(request.decision_id))
                heard, person = as_it_stands(log, contact)
                made = request.decision_id, now
                situation = situation_in(log, heard, person, features, (basis.catalogue, basis.policy), made)
                situation, basis = campaigning.treat(situation, basis)
                check_is_allowed(request.offer_id, situation, basis.catalogue, basis.policy)
                count_acceptance(log, basis.catalogue.offer(request.offer_id), now)
            outcome = Outcome(
                outcome_id=new_id("o", now),
                contact_id=contact.contact_id,
                customer_id=contact.customer_id,
                recorded_at=now,
                **request.model_dump(),
            )
            receipt = OutcomeReceipt.model_validate(outcome, from_attributes=True)
            log.add_outcome(outcome, idempotency_key, digest, receipt.model_dump(mode="json"))
            campaigning.answered(offer, request.answer, now)
            if contact.closed_at is None:
                self._decide(campaigning, as_it_stands(log, contact), features, now)
            campaigning.save()
        self._hub.changed(contact.contact_id)
        return receipt, True

    def expose(self, request: ExposureRequest) -> bool:
        """Record that an offer was seen or pitched; returns whether that is news. OfferNotAllowed as for answers."""
        now = self._services.clock()
        with self._services.database.read() as log:
            record = log.decision(request.decision_id)
            the_offer_made(request.offer_id, record, self._services.catalogue.current(log))
        with self._services.database.transaction(record["customer_id"]) as log:
            is_new = log.add_exposure(request.decision_id, request.offer_id, request.stage, now)
            if is_new:
                campaigning = Campaigning(self._services, log, record["customer_id"])
                campaigning.exposed(request.stage, request.offer_id, now)
                campaigning.save()
        return is_new

    def protect(self, customer_id: str, *statements: Statement) -> None:
        """Add statements to the ledger of what protects a customer, and decide anew in each of their open contacts.

        Raises `CustomerNotFound`.
        """
        features, now = FeaturesRead(self._services.features, customer_id), self._services.clock()
        with self._services.database.transaction(customer_id) as log:
            for one in statements:
                log.set_protection(customer_id, one.subject, one)
            live = [one for one in log.contacts_of(customer_id, MOST_LIVE_CONTACTS) if one.closed_at is None]
            for contact in live:
                for one in statements:
                    text = f"{one.subject}: {'yes' if one.value else 'no'}. {one.why or ''}".strip()
                    _note(log, contact, ContactEventType.PROTECTION, now, text=text)
                self._decide(Campaigning(self._services, log, customer_id), as_it_stands(log, contact), features, now)
        for contact in live:
            self._hub.changed(contact.contact_id)

    def push_features(self, customer_id: str) -> None:
        """Bring the customer's interaction features in the online store up to date; best effort."""
        push_features(self._services, customer_id)

    def contact(self, contact_id: str) -> Contact:
        """Return the contact as it is; ContactNotFound when there is none."""
        with self._services.database.read() as log:
            return log.contact(contact_id)

    def view(self, contact_id: str, language: str) -> Json:
        """Return the contact with its customer and latest decision."""
        with self._services.database.read() as log:
            return stored_view(log, log.contact(contact_id), self._services.catalogue.current(log), language)

    def waiting(self, limit: int = 50) -> list[WaitingContact]:
        """Return the contacts nobody has picked up yet, longest waiting first."""
        with self._services.database.read() as log:
            return [in_queue(log, contact) for contact in log.waiting_contacts(limit)]

    def live(self, agent_id: str) -> list[WaitingContact]:
        """Return the open contacts of an agent, oldest first."""
        with self._services.database.read() as log:
            return [in_queue(log, contact) for contact in log.live_contacts(agent_id)]

    def _before(self, contact_id: str) -> tuple[Contact, FeaturesRead, datetime]:
        contact = self.contact(contact_id)
        return contact, FeaturesRead(self._services.features, contact.customer_id), self._services.clock()

    def _decide(
        self,
        campaigning: Campaigning,
        known: tuple[Heard, Person],
        features: FeaturesRead,
        now: datetime,
        sequence: int | None = None,
    ) -> "Decided":
        """Decide for the contact as it now stands, in the arms of its customer's campaigns, and store the record.

        `sequence` is the decision's number in its contact where that is already taken; else the next one is.
        """
        (heard, person), log = known, campaigning.log
        basis = self._in_force(log)
        with stage("gather"):
            made = new_id("d", now), now
            situation = situation_in(log, heard, person, features, (basis.catalogue, basis.policy), made)
        with stage("campaigns"):
            situation, basis = campaigning.treat(situation, basis)
        with stage("decide"):
            decision = basis.decide(situation)
        with stage("record"):
            sequence = sequence or log.next_sequence(heard.contact.contact_id)
            record = make_record(decision, situation, basis, sequence)
            log.add_decision(record, sequence)
            campaigning.recommended(record, now)
            campaigning.save()
        return Decided(heard, person, record, basis.catalogue)

    def _in_force(self, log: EventLog) -> Basis:
        services = self._services
        catalogue, policy = services.catalogue.current(log), services.policy.current(log)
        return Basis(catalogue, policy, services.champion.bundle, services.propensity.model)


@dataclass(frozen=True, slots=True)
class Decided:
    """A contact with the decision that was just made for it."""

    heard: Heard
    person: Person
    record: dict[str, Any]
    catalogue: Catalogue

    def view(self, language: str) -> Json:
        """Return the contact as the API shows it; asked for after the transaction, which others wait for."""
        with stage("view"):
            return contact_view(self.heard, self.person, self.record, self.catalogue, language)


def new_id(prefix: str, now: datetime) -> str:
    """Return an identifier that sorts by time and cannot be guessed: prefix, milliseconds, 64 random bits."""
    return f"{prefix}-{int(now.timestamp() * 1000):011x}-{secrets.token_hex(8)}"


def _continued(contact: Contact, earlier: Contact) -> Contact:
    if earlier.customer_id != contact.customer_id:
        raise ContactNotFound(earlier.contact_id)
    return replace(
        contact,
        reason=contact.reason if contact.reason is not None else earlier.reason,
        sentiment=contact.sentiment if contact.sentiment is not None else earlier.sentiment,
        is_complaint=contact.is_complaint or earlier.is_complaint,
    )


def _still_open(log: EventLog, contact_id: str) -> Contact:
    contact = log.contact(contact_id)
    if contact.closed_at is not None:
        raise ContactClosed(contact_id)
    return contact


def _note(log: EventLog, contact: Contact, kind: ContactEventType, now: datetime, **facts: Any) -> None:
    sequence = log.next_sequence(contact.contact_id)
    log.add_contact_event(ContactEvent(contact.contact_id, sequence, kind, now, **facts))

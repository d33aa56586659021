"""A contact from beginning to end: opened, decided for, heard, answered, handed over, closed.

Every method is one transaction under the customer's lock, and its moment is read inside it: what it reads,
decides and records belongs together, so two channels can never together break a cap. Features are read
before it (they may be stale), streams are woken after it. What a method made once, it gives again for a
request that is sent again under its key.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recsys.catalogue import Catalogue
from recsys.domain.contact import Contact, ContactEvent, ContactEventType
from recsys.domain.decision import Situation
from recsys.domain.errors import (
    ContactClosed,
    ContactNotFound,
    ContactTaken,
    IdempotencyKeyReused,
)
from recsys.domain.outcome import Answer, Outcome
from recsys.domain.protection import Statement
from recsys.storage.decision_log import OpenList
from recsys.storage.event_log import EventLog
from serving.basis import Basis
from serving.contacts.answering import check_acceptance, check_is_open, count_acceptance, the_offer_made, without
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
    features_of,
    made_known,
    push_features,
    reserved_since,
    situation_in,
    without_dropped,
)
from serving.contacts.views import Json, contact_view, in_queue, stored_view
from serving.decisions.record import make_record
from serving.features_missing import MISSING
from serving.idempotency import JUST_DO_IT, Once
from serving.live_hub import LiveHub
from serving.own_questions import asking_first
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

    @asking_first
    def open(self, request: OpenContact, language: str, once: Once = JUST_DO_IT) -> Json:
        """Open a contact and decide for it; an unknown customer is served as a prospect.

        A contact that this one continues is over.
        """
        features = features_of(self._services, request.customer_id)
        with self._services.database.transaction(request.customer_id) as log:
            now = self._services.clock()
            if made := once.begin(log, now):
                return self._as_stored(log, log.contact(made["contact_id"]), language, now)
            words = self._services.policy.current(log).words
            spoken = {
                "channel": channel_named(request.channel, words),
                "reason": need_named(request.reason, words),
                "is_complaint": words.is_complaint(request.reason),
            }
            contact = Contact(contact_id=new_id("c", now), opened_at=now, **request.model_dump() | spoken)
            campaigning = Campaigning(self._services, log, contact.customer_id)
            if request.continues is not None:
                contact = self._continue(campaigning, contact, log.contact(request.continues))
            with stage("gather"):
                person = made_known(log, request.customer_id, now)
            log.add_contact(contact, last_sequence=FIRST)
            person = replace(person, contacts=(contact, *person.contacts)[:RECENT_CONTACTS])
            decided = self._decide(campaigning, (Heard(contact), person), features, now, FIRST)
            once.end(log, contact_id=contact.contact_id)
        if request.continues is not None:
            self._hub.changed(request.continues)
        return decided.view(language)  # nobody can follow the contact yet, so nobody is told

    @asking_first
    def add_event(self, contact_id: str, event: NewContactEvent, language: str, once: Once = JUST_DO_IT) -> Json:
        """Record what was heard and decide anew; ContactClosed once the contact has ended."""
        contact, features = self._before(contact_id)
        with self._services.database.transaction(contact.customer_id) as log:
            now = self._services.clock()
            if made := once.begin(log, now):
                return self._as_stored(log, contact, language, now, made["decision_id"])
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
            decided = self._decide(campaigning, as_it_stands(log, contact, now), features, now)
            once.end(log, decision_id=decided.record["decision_id"])
        self._hub.changed(contact_id)
        return decided.view(language)

    def pick_up(self, contact_id: str, agent_id: str, language: str, once: Once = JUST_DO_IT) -> Json:
        """Give a waiting contact to an agent; ContactTaken when another one was quicker."""
        return self.hand_off(contact_id, HandOff(agent_id=agent_id), language, once, only_if_waiting=True)

    @asking_first
    def hand_off(
        self,
        contact_id: str,
        request: HandOff,
        language: str,
        once: Once = JUST_DO_IT,
        *,
        only_if_waiting: bool = False,
    ) -> Json:
        """Give the contact, with its whole context, to an agent, perhaps on another channel."""
        contact, features = self._before(contact_id)
        with self._services.database.transaction(contact.customer_id) as log:
            now = self._services.clock()
            if once.begin(log, now):
                return self._as_stored(log, log.contact(contact_id), language, now)
            contact = _still_open(log, contact_id)
            if only_if_waiting and contact.agent_id not in (None, request.agent_id):
                raise ContactTaken
            words = self._services.policy.current(log).words
            channel = channel_named(request.channel, words) if request.channel else contact.channel
            contact = replace(contact, agent_id=request.agent_id, channel=channel)
            log.set_contact(contact)
            _note(log, contact, ContactEventType.HANDOFF, now, text=request.note, agent_id=request.agent_id)
            campaigning = Campaigning(self._services, log, contact.customer_id)
            decided = self._decide(campaigning, as_it_stands(log, contact, now), features, now)
            once.end(log, contact_id=contact_id)
        self._hub.changed(contact_id)
        return decided.view(language)

    def close(self, contact_id: str, request: CloseContact, language: str) -> Json:
        """End the contact; closing it again changes nothing.

        How satisfied the customer was holds for the whole conversation: for what this contact continues, too.
        """
        contact = self.contact(contact_id)
        with self._services.database.transaction(contact.customer_id) as log:
            now = self._services.clock()
            contact = log.contact(contact_id)
            if contact.closed_at is None:
                campaigning = Campaigning(self._services, log, contact.customer_id)
                contact = replace(contact, closed_at=now, csat=request.csat)
                _end(campaigning, contact, ContactEventType.CLOSED, request.summary)
                campaigning.save()
                _rate_earlier(log, contact)
            view = self._as_stored(log, contact, language, now)
        self._hub.changed(contact_id)
        return view

    @asking_first
    def answer(self, request: AnswerRequest, idempotency_key: str) -> tuple[OutcomeReceipt, bool]:
        """Record an answer once and decide anew; returns the receipt and whether it is a new one.

        Raises OfferNotAllowed when the decision did not make the offer, or when permission or a cap no longer
        allows an acceptance; AlreadyAnswered, ContactClosed and DisclosureNotRead as `answering` says;
        IdempotencyKeyReused when the key came with another body.
        """
        digest = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        with self._services.database.read() as log:
            record = log.decision(request.decision_id)
        features = features_of(self._services, record["customer_id"])
        with self._services.database.transaction(record["customer_id"]) as log:
            now = self._services.clock()
            earlier = log.outcome_receipt(idempotency_key)
            if earlier is not None:
                if earlier[0] != digest:
                    raise IdempotencyKeyReused
                return OutcomeReceipt.model_validate(earlier[1]), False
            contact = log.contact(record["contact_id"])
            campaigning, basis = Campaigning(self._services, log, contact.customer_id), self._in_force(log, now)
            offer = the_offer_made(request.offer_id, record, basis.catalogue)
            given = log.answers_given(request.decision_id, request.offer_id)
            put_off = check_is_open(request.answer, given, contact, basis.policy, now)
            lists = log.open_lists(contact.customer_id, reserved_since(basis.policy, now))
            others = [one.contact_id for one in lists if one.contact_id != contact.contact_id]
            if request.answer is Answer.ACCEPTED:
                situation, basis = self._situation_now(campaigning, contact, features, basis, now)
                situation = without(situation, put_off, request.offer_id)
                check_acceptance(request, (record, offer), situation, basis)
                count_acceptance(log, basis.catalogue.offer(request.offer_id), now)
            receipt = _keep_answer(log, request, contact, now, (idempotency_key, digest))
            campaigning.answered(offer, request.answer, now)
            again = [] if _was_reserved(request, contact, lists) else others
            for one in [contact.contact_id] * (contact.closed_at is None) + again:
                self._decide(campaigning, as_it_stands(log, log.contact(one), now), features, now)
            campaigning.save()
        for one in (contact.contact_id, *again):
            self._hub.changed(one)
        return receipt, True

    def expose(self, request: ExposureRequest) -> bool:
        """Record that an offer was seen or pitched; returns whether that is news. OfferNotAllowed as for answers.

        After the end of the contact it changes nothing: pages tell it by themselves, some of them late.
        """
        with self._services.database.read() as log:
            record = log.decision(request.decision_id)
            the_offer_made(request.offer_id, record, self._services.catalogue.current(log))
        with self._services.database.transaction(record["customer_id"]) as log:
            now = self._services.clock()
            if log.contact(record["contact_id"]).closed_at is not None:
                return False
            is_new = log.add_exposure(request.decision_id, request.offer_id, request.stage, now)
            if is_new:
                campaigning = Campaigning(self._services, log, record["customer_id"])
                campaigning.exposed(request.stage, request.offer_id, now)
                campaigning.save()
        return is_new

    @asking_first
    def protect(self, customer_id: str, *statements: Statement, once: Once = JUST_DO_IT) -> None:
        """Add statements to the ledger of what protects a customer, and decide anew in each of their open contacts.

        Raises `CustomerNotFound`.
        """
        features = features_of(self._services, customer_id)
        with self._services.database.transaction(customer_id) as log:
            now = self._services.clock()
            if once.begin(log, now) is not None:
                return
            for one in statements:
                log.set_protection(customer_id, one.subject, one)
            live = [one for one in log.contacts_of(customer_id, MOST_LIVE_CONTACTS) if one.closed_at is None]
            for contact in live:
                for one in statements:
                    text = f"{one.subject}: {'yes' if one.value else 'no'}. {one.why or ''}".strip()
                    _note(log, contact, ContactEventType.PROTECTION, now, text=text)
                campaigning = Campaigning(self._services, log, customer_id)
                self._decide(campaigning, as_it_stands(log, contact, now), features, now)
            once.end(log, customer_id=customer_id)
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
            return self._as_stored(log, log.contact(contact_id), language, self._services.clock())

    def waiting(self, limit: int = 50) -> list[WaitingContact]:
        """Return the contacts nobody has picked up yet, longest waiting first."""
        with self._services.database.read() as log:
            return [in_queue(log, contact) for contact in log.waiting_contacts(limit)]

    def live(self, agent_id: str) -> list[WaitingContact]:
        """Return the open contacts of an agent, oldest first."""
        with self._services.database.read() as log:
            return [in_queue(log, contact) for contact in log.live_contacts(agent_id)]

    def _before(self, contact_id: str) -> tuple[Contact, FeaturesRead]:
        contact = self.contact(contact_id)
        return contact, features_of(self._services, contact.customer_id)

    def _as_stored(
        self, log: EventLog, contact: Contact, language: str, now: datetime, decision_id: str | None = None
    ) -> Json:
        """Return the contact as the event log has it, with its latest decision or the one that is named."""
        catalogue = self._services.catalogue.current(log)
        return stored_view(log, contact, catalogue, language, now, decision_id)

    def _continue(self, campaigning: Campaigning, contact: Contact, earlier: Contact) -> Contact:
        """Return the contact as it goes on from an earlier one, which is over: a conversation has one list."""
        if earlier.customer_id != contact.customer_id:
            raise ContactNotFound(earlier.contact_id)
        if earlier.closed_at is None:
            over = replace(earlier, closed_at=contact.opened_at)
            _end(campaigning, over, ContactEventType.CONTINUED, contact.contact_id)
        return replace(
            contact,
            reason=contact.reason if contact.reason is not None else earlier.reason,
            sentiment=contact.sentiment if contact.sentiment is not None else earlier.sentiment,
            is_complaint=contact.is_complaint or earlier.is_complaint,
        )

    def _situation_now(
        self, campaigning: Campaigning, contact: Contact, features: FeaturesRead, basis: Basis, now: datetime
    ) -> tuple[Situation, Basis]:
        """Return the contact's situation and the basis to judge it on, in the arms of its customer's campaigns."""
        heard, person = as_it_stands(campaigning.log, contact, now)
        made = new_id("d", now), now
        rules = basis.catalogue, basis.policy
        return campaigning.treat(situation_in(campaigning.log, heard, person, features, rules, made), basis)

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
        basis = self._in_force(log, now)
        with stage("gather"):
            made = new_id("d", now), now
            situation = situation_in(log, heard, person, features, (basis.catalogue, basis.policy), made)
        with stage("campaigns"):
            situation, basis = campaigning.treat(situation, basis)
            situation = without_dropped(situation, features.dropped, basis)
        with stage("decide"):
            decision = basis.decide(situation)
        with stage("record"):
            sequence = sequence or log.next_sequence(heard.contact.contact_id)
            record = make_record(decision, situation, basis, sequence)
            log.add_decision(record, sequence)
            self._services.evidence.keep(log, basis.evidence, now)
            campaigning.recommended(record, now)
            campaigning.save()
        for view in situation.features_missing:
            MISSING.labels(view).inc()
        return Decided(heard, person, record, basis.catalogue)

    def _in_force(self, log: EventLog, now: datetime) -> Basis:
        services = self._services
        catalogue, policy = services.catalogue.current(log), services.policy.current(log)
        pair = services.champion.pair
        evidence = services.evidence.current(log, catalogue.table.offer_ids, now)
        return Basis(catalogue, policy, pair.relevance, pair.propensity, evidence=evidence)


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


def _still_open(log: EventLog, contact_id: str) -> Contact:
    contact = log.contact(contact_id)
    if contact.closed_at is not None:
        raise ContactClosed(contact_id)
    return contact


def _note(log: EventLog, contact: Contact, kind: ContactEventType, now: datetime, **facts: Any) -> None:
    sequence = log.next_sequence(contact.contact_id)
    log.add_contact_event(ContactEvent(contact.contact_id, sequence, kind, now, **facts))


def _end(campaigning: Campaigning, contact: Contact, kind: ContactEventType, text: str | None) -> None:
    """Save a contact that has ended, with the event that says why, and what campaigns measure of it."""
    log = campaigning.log
    log.set_contact(contact)
    assert contact.closed_at is not None
    _note(log, contact, kind, contact.closed_at, text=text)
    campaigning.closed(contact, log.contact_events(contact.contact_id))


def _rate_earlier(log: EventLog, contact: Contact) -> None:
    """Give the satisfaction at the end of a conversation to the contacts it went on from, which were not asked."""
    rated = contact.csat
    while rated is not None and contact.continues is not None:
        contact = log.contact(contact.continues)
        if contact.csat is not None:
            return
        log.set_contact(replace(contact, csat=rated))


def _keep_answer(
    log: EventLog, request: AnswerRequest, contact: Contact, now: datetime, key_and_digest: tuple[str, str]
) -> OutcomeReceipt:
    outcome = Outcome(
        outcome_id=new_id("o", now),
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        recorded_at=now,
        **request.model_dump(),
    )
    receipt = OutcomeReceipt.model_validate(outcome, from_attributes=True)
    log.add_outcome(outcome, *key_and_digest, receipt.model_dump(mode="json"))
    return receipt


def _was_reserved(request: AnswerRequest, contact: Contact, lists: Sequence[OpenList]) -> bool:
    """Return whether the answer takes no more room than the contact's own list did, so that other lists can stay.

    An acceptance was checked against them. A refusal of what stood on an older list is a fact all the same, and
    then the other lists have to make room.
    """
    if request.answer in (Answer.ACCEPTED, Answer.NOT_PITCHED):
        return True
    return any(one.contact_id == contact.contact_id and request.offer_id in one.offer_ids for one in lists)

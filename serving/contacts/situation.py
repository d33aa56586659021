"""Gathers everything known about a customer in a contact from the event log and the feature store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from features.from_events import CONTACT_SETTLES, interaction_features, may_have_changed, with_ages
from recsys.catalogue import Catalogue
from recsys.domain.contact import Contact, ContactEvent, ContactEventType, Intent
from recsys.domain.customer import AttributeValue, Customer, CustomerKind
from recsys.domain.decision import Situation
from recsys.domain.errors import CustomerNotFound, FeaturesUnavailable
from recsys.domain.facts import customer_facts
from recsys.domain.interaction import HistoryRow, Interaction
from recsys.domain.outcome import PastAnswer
from recsys.domain.policy import Policy
from recsys.domain.protection import UNREADABLE, Statement
from recsys.domain.vocabulary import COMPLAINT, UNKNOWN_CHANNEL
from recsys.interactions.served_history import COUNTED, history_row, is_whole
from recsys.ranking.people import AS_THE_POLICY_SAYS, microseconds
from recsys.ranking.permission import complaint_ends
from recsys.storage.event_log import EventLog
from serving.basis import Basis
from serving.features_missing import FEATURES_MISSING, FEATURES_UNAVAILABLE
from serving.own_in_force import OwnRead, read_by
from serving.own_questions import NotAskedYet, told_so_far
from serving.timing import stage
from serving.wiring import FeaturesInService, Services

if TYPE_CHECKING:
    from features.gateway import OnlineFeatures

OLDEST = datetime(1970, 1, 1, tzinfo=UTC)
RECENT_CONTACTS = 8
_MOST_CONTACTS = 1_000


class FeaturesRead:
    """The customer's online features, or why there are none: ranking may be stale, never in the way."""

    def __init__(self, features: FeaturesInService, customer_id: str) -> None:
        self.values: Mapping[str, AttributeValue] = {}
        self.age_seconds: float | None = None
        self.degraded_reasons: tuple[str, ...] = ()
        self._online: OnlineFeatures | None = None
        self._own = features.own
        self._told = told_so_far()
        self.dropped: frozenset[str] = frozenset()
        try:
            with stage("features"):
                self._online = features.gateway.read_online(customer_id)
            self.values, self.age_seconds = self._online.values, self._online.age_seconds
        except FeaturesUnavailable:
            self.degraded_reasons = (FEATURES_UNAVAILABLE,)

    @property
    def names_functions(self) -> bool:
        """Whether the bank had features of its own when the store was filled: perhaps functions among them."""
        return self._online is not None and self._online.marker is not None and self._online.marker.own is not None

    def of_events(
        self, log: EventLog, person: "Person", history: HistoryRow | None, now: datetime
    ) -> tuple[Mapping[str, AttributeValue], float | None]:
        """Return what the customer's events say, and how old that is in seconds.

        That is what was served, unless something has happened, settled or left its window since, or came late: then
        the log says it, by the same definitions as the tables that models learn from. `history` is the served row, None
        where the log knows of other events before it.
        """
        online = self._online
        if online is None or online.known_at is None:
            return self.values, self.age_seconds
        contacts = person.contacts
        if len(contacts) >= RECENT_CONTACTS:
            contacts = log.contacts_of(person.customer.customer_id, _MOST_CONTACTS)
        is_late = online.history is not None and history is None
        if is_late or may_have_changed(person.history, person.answers, contacts, online.known_at, now):
            return with_ages(interaction_features(person.history, person.answers, contacts, now), now), 0.0
        return self.values, self.age_seconds

    def history(self, person: "Person", now: datetime) -> HistoryRow | None:
        """Return the row of the customer's history, where the event log knows of no other events before it."""
        row = self._online.history if self._online else None
        return row if row is not None and is_whole(row, person.history, now) else None

    def profile(self, person: "Person") -> Mapping[str, AttributeValue] | None:
        """Return the customer's facts, where no import has told the event log of others since they were written."""
        online = self._online
        if online is None or online.profile is None or online.marker is None or online.marker.facts_version is None:
            return None
        return online.profile if person.facts_version <= online.marker.facts_version else None

    def ask_ahead(self, log: EventLog, customer_id: str, now: datetime) -> NotAskedYet | None:
        """Return what the bank's functions will be asked, as far as the event log knows the customer now."""
        marker = self._online.marker if self._online else None
        if self._told or not self._own.has_functions(log, marker):
            return None
        try:
            person = look_up(log, customer_id, now)
        except CustomerNotFound:
            person = Person(Customer(customer_id, kind=CustomerKind.PROSPECT))
        try:
            self.own(log, person, self.of_events(log, person, self.history(person, now), now)[0])
        except NotAskedYet as one:
            return one
        return None

    def own(self, log: EventLog, person: "Person", of_events: Mapping[str, AttributeValue]) -> OwnRead:
        """Return what the bank's own features say, and what follows from them and what else is known."""
        online = self._online
        facts = self.profile(person)
        known = {**(customer_facts(person.customer) if facts is None else facts), **of_events}
        found = self._own.read(log, online.marker if online else None, online.own if online else {}, known, self._told)
        self.dropped = found.dropped
        return found

    def missing(self, person: "Person", history: HistoryRow | None, since: datetime) -> tuple[str, ...]:
        """Return the views that should say something of the customer and do not, as far as the event log knows.

        What happened from `since` on, when the contact was opened, is not expected there yet. Somebody of whom
        nothing is known is not missing. A `history` that cannot be used is as good as none.
        """
        online, customer = self._online, person.customer
        if online is None:
            return ()
        facts = (customer.segment, customer.language, customer.risk_level)
        events = [event for event in person.history if event.occurred_at < since]
        answers = any(past.answered_at < since for past in person.answers)
        contacts = any(contact.opened_at + CONTACT_SETTLES <= since for contact in person.contacts)
        expected = {
            "customer_profile": online.profile is None and (customer.attributes or facts != (None, None, None)),
            "customer_interactions": online.age_seconds is None and (events or answers or contacts),
            "customer_history": history is None
            and (online.history is not None or any(event.kind in COUNTED for event in events)),
        }
        is_known = bool(customer.attributes or facts != (None, None, None) or events or answers or contacts)
        expected |= {view: row is None and is_known for view, row in online.own.items()}
        return tuple(view for view, is_missing in expected.items() if is_missing)


def features_of(services: Services, customer_id: str) -> FeaturesRead:
    """Read the customer's features before the transaction that decides, and ask the bank's functions for theirs."""
    found = FeaturesRead(services.features, customer_id)
    if found.names_functions:
        with services.database.read() as log:
            question = found.ask_ahead(log, customer_id, services.clock())
        if question is not None:
            told_so_far().ask(question)
    return found


def push_features(services: Services, customer_id: str) -> None:
    """Bring the customer's interaction features in the online store up to date; best effort."""
    now = services.clock()
    with services.database.read() as log:
        history = log.history(customer_id, now)
        answers = log.answers(customer_id, OLDEST, now)
        contacts = log.contacts_of(customer_id, _MOST_CONTACTS)
    try:
        row = interaction_features(history, answers, contacts, now)
        services.features.gateway.push(customer_id, row, history_row(history, now), now)
    except FeaturesUnavailable:
        return


@dataclass(frozen=True, slots=True)
class Person:
    """What the event log knows of a customer, read once a transaction; `contacts` are the latest, newest first."""

    customer: Customer
    history: tuple[Interaction, ...] = ()
    answers: tuple[PastAnswer, ...] = ()
    contacts: tuple[Contact, ...] = ()
    open_complaint_since: datetime | None = None
    facts_version: int = 0


def look_up(log: EventLog, customer_id: str, now: datetime) -> Person:
    """Return what is known of the customer, without what is dated later; raises `CustomerNotFound`."""
    customer, complaint, facts_version = log.customer_as_known(customer_id)
    return Person(
        customer=customer,
        history=log.history(customer_id, now),
        answers=log.answers(customer_id, OLDEST, now),
        contacts=log.contacts_of(customer_id, RECENT_CONTACTS),
        open_complaint_since=complaint,
        facts_version=facts_version,
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """A contact as it stands, and everything that happened in it."""

    contact: Contact
    events: tuple[ContactEvent, ...] = ()


def as_it_stands(log: EventLog, contact: Contact, now: datetime) -> tuple[Heard, Person]:
    """Return what happened in the contact so far, and what is known of its customer."""
    return Heard(contact, log.contact_events(contact.contact_id)), look_up(log, contact.customer_id, now)


def made_known(log: EventLog, customer_id: str, now: datetime) -> Person:
    """Return what is known of the customer, who becomes a prospect when nobody has heard of them."""
    try:
        return look_up(log, customer_id, now)
    except CustomerNotFound:
        prospect = Customer(customer_id, kind=CustomerKind.PROSPECT)
        log.add_customer(prospect, now)
        if known := log.customers_alike(customer_id):  # perhaps one of them, with what protects them
            why = f"nothing is known of this id, and it looks like {', '.join(known)}"
            log.add_statement(customer_id, Statement(UNREADABLE, True, now, now, "contact", why=why))
            prospect = replace(prospect, flags=frozenset({UNREADABLE}))
        return Person(prospect)


def situation_in(
    log: EventLog, heard: Heard, person: Person, features: FeaturesRead,
    rules: tuple[Catalogue, Policy], made: tuple[str, datetime],
) -> Situation:  # fmt: skip
    """Return the situation of this contact inside the open transaction, for the decision `made` (its id, now)."""
    (catalogue, policy), (decision_id, now) = rules, made
    capped = [catalogue.table.offer_ids[column] for column in catalogue.table.capped]
    intents = heard_intents(heard)
    since, days = lasting_complaint(log, person, policy)
    elsewhere = _offered_elsewhere(log, heard.contact, person, reserved_since(policy, now))
    served = features.history(person, now)
    of_events, age_seconds = features.of_events(log, person, served, now)
    own = features.own(log, person, of_events)
    missing = (*features.missing(person, served, heard.contact.opened_at), *own.failed)
    return Situation(
        decision_id=decision_id,
        made_at=now,
        customer=person.customer,
        contact=heard.contact,
        intents=intents,
        history=person.history,
        answers=with_known_channels(person.answers, policy),
        is_complaint=heard.contact.is_complaint or any(intent.name == COMPLAINT for intent in intents),
        open_complaint_since=since,
        complaint_days=days,
        offered_elsewhere=frozenset(elsewhere),
        elsewhere_channels=elsewhere,
        acceptances=log.acceptances(capped, log.calendar.day_of(now)) if capped else {},
        features=of_events,
        feature_age_seconds=age_seconds,
        degraded_reasons=(*features.degraded_reasons, *([FEATURES_MISSING] if missing else [])),
        served=served,
        profile=features.profile(person),
        features_missing=missing,
        own=own.values,
        own_code=own.code,
        unread=own.unread,
    )


def without_dropped(situation: Situation, dropped: frozenset[str], basis: Basis) -> Situation:
    """Return the situation, which says so where a model or a rule reads features that are served no more."""
    lacking = sorted(dropped & read_by(basis.catalogue, basis.model, basis.propensity)) if dropped else []
    if not lacking:
        return situation
    reasons = dict.fromkeys((*situation.degraded_reasons, FEATURES_MISSING))
    missing = (*situation.features_missing, *lacking)
    return replace(situation, degraded_reasons=tuple(reasons), features_missing=missing)


def reserved_since(policy: Policy, now: datetime) -> datetime:
    """Return the moment after which a list must have been made to count as made for the customer's other contacts."""
    return now - timedelta(hours=policy.elsewhere_hours)


def _offered_elsewhere(log: EventLog, contact: Contact, person: Person, since: datetime) -> dict[str, str]:
    """Return offer → channel of what stands on this customer's other open lists, whoever holds them, if anybody does.

    What stands on lists of several channels counts on every one.
    """
    known = person.contacts
    if len(known) < RECENT_CONTACTS and all(one.closed_at or one.contact_id == contact.contact_id for one in known):
        return {}
    found: dict[str, str] = {}
    for other in log.open_lists(contact.customer_id, since):
        if other.contact_id != contact.contact_id:
            for one in other.offer_ids:
                found[one] = other.channel if found.get(one, other.channel) == other.channel else UNKNOWN_CHANNEL
    return dict(sorted(found.items()))


def heard_intents(heard: Heard) -> tuple[Intent, ...]:
    """Return the intents of this contact: its reason first, then each one heard, the latest of a name counting."""
    reason = heard.contact.reason
    found = {reason: Intent(reason)} if reason else {}
    for event in heard.events:
        if event.type is ContactEventType.INTENT and event.intent:
            found[event.intent] = Intent(event.intent, event.confidence)
    return tuple(found.values())


def lasting_complaint(log: EventLog, person: Person, policy: Policy) -> tuple[datetime | None, int | None]:
    """Return when the customer's open complaint began that counts longest, and for how many days (None: the policy's).

    Nearly nobody has one: the log is asked again only for who has.
    """
    if person.open_complaint_since is None:
        return None, None
    found = [
        (since, policy.words.complaint_days(reason or ""))
        for since, reason in log.open_complaints_of(person.customer.customer_id)
    ]

    def ends(complaint: tuple[datetime, int | None]) -> int:
        began, days = complaint
        return int(complaint_ends(microseconds(began), AS_THE_POLICY_SAYS if days is None else days, policy))

    return max(found, key=ends)


def with_known_channels(answers: tuple[PastAnswer, ...], policy: Policy) -> tuple[PastAnswer, ...]:
    """Return the answers with their channels by name; a word that stands for none counts on every channel."""
    words = policy.words
    if all(past.channel is None or past.channel in words.channels for past in answers):
        return answers
    return tuple(replace(past, channel=words.channel_or_unknown(past.channel)) for past in answers)

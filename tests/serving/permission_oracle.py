"""A naive second opinion on permission: replays an event log in commit order and names everything it forbids.

It is written from the policy's documented meaning and asks nothing of the ranking or of the service.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tests.serving.permission_journal import COMMIT, Row, journal_of

_OTHER_CODES = {"contact_cap", "not_called_for", "below_threshold", "ranked_lower", "made_room", "withheld"}
"""Codes that are no matter of the single offer, or of rank."""
_VOLUMES = {"sold out", "sold out today"}


class _Answer(NamedTuple):
    """What was answered when; `decision_id` None: imported."""

    at: datetime
    offer_id: str
    said: str
    channel: str | None
    decision_id: str | None


class _List(NamedTuple):
    """What a decision put on a contact's list, and its number among all lines."""

    made_at: datetime
    number: int
    offer_ids: list[str]


@dataclass
class _Person:
    row: Row
    consents: dict[str, bool] = field(default_factory=dict)
    contacts: dict[str, Row] = field(default_factory=dict)
    intents: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    lists: dict[str, _List] = field(default_factory=dict)
    did: list[tuple[datetime, str, str, bool]] = field(default_factory=list)
    """(when, offer, kind, whether it is imported)."""
    answers: list[_Answer] = field(default_factory=list)
    given: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """What was answered to (decision, offer)."""
    accepted: dict[str, int] = field(default_factory=dict)
    """Offer → number of the line of its last acceptance."""


class Oracle:
    """What the log says so far, and what was found wrong: kind of violation → where.

    `instants` counts the commits after which lists were open that could be accepted. Where transactions run side by
    side (`is_serial` False) a decision may have read the volume that everybody used before another one is added.
    """

    def __init__(self, is_serial: bool = True) -> None:
        self.violations: dict[str, list[str]] = defaultdict(list)
        self.decisions = self.shown = self.instants = 0
        self.accepted: Counter[str] = Counter()
        self.accepted_on: Counter[tuple[str, str]] = Counter()
        self._is_serial = is_serial
        self._number = self._rules_changed = 0
        self._people: dict[str, _Person] = {}
        self._owner: dict[str, str] = {}
        self._made: dict[str, tuple[int, set[str]]] = {}
        """Decision → the number of its line, and the offers with a text that must be read out."""
        self._offers: dict[str, Row] = {}
        self._versions = {"catalogue": "", "policy": ""}
        self._policy: Row = {}

    def replay(self, url: str) -> "Oracle":
        """Judge everything in the journal of the database at `url`."""
        touched: dict[int, dict[str, datetime]] = defaultdict(dict)
        for self._number, (tx, kind, row, record) in enumerate(journal_of(url), 1):
            if kind == COMMIT:
                for customer_id, at in touched.pop(tx, {}).items():
                    self._could_accept(customer_id, at)
                continue
            if kind == "decisions":
                self._made[row["decision_id"]] = self._number, _to_be_read(record["offers"])
                self._judge(row, [offer["offer_id"] for offer in record["offers"]], record["held_back"])
            else:
                getattr(self, f"_{kind}")(row)
            if moment := row.get("made_at") or row.get("recorded_at" if kind == "outcomes" else ""):
                touched[tx][row["customer_id"]] = _moment(moment)
        return self

    def _customers(self, row: Row) -> None:
        if row["customer_id"] in self._people:
            self._people[row["customer_id"]].row = row
        else:
            self._people[row["customer_id"]] = _Person(row)

    def _protections(self, row: Row) -> None:
        self._people[row["customer_id"]].consents[row["subject"]] = bool(row["value"])

    def _contacts(self, row: Row) -> None:
        self._owner[row["contact_id"]] = row["customer_id"]
        self._people[row["customer_id"]].contacts[row["contact_id"]] = row

    def _contact_events(self, row: Row) -> None:
        if row["type"] == "intent":
            self._people[self._owner[row["contact_id"]]].intents[row["contact_id"]].add(row["intent"])

    def _interactions(self, row: Row) -> None:
        person, at = self._people[row["customer_id"]], _moment(row["occurred_at"])
        person.did.append((at, row["offer_id"], row["kind"], row["outcome_id"] is None))
        if row["kind"] == "declined" and row["outcome_id"] is None:
            person.answers.append(_Answer(at, row["offer_id"], "declined", row["channel"], None))

    def _catalogue_versions(self, row: Row) -> None:
        self._offers = {offer["offer_id"]: offer for offer in json.loads(row["offers"])}
        self._versions["catalogue"], self._rules_changed = row["version"], self._number

    def _policy_versions(self, row: Row) -> None:
        self._policy, self._versions["policy"] = json.loads(row["numbers"]), row["version"]
        self._rules_changed = self._number

    def _outcomes(self, row: Row) -> None:
        person, at, offer_id = self._people[row["customer_id"]], _moment(row["recorded_at"]), row["offer_id"]
        contact, asked = person.contacts[row["contact_id"]], (row["decision_id"], offer_id)
        before = person.given[asked]
        takes_up = [past for past in person.answers if past.decision_id == row["decision_id"]
                    and past.offer_id == offer_id and past.said == "later"]  # fmt: skip
        found = []
        if before and not (before == ["later"] and row["answer"] == "accepted"):
            found.append("answered: twice")
        if contact["closed_at"] and not takes_up:
            found.append("answered: after the end of the contact")
        if takes_up and at - takes_up[0].at >= timedelta(days=self._policy["later_accept_days"]):
            found.append("accepted: too long after it was put off")
        if row["answer"] == "accepted":
            person.answers = [past for past in person.answers if past not in takes_up]
            number, to_be_read = self._made[row["decision_id"]]
            if offer_id in to_be_read and not row["disclosure_read"]:
                found.append("accepted: without what must be read out")
            if person.accepted.get(offer_id, 0) > number:
                found.append("accepted: once more through an older decision")
            found += [f"accepted: {code}" for code in self._never(person, contact, offer_id, at)]
            found += [f"accepted: {code}" for code in self._no_room(person, contact, offer_id, at)]
            person.accepted[offer_id] = self._number
            self.accepted[offer_id] += 1
            self.accepted_on[offer_id, at.date().isoformat()] += 1
        for code in found:
            self.violations[code].append(row["outcome_id"])
        before.append(row["answer"])
        person.answers.append(_Answer(at, offer_id, row["answer"], contact["channel"], row["decision_id"]))

    def _no_room(self, person: _Person, contact: Row, offer_id: str, at: datetime) -> Iterator[str]:
        """Yield the caps that one more sale would break beside what the other open contacts have on their lists."""
        if self._is_sale(offer_id):
            lists = [*self._open_lists(person, at, but=contact["contact_id"]), (contact, [offer_id])]
            yield from self._over(person, lists, at, (offer_id, contact["channel"]))

    def _could_accept(self, customer_id: str, at: datetime) -> None:
        """Judge what this customer could accept on all lists together, as the log stands at a commit.

        Lists from before the rules changed, or before an import told of a refusal, are checked at the acceptance only.
        """
        person = self._people[customer_id]
        lists = self._open_lists(person, at)
        if not lists:
            return
        of = [person.lists[contact["contact_id"]] for contact, _ in lists]
        oldest = min(one.made_at for one in of)
        told = any(past.decision_id is None and oldest < past.at <= at for past in person.answers)
        if min(one.number for one in of) < self._rules_changed or told:
            return
        self.instants += 1
        for code in self._over(person, lists, at):
            self.violations[f"could be accepted: {code}"].append(f"{customer_id} {at}")

    def _open_lists(self, person: _Person, at: datetime, but: str | None = None) -> list[tuple[Row, list[str]]]:
        """Return (contact, the sales on it) of every list that can be answered in an open contact."""
        since = at - timedelta(hours=self._policy["elsewhere_hours"])
        found = (
            (contact, [one for one in person.lists[name].offer_ids if self._is_sale(one)])
            for name, contact in person.contacts.items()
            if name != but and contact["closed_at"] is None and name in person.lists
            and person.lists[name].made_at > since
        )  # fmt: skip
        return [(contact, sales) for contact, sales in found if sales]

    def _over(
        self, person: _Person, lists: list[tuple[Row, list[str]]], at: datetime, sale: tuple[str, str] | None = None
    ) -> Iterator[str]:
        """Yield the caps that what was heard and what stands on these lists break together.

        With a `sale` (offer, channel), which is on them, those that it has a part in: what else is on a list may have
        been put there by other rules, under which it can no longer be accepted.
        """
        listed = [(one, contact["channel"]) for contact, sales in lists for one in sales]
        asked = listed if sale is None else [sale]

        def heard(window: str) -> list[tuple[str, str | None]]:
            past = [(one.offer_id, one.channel) for one in self._pitched(person, window, at)]
            return [one for one in past if self._is_sale(one[0])] + listed

        if len(heard("sales_cap_days")) > self._policy["sales_cap"]:
            yield "over the cap on sales"
        here = Counter(channel for _, channel in heard("channel_cap_days"))
        if any(here[channel] > self._policy["channel_cap"] for _, channel in asked):
            yield "over the cap of the channel"
        kin = Counter(self._family(one) for one, _ in heard("family_cap_days") if one in self._offers)
        if any(kin[self._family(one)] > self._policy["family_cap"] for one, _ in asked if one in self._offers):
            yield "over the cap of the family"
        same = Counter(one for one, _ in heard("offer_cap_days"))
        if any(same[one] > self._policy["offer_cap"] for one, _ in asked):
            yield "over the cap of the offer"
        if max(Counter(one for one, _ in listed).values()) > 1:
            yield "one offer on two lists"

    def _judge(self, row: Row, shown: list[str], held_back: Mapping[str, list[str]]) -> None:
        person, at = self._people[row["customer_id"]], _moment(row["made_at"])
        contact = person.contacts[row["contact_id"]]
        self.decisions, self.shown = self.decisions + 1, self.shown + len(shown)
        late = set() if self._is_serial else _VOLUMES
        never = {code for one in shown for code in self._never(person, contact, one, at)} - late
        found = [f"shown: {code}" for code in never]
        found += [f"shown: {code}" for one in shown for code in self._not_now(person, contact, one, at)]
        found += [
            f"held back: {code} without a cause"
            for code in held_back.keys() - _OTHER_CODES
            for one in held_back[code]
            if not any(self._never(person, contact, one, at)) and not any(self._not_now(person, contact, one, at))
        ]
        elsewhere = [one for one in self._elsewhere(person, contact, at) if self._is_sale(one)]
        on_list = sum(map(self._is_sale, shown))
        sales = [past for past in self._pitched(person, "sales_cap_days", at) if self._is_sale(past.offer_id)]
        if on_list and on_list + len(elsewhere) + len(sales) > self._policy["sales_cap"]:
            found.append("list: over the cap on sales")
        on_channel = [
            past for past in self._pitched(person, "channel_cap_days", at)
            if self._is_sale(past.offer_id) and past.channel == contact["channel"]
        ]  # fmt: skip
        lists = self._open_lists(person, at, but=contact["contact_id"])
        here = {one for other, sales in lists for one in sales if other["channel"] == contact["channel"]}
        if on_list and on_list + len(here) + len(on_channel) > self._policy["channel_cap"]:
            found.append("list: over the cap of the channel")
        families = [self._family(one) for one in shown if one in self._offers]
        if len(set(families)) < len(families):
            found.append("list: a family twice")
        if len(shown) > self._policy["list_length"]:
            found.append("list: too long")
        for kind in ("catalogue", "policy"):
            if row[f"{kind}_version"] != self._versions[kind]:
                found.append(f"list: by another {kind} than the one in force")
        for code in found:
            self.violations[code].append(row["decision_id"])
        person.lists[row["contact_id"]] = _List(at, self._number, shown)

    def _never(self, person: _Person, contact: Row, offer_id: str, at: datetime) -> Iterator[str]:
        """Yield why this offer may be neither made nor accepted."""
        offer = self._offers.get(offer_id)
        if offer is None:
            yield "not in the catalogue"
            return
        yield from self._not_sold(contact, offer, at)
        if offer["eligibility"] and not json.loads(person.row["attributes"]).get("age", 0) >= 30:
            yield "not eligible"
        if self._is_sale(offer_id):
            yield from self._no_sale(person, contact, at)
            if offer["kind"] == "partner" and not person.consents.get("partner", self._policy["unasked_partner"]):
                yield "no consent to partners' offers"
            if offer["risk_level"] > (person.row["risk_level"] or 1):
                yield "too risky"
            if not offer["repeatable"] and offer_id in _held(person, at):
                yield "held already"

    def _not_sold(self, contact: Row, offer: Row, at: datetime) -> Iterator[str]:
        """Yield why nobody may have this offer in such a contact."""
        day, offer_id = at.date().isoformat(), offer["offer_id"]
        if offer["valid_from"] and at < datetime.fromisoformat(offer["valid_from"]):
            yield "not yet on sale"
        if offer["valid_to"] and at >= datetime.fromisoformat(offer["valid_to"]):
            yield "no longer on sale"
        if offer["channels"] and contact["channel"] not in offer["channels"]:
            yield "not on this channel"
        if offer["total_cap"] is not None and self.accepted[offer_id] >= offer["total_cap"]:
            yield "sold out"
        if offer["daily_cap"] is not None and self.accepted_on[offer_id, day] >= offer["daily_cap"]:
            yield "sold out today"

    def _no_sale(self, person: _Person, contact: Row, at: datetime) -> Iterator[str]:
        """Yield why no sale may be made to this customer."""
        unasked = self._policy[f"unasked_marketing_{contact['direction']}"]
        if not person.consents.get("marketing", unasked):
            yield "no consent to marketing"
        for flag in ("vulnerable", "arrears", "do_not_contact", "protection_unreadable"):
            if person.consents.get(flag):
                yield flag
        days = timedelta(days=self._policy["complaint_open_days"])
        complaints = [one for one in person.contacts.values() if self._is_complaint(person, one)]
        unsettled = [one for one in complaints if one["closed_at"] is None or (one["csat"] or 0) < 4]
        now = self._is_complaint(person, contact)
        if now or any(at - _moment(one["opened_at"]) < days for one in unsettled):
            yield "open complaint"

    def _is_complaint(self, person: _Person, contact: Row) -> bool:
        """Return whether it began as a complaint, became one, or goes on from one."""
        if contact["reason"] == "complaint" or "complaint" in person.intents[contact["contact_id"]]:
            return True
        return bool(contact["continues"]) and self._is_complaint(person, person.contacts[contact["continues"]])

    def _not_now(self, person: _Person, contact: Row, offer_id: str, at: datetime) -> Iterator[str]:
        """Yield what contact policy has against making this offer now."""
        answers = [(past.at, past.said) for past in self._known(person, at) if past.offer_id == offer_id]
        row: list[datetime] = []
        for when, answer in answers:
            row = [] if answer == "accepted" else [*row, when] if answer == "declined" else row
        first, most = self._policy["declined_cool_off_days"], self._policy["declined_cool_off_most_days"]
        if row and at - row[-1] < timedelta(days=min(first * 2 ** (len(row) - 1), max(first, most))):
            yield f"cooling off, no {len(row)} in a row"
        later = [when for when, answer in answers if answer == "later"]
        accepted = [when for when, answer in answers if answer == "accepted"]
        later = [when for when in later if not any(after > when for after in accepted)]
        if later and at - later[-1] < timedelta(days=self._policy["later_cool_off_days"]):
            yield "asked for later"
        if not self._is_sale(offer_id):
            if accepted and at - accepted[-1] < timedelta(days=self._policy["service_done_days"]):
                yield "just done"
            return
        elsewhere = self._elsewhere(person, contact, at)
        if offer_id in elsewhere:
            yield "on another live contact's list"
        if (
            sum(past.offer_id == offer_id for past in self._pitched(person, "offer_cap_days", at))
            >= self._policy["offer_cap"]
        ):
            yield "over the cap of the offer"
        family = self._family(offer_id)
        heard = [past.offer_id for past in self._pitched(person, "family_cap_days", at)] + elsewhere
        kin = [one for one in heard if one in self._offers and self._is_sale(one) and self._family(one) == family]
        if len(kin) >= self._policy["family_cap"]:
            yield "over the cap of the family"

    def _known(self, person: _Person, at: datetime) -> list[_Answer]:
        """Return the answers in the order of time, without what an import says of the future."""
        return sorted(
            (past for past in person.answers if past.decision_id is not None or past.at <= at),
            key=lambda past: past.at,
        )

    def _pitched(self, person: _Person, window: str, at: datetime) -> list[_Answer]:
        days = timedelta(days=self._policy[window])
        return [past for past in self._known(person, at) if past.said != "not_pitched" and at - past.at < days]

    def _elsewhere(self, person: _Person, contact: Row, at: datetime) -> list[str]:
        """Return what stands on the lists of the customer's other open contacts, whoever holds them."""
        return sorted({one for _, sales in self._open_lists(person, at, but=contact["contact_id"]) for one in sales})

    def _is_sale(self, offer_id: str) -> bool:
        return offer_id not in self._offers or self._offers[offer_id]["kind"] != "service"

    def _family(self, offer_id: str) -> tuple[str, str]:
        family = self._offers[offer_id].get("family") or ""
        return ("family", family) if family else ("alone", offer_id)


def _held(person: _Person, at: datetime) -> set[str]:
    held: set[str] = set()
    for when, offer_id, kind, is_imported in sorted(person.did, key=lambda one: one[0]):
        if is_imported and when > at:
            continue
        if kind in ("accepted", "holding"):
            held.add(offer_id)
        elif kind == "cancelled":
            held.discard(offer_id)
    return held


def _to_be_read(offers: list[Row]) -> set[str]:
    return {offer["offer_id"] for offer in offers if any(offer["disclosure"].values())}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

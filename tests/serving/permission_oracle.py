"""A naive second opinion on permission: replays an event log in commit order and names every decision it forbids.

It is written from the policy's documented meaning and asks nothing of the ranking. The order comes from triggers
inside the database, which number every row as it is written, in the transaction that writes it.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

_WATCHED = {
    "customers": "INSERT|UPDATE",
    "protections": "INSERT",
    "contacts": "INSERT|UPDATE OF channel, agent_id, closed_at, csat",
    "contact_events": "INSERT",
    "interactions": "INSERT",
    "outcomes": "INSERT",
    "decisions": "INSERT",
    "catalogue_versions": "INSERT",
    "policy_versions": "INSERT",
}
_OTHER_CODES = {"contact_cap", "not_called_for", "below_threshold", "ranked_lower", "made_room", "withheld"}
"""Codes that are no matter of the single offer, or of rank."""
_LEFT_OUT = frozenset({"record", "receipt"})


def keep_journal(path: Path) -> None:
    """Make the database number every row of the watched tables in the order in which it is written."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE journal (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, line TEXT)")
        for table, moments in _WATCHED.items():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] not in _LEFT_OUT]
            line = ", ".join(f"'{column}', NEW.{column}" for column in columns)
            for number, moment in enumerate(moments.split("|")):
                connection.execute(
                    f"CREATE TRIGGER journal_{table}_{number} AFTER {moment} ON {table} BEGIN "
                    f"INSERT INTO journal (kind, line) VALUES ('{table}', json_object({line})); END"
                )
    connection.close()


def journal_of(path: Path) -> Iterator[tuple[str, Row, Row]]:
    """Yield (table, row, record of a decision) in the order in which it was written."""
    connection = sqlite3.connect(path)
    lines = connection.execute(
        "SELECT kind, line, record FROM journal LEFT JOIN decisions "
        "ON kind = 'decisions' AND decision_id = json_extract(line, '$.decision_id') ORDER BY number"
    )
    for kind, line, record in lines:
        yield kind, json.loads(line), json.loads(record or "{}")
    connection.close()


@dataclass
class _Person:
    row: Row
    consents: dict[str, bool] = field(default_factory=dict)
    contacts: dict[str, Row] = field(default_factory=dict)
    intents: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    lists: dict[str, list[str]] = field(default_factory=dict)
    did: list[tuple[datetime, str, str]] = field(default_factory=list)
    answers: list[tuple[datetime, str, str, str]] = field(default_factory=list)
    """(when, offer, answer, channel it was given on)."""


class Oracle:
    """What the log says so far, and what was found wrong: kind of violation → where."""

    def __init__(self) -> None:
        self.violations: dict[str, list[str]] = defaultdict(list)
        self.decisions = self.shown = 0
        self.accepted: Counter[str] = Counter()
        self.accepted_on: Counter[tuple[str, str]] = Counter()
        self._people: dict[str, _Person] = {}
        self._owner: dict[str, str] = {}
        self._offers: dict[str, Row] = {}
        self._versions = {"catalogue": "", "policy": ""}
        self._policy: Row = {}

    def replay(self, path: Path) -> "Oracle":
        """Judge everything in the journal at `path`."""
        for kind, row, record in journal_of(path):
            if kind == "decisions":
                self._judge(row, [offer["offer_id"] for offer in record["offers"]], record["held_back"])
            else:
                getattr(self, f"_{kind}")(row)
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
        person.did.append((at, row["offer_id"], row["kind"]))
        if row["kind"] == "declined" and row["outcome_id"] is None:
            person.answers.append((at, row["offer_id"], "declined", row["channel"]))

    def _catalogue_versions(self, row: Row) -> None:
        self._offers = {offer["offer_id"]: offer for offer in json.loads(row["offers"])}
        self._versions["catalogue"] = row["version"]

    def _policy_versions(self, row: Row) -> None:
        self._policy, self._versions["policy"] = json.loads(row["numbers"]), row["version"]

    def _outcomes(self, row: Row) -> None:
        person, at, offer_id = self._people[row["customer_id"]], _moment(row["recorded_at"]), row["offer_id"]
        if row["answer"] == "accepted":
            for code in self._never(person, person.contacts[row["contact_id"]], offer_id, at):
                self.violations[f"accepted: {code}"].append(row["outcome_id"])
            self.accepted[offer_id] += 1
            self.accepted_on[offer_id, at.date().isoformat()] += 1
        channel = person.contacts[row["contact_id"]]["channel"]
        person.answers.append((at, offer_id, row["answer"], channel))

    def _judge(self, row: Row, shown: list[str], held_back: Mapping[str, list[str]]) -> None:
        person, at = self._people[row["customer_id"]], _moment(row["made_at"])
        contact = person.contacts[row["contact_id"]]
        self.decisions, self.shown = self.decisions + 1, self.shown + len(shown)
        found = [f"shown: {code}" for one in shown for code in self._never(person, contact, one, at)]
        found += [f"shown: {code}" for one in shown for code in self._not_now(person, contact, one, at)]
        found += [
            f"held back: {code} without a cause"
            for code in held_back.keys() - _OTHER_CODES
            for one in held_back[code]
            if not any(self._never(person, contact, one, at)) and not any(self._not_now(person, contact, one, at))
        ]
        elsewhere = [one for one in self._elsewhere(person, contact, at) if self._is_sale(one)]
        on_list = sum(map(self._is_sale, shown))
        sales = [past for past in self._pitched(person, "sales_cap_days", at) if self._is_sale(past[1])]
        if on_list and on_list + len(elsewhere) + len(sales) > self._policy["sales_cap"]:
            found.append("list: over the cap on sales")
        on_channel = [
            past for past in self._pitched(person, "channel_cap_days", at)
            if self._is_sale(past[1]) and past[3] == contact["channel"]
        ]  # fmt: skip
        if on_list and on_list + len(elsewhere) + len(on_channel) > self._policy["channel_cap"]:
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
        person.lists[row["contact_id"]] = shown

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
            if not offer["repeatable"] and offer_id in _held(person):
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
        complaints = [one for one in person.contacts.values() if one["reason"] == "complaint"]
        unsettled = [one for one in complaints if one["closed_at"] is None or (one["csat"] or 0) < 4]
        now = contact["reason"] == "complaint" or "complaint" in person.intents[contact["contact_id"]]
        if now or any(at - _moment(one["opened_at"]) < days for one in unsettled):
            yield "open complaint"

    def _not_now(self, person: _Person, contact: Row, offer_id: str, at: datetime) -> Iterator[str]:
        """Yield what contact policy has against making this offer now."""
        answers = [past for past in sorted(person.answers) if past[1] == offer_id]
        row: list[datetime] = []
        for when, _, answer, _ in answers:
            row = [] if answer == "accepted" else [*row, when] if answer == "declined" else row
        first, most = self._policy["declined_cool_off_days"], self._policy["declined_cool_off_most_days"]
        if row and at - row[-1] < timedelta(days=min(first * 2 ** (len(row) - 1), max(first, most))):
            yield f"cooling off, no {len(row)} in a row"
        later = [when for when, _, answer, _ in answers if answer == "later"]
        accepted = [when for when, _, answer, _ in answers if answer == "accepted"]
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
            sum(past[1] == offer_id for past in self._pitched(person, "offer_cap_days", at))
            >= self._policy["offer_cap"]
        ):
            yield "over the cap of the offer"
        family = self._family(offer_id)
        heard = [past[1] for past in self._pitched(person, "family_cap_days", at)] + elsewhere
        kin = [one for one in heard if one in self._offers and self._is_sale(one) and self._family(one) == family]
        if len(kin) >= self._policy["family_cap"]:
            yield "over the cap of the family"

    def _pitched(self, person: _Person, window: str, at: datetime) -> list[tuple[datetime, str, str, str]]:
        days = timedelta(days=self._policy[window])
        return [past for past in person.answers if past[2] != "not_pitched" and at - past[0] < days]

    def _elsewhere(self, person: _Person, contact: Row, at: datetime) -> list[str]:
        """Return what stands on the lists of the customer's other live contacts, with other agents."""
        since = at - timedelta(hours=self._policy["elsewhere_hours"])
        others = [
            one["contact_id"] for one in person.contacts.values()
            if one["closed_at"] is None and one["agent_id"] not in (None, contact["agent_id"])
            and _moment(one["opened_at"]) >= since
            and one["contact_id"] not in (contact["contact_id"], contact["continues"])
        ]  # fmt: skip
        return sorted({offer_id for other in others for offer_id in person.lists.get(other, [])})

    def _is_sale(self, offer_id: str) -> bool:
        return offer_id not in self._offers or self._offers[offer_id]["kind"] != "service"

    def _family(self, offer_id: str) -> tuple[str, str]:
        family = self._offers[offer_id].get("family") or ""
        return ("family", family) if family else ("alone", offer_id)


def _held(person: _Person) -> set[str]:
    held: set[str] = set()
    for _, offer_id, kind in sorted(person.did, key=lambda one: one[0]):
        if kind in ("accepted", "holding"):
            held.add(offer_id)
        elif kind == "cancelled":
            held.discard(offer_id)
    return held


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

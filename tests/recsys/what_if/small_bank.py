"""A small random bank in a real event log, with everything in it that may keep an offer off a list."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from features.from_events import interaction_features
from recsys.catalogue import Catalogue, build_catalogue, parse_offers
from recsys.domain.contact import Contact
from recsys.domain.decision import Situation
from recsys.domain.outcome import Answer, Outcome
from recsys.domain.policy import Policy
from recsys.ranking.people import Occasion
from recsys.rules import BUILT_IN, ValueType
from recsys.storage.database import Database
from recsys.storage.event_log import EventLog
from recsys.what_if.changes import SIMULATED
from tests.builders import NOW
from tests.recsys.storage.importing import Importer

KINDS = ("holding", "accepted", "declined", "inquiry", "view", "cancelled")
CHANNELS = ("phone", "app", "wechat")
RULES = (
    None,
    "age >= 30",
    "age < 60 AND city IN ('上海', '北京')",
    "segment = 'mass' OR held_count > 1",
    "NOT is_student",
    "LOWER(city) <> 'x' AND COALESCE(age, 40) > 35",
    "channel = 'phone' AND direction = 'inbound' AND sentiment IS NULL",
    "risk_level * 10 + held_count > 12",
)
OCCASION = Occasion(NOW, "phone")


def offer_rows(rng: np.random.Generator, offers: int) -> list[dict[str, Any]]:
    """Offers of every kind: few families, validities, channels, rules, caps."""
    rows = []
    for number in range(offers):
        row: dict[str, Any] = {
            "offer_id": f"o{number:02d}",
            "title": f"Offer {number}",
            "kind": str(rng.choice(["product"] * 6 + ["partner", "retention", "service", "service"])),
            "family": f"f{rng.integers(8)}" if rng.random() < 0.7 else "",
            "margin": float(rng.integers(10, 13) * 10),
            "handling_seconds": float(rng.integers(0, 900)),
            "risk_level": int(rng.choice([1, 1, 1, 2, 3, 5])),
            "repeatable": bool(rng.random() < 0.2),
            "eligibility": RULES[rng.integers(len(RULES))],
            "starting_propensity": float(rng.choice([0.02, 0.05, 0.2])),
            "lever": float(rng.choice([0.0, 1.0, 1.0, 1.5])),
            "intents": ["complaint"] if rng.random() < 0.2 else [],
            "channels": [["phone"], ["app"], [], [], [], [], []][rng.integers(7)],
        }
        if rng.random() < 0.05:
            row["valid_to"] = NOW - timedelta(days=1)
        if rng.random() < 0.1:
            row["total_cap"], row["daily_cap"] = 20, int(rng.integers(1, 4))
        rows.append(row)
    return rows


def random_policy(rng: np.random.Generator) -> Policy:
    """A policy whose caps, cool-offs and thresholds matter in the small bank."""
    return Policy(
        arbitration=str(rng.choice(SIMULATED)),
        list_length=int(rng.integers(1, 5)),
        shortlist_length=int(rng.choice([3, 6, 50])),
        exploring_below_answers=int(rng.choice([0, 5, 100])),
        exploration_share=0.0,
        minimum_propensity=float(rng.choice([0.0, 0.04])),
        minimum_priority=float(rng.choice([-5.0, 0.0, 3.0])),
        sales_cap=int(rng.integers(1, 6)),
        channel_cap=int(rng.integers(1, 5)),
        family_cap=int(rng.integers(1, 4)),
        offer_cap=int(rng.integers(1, 3)),
        declined_cool_off_days=int(rng.choice([0, 5, 30])),
        later_cool_off_days=int(rng.choice([0, 7, 60])),
        service_done_days=int(rng.choice([1, 40])),
        unasked_marketing_inbound=bool(rng.random() < 0.7),
        unasked_profiling=bool(rng.random() < 0.5),
        unasked_partner=bool(rng.random() < 0.5),
    )


def fill(database: Database, folder: Path, rng: np.random.Generator, sizes: tuple[int, int]) -> None:
    """Put `sizes` (customers, offers) and what happened between them into the event log."""
    customers, offers = sizes
    importer = Importer(database, folder)
    pick = rng.choice
    people = ["customer_id,segment,risk_level,vulnerable,arrears,do_not_contact,age,city,is_student,"
              "consent_marketing,consent_profiling,consent_partner"]  # fmt: skip
    for number in range(customers):
        values = [
            f"c{number:03d}", pick(["mass", "private", ""]), pick(["", "1", "2", "3", "5", "5"]),
            *pick(["true"] + ["false"] * 40, 3),
            pick(["", str(rng.integers(18, 80))]), pick(["上海", "北京", "X", ""]), pick(["true", "false", ""]),
            *pick(["true"] * 6 + ["false", ""], 3),
        ]  # fmt: skip
        people.append(",".join(map(str, values)))
    events = ["customer_id,offer_id,occurred_at,event,channel,weight"]
    for _ in range(customers * 6):
        at = NOW - timedelta(seconds=int(rng.integers(0, 200 * 86_400)))
        events.append(
            f"c{rng.integers(customers):03d},o{rng.integers(offers + 2):02d},{at.isoformat()},"
            f"{pick(KINDS)},{pick(CHANNELS)},{pick(['1', '0.5'])}"
        )
    calls = ["contact_id,customer_id,opened_at,channel,reason,csat"]
    for number in range(customers // 6):
        at = NOW - timedelta(hours=int(rng.integers(0, 30 * 24)))
        csat = pick(["", "2", "5"])
        calls.append(f"k{number},c{rng.integers(customers):03d},{at.isoformat()},phone,complaint,{csat}")
    importer.write(**{name: "\n".join(rows) + "\n" for name, rows in
                      {"customers": people, "interactions": events, "contacts": calls}.items()})  # fmt: skip
    importer.run()
    with database.transaction() as log:
        _answer(log, rng, customers, offers)


def _answer(log: EventLog, rng: np.random.Generator, customers: int, offers: int) -> None:
    """Record several answers of every third customer, as the service would."""
    for number in range(0, customers, 3):
        customer_id, contact_id = f"c{number:03d}", f"live-{number}"
        log.add_contact(Contact(contact_id, customer_id, NOW - timedelta(days=60), str(rng.choice(CHANNELS))))
        record = dict.fromkeys(("model_version", "catalogue_version", "policy_version"), "x")
        record |= {"decision_id": contact_id, "contact_id": contact_id, "customer_id": customer_id}
        log.add_decision({**record, "made_at": NOW.isoformat()}, log.next_sequence(contact_id))
        liked = rng.integers(offers, size=3)
        for place in range(int(rng.integers(1, 12))):
            at = NOW - timedelta(seconds=int(rng.integers(1, 60 * 86_400)))
            offer_id, answer = f"o{rng.choice(liked):02d}", Answer(rng.choice(list(Answer)))
            key = f"{contact_id}-{place}"
            log.add_outcome(Outcome(key, contact_id, contact_id, customer_id, offer_id, answer, at), key, "d", {})
            if answer is Answer.ACCEPTED:
                log.count_acceptance(offer_id, at.date() if rng.random() < 0.5 else NOW.date())


def catalogue_of(log: EventLog, rows: list[dict[str, Any]]) -> Catalogue:
    """Return the rows compiled with the attributes of the event log."""
    vocabulary = {**{name: ValueType(kind) for name, kind in log.attribute_types().items()}, **BUILT_IN}
    return build_catalogue(parse_offers(rows, vocabulary), vocabulary)


def situation_of(
    log: EventLog, customer_id: str, catalogue: Catalogue, policy: Policy, occasion: Occasion
) -> Situation:
    """Return what the service would know of the customer in the neutral contact."""
    now: datetime = occasion.at
    customer, complaint = log.customer_and_complaint(customer_id)
    history = log.history(customer_id, now)
    answers = log.answers(customer_id, datetime(1970, 1, 1, tzinfo=UTC), now)
    features = interaction_features(history, answers, (), now)
    capped = [catalogue.table.offer_ids[column] for column in catalogue.table.capped]
    contact = Contact("neutral", customer_id, now, occasion.channel)
    return Situation(
        "d", now, customer, contact, (), history, answers, complaint,
        acceptances=log.acceptances(capped, now.date()) if capped else {},
        features={"declined_count_90d": features["declined_count_90d"]},
    )  # fmt: skip

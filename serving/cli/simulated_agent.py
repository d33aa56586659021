"""What a simulated agent does in a contact: what is said to the service, what is pitched, and how it is answered."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys.domain.contact import ContactEventType
from recsys.domain.outcome import Answer
from recsys.simulator.visit import Moment, Visit
from recsys.simulator.world import World

Generator = np.random.Generator
Json = dict[str, Any]

AGENTS = 40
HEARD_SHARE = 0.6
"""Share of the contacts in which a recogniser listens, so that intents and moods arrive as events."""
PITCH_CHANCES = (0.85, 0.4)
"""How likely an agent is to bring up the first and, after a no, the second offer."""
CARDS = 3
"""How many of the offers are on the agent's screen."""


@dataclass(frozen=True, slots=True)
class Pitch:
    """What became of one offer that the agent saw: mentioned or not, and what the customer said."""

    offer: Json
    is_pitched: bool
    answer: Answer
    reason: str | None

    def outcome(self, decision: Json) -> Json:
        """Return the body of `POST /v1/outcomes`."""
        return {
            "decision_id": decision["decision_id"],
            "offer_id": self.offer["offer_id"],
            "answer": self.answer.value,
            "reason": self.reason,
            "disclosure_read": self.answer is Answer.ACCEPTED and bool(self.offer.get("disclosure")),
        }


def an_agent(rng: Generator) -> str:
    """Return the name of one of the simulated agents."""
    return f"A{rng.integers(1, AGENTS + 1):03d}"


def pitches(world: World, visit: Visit, decision: Json, sentiment: float, rng: Generator) -> Iterator[Pitch]:
    """Yield the offers one after the other, until one is accepted or the agent leaves it at that."""
    for offer, chance in zip(decision["offers"], PITCH_CHANCES, strict=False):
        if rng.random() >= chance:
            if offer["position"] == 1:
                yield Pitch(offer, False, Answer.NOT_PITCHED, None)
                continue
            return
        answer, reason = world.answer(visit.customer_id, offer["offer_id"], sentiment, rng)
        yield Pitch(offer, True, answer, reason)
        if answer is Answer.ACCEPTED:
            return


def exposures(decision: Json, stage: str, offers: list[Json]) -> list[Json]:
    """Return the bodies of `POST /v1/exposures` that say these offers were seen or pitched."""
    decision_id = decision["decision_id"]
    return [{"decision_id": decision_id, "offer_id": offer["offer_id"], "stage": stage} for offer in offers]


def opening(visit: Visit, agent_id: str | None) -> Json:
    """Return the body of `POST /v1/contacts`."""
    return {
        "customer_id": visit.customer_id,
        "channel": visit.channel,
        "direction": visit.direction.value,
        "agent_id": agent_id,
        "reason": visit.reason,
        "sentiment": visit.sentiment,
    }


def event(moment: Moment) -> Json:
    """Return the body of `POST /v1/contacts/{id}/events`."""
    body: Json = {"type": moment.type.value}
    if moment.type is ContactEventType.INTENT:
        body |= {"intent": moment.intent, "confidence": moment.confidence}
    elif moment.type is ContactEventType.SENTIMENT:
        body["sentiment"] = moment.sentiment
    else:
        body["text"] = moment.text
    return body

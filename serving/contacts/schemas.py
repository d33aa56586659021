"""The request and answer bodies of contacts."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from recsys.domain.contact import Direction
from recsys.domain.identifier import MAX_ID_LENGTH, parse_identifier
from recsys.domain.outcome import Answer
from recsys.domain.protection import FLAGS
from recsys.domain.vocabulary import SHIPPED
from serving.decisions.schemas import AttributeBody, Body, DecisionBody

Identifier = Annotated[
    str,
    Field(max_length=5 * MAX_ID_LENGTH, description=f"1 to {MAX_ID_LENGTH} printable characters; blanks around go"),
    AfterValidator(parse_identifier),
]
"""An id in its normal form, whatever blanks and full-width characters came with it."""
ChannelWord = Annotated[
    str, Field(min_length=1, max_length=100, description="A channel's name, or any word of the vocabulary for it")
]
"""A channel's name or any word that the vocabulary in force knows for it."""
Text = Annotated[str, Field(max_length=4000)]
Sentiment = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]


class Request(BaseModel):
    """Base of every request: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _direction(word: object) -> object:
    """Return the direction that a word stands for, else the word, which is then refused."""
    return (SHIPPED.direction(word) or word) if isinstance(word, str) else word


class OpenContact(Request):
    """Opens a contact; without `agent_id` it waits in the queue, `continues` names an earlier contact."""

    customer_id: Identifier
    channel: ChannelWord
    direction: Annotated[Direction, BeforeValidator(_direction)] = Direction.INBOUND
    agent_id: Identifier | None = None
    reason: Annotated[str, Field(max_length=200)] | None = None
    sentiment: Sentiment | None = None
    continues: Identifier | None = None


class NewContactEvent(Request):
    """One thing learned during the contact: an intent, a sentiment, an utterance or a note."""

    type: Literal["utterance", "intent", "sentiment", "note"]
    intent: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    sentiment: Sentiment | None = None
    text: Text | None = None

    @model_validator(mode="after")
    def _carries_what_its_type_needs(self) -> "NewContactEvent":
        needed = {"intent": self.intent, "sentiment": self.sentiment, "utterance": self.text, "note": self.text}
        if needed[self.type] is None:
            wanted = {"intent": "intent", "sentiment": "sentiment"}.get(self.type, "text")
            raise ValueError(f"an event of type {self.type} needs the field {wanted}")
        return self


class ExposureRequest(Request):
    """What became of a recommended offer before any answer: it was on the screen long enough, or it was pitched."""

    decision_id: Identifier
    offer_id: Identifier
    stage: Literal["seen", "pitched"]


class HandOff(Request):
    """Gives the contact to an agent (or takes it from the queue), perhaps on another channel."""

    agent_id: Identifier
    channel: ChannelWord | None = None
    note: Text | None = None


class CloseContact(Request):
    """Ends the contact."""

    csat: Annotated[int, Field(ge=1, le=5)] | None = None
    summary: Text | None = None


class EmbedTokenRequest(Request):
    """Asks for a token that opens the contact's suggestions in a frame; `language` is the browser's if not given."""

    agent_id: Identifier
    minutes: Annotated[int, Field(ge=1, le=480)] = 480
    language: Literal["en", "zh"] | None = None


class ContactBody(Body):
    """One contact; `status` is waiting, live or closed."""

    contact_id: str
    customer_id: str
    status: Literal["waiting", "live", "closed"]
    channel: str
    direction: str
    reason: str | None
    sentiment: float | None
    agent_id: str | None
    opened_at: datetime
    closed_at: datetime | None
    csat: int | None
    continues: str | None


class ContactEventBody(Body):
    """One thing that happened in the contact."""

    sequence: int
    type: str
    occurred_at: datetime
    intent: str | None
    confidence: float
    sentiment: float | None
    text: str | None
    agent_id: str | None


class HeldProductBody(Body):
    """A product the customer holds."""

    offer_id: str
    title: str


class PastAnswerBody(Body):
    """What the customer answered earlier, on any channel."""

    offer_id: str
    title: str
    answer: str
    answered_at: datetime


_flags: dict[str, Any] = dict.fromkeys(FLAGS, bool)
FlagsBody = create_model("FlagsBody", __base__=Body, __doc__="Each flag, whether it holds.", **_flags)


class CustomerBody(FlagsBody):
    """The single customer view."""

    customer_id: str
    kind: str
    name: str | None
    language: str | None
    segment: str | None
    risk_level: int | None
    attributes: dict[str, AttributeBody]
    consents: dict[str, bool | None]
    products: list[HeldProductBody]
    answers: list[PastAnswerBody]
    contacts: list[ContactBody]
    open_complaint_since: datetime | None


class ContactView(Body):
    """A contact with its customer, the latest decision and what happened so far."""

    contact: ContactBody
    customer: CustomerBody
    decision: DecisionBody | None
    events: list[ContactEventBody]


class WaitingContact(Body):
    """A contact in a list: enough to choose it."""

    contact: ContactBody
    name: str | None
    segment: str | None
    language: str | None


class AnswerRequest(Request):
    """What the customer answered to one offer of one decision."""

    decision_id: Identifier
    offer_id: Identifier
    answer: Answer
    reason: Annotated[str, Field(max_length=200)] | None = None
    disclosure_read: bool = False


class EmbedToken(Body):
    """The token, the moment it ends, and the address of the page it opens, below the service's own."""

    token: str
    expires_at: datetime
    address: str


class OutcomeReceipt(Body):
    """Proof that an answer is durable."""

    outcome_id: str
    decision_id: str
    contact_id: str
    customer_id: str
    offer_id: str
    answer: Answer
    reason: str | None
    disclosure_read: bool
    recorded_at: datetime

"""What may be offered: a product of the bank or a partner, a retention offer or a service action."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class OfferKind(StrEnum):
    """Sales kinds need marketing consent; a service action never does."""

    PRODUCT = "product"
    PARTNER = "partner"
    RETENTION = "retention"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry of the catalogue; rules (`eligibility`, `terms`) are text in the one rule language.

    `margin` is in the bank's currency per acceptance (`None`: the policy's default), `handling_seconds` the
    agent's time it costs, `channels` empty means every channel, `valid_to` is exclusive, and `intents` are
    the contact intents it answers besides its family.
    """

    offer_id: str
    title_en: str
    title_zh: str
    kind: OfferKind = OfferKind.PRODUCT
    family: str = ""
    repeatable: bool = False
    margin: float | None = None
    handling_seconds: float = 0.0
    risk_level: int = 1
    channels: frozenset[str] = frozenset()
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    eligibility: str | None = None
    terms: Mapping[str, str] = field(default_factory=dict)
    starting_propensity: float = 0.05
    talk_track_en: str = ""
    talk_track_zh: str = ""
    disclosure: str = ""
    intents: frozenset[str] = frozenset()

    @property
    def is_sale(self) -> bool:
        """Whether offering it needs marketing consent and counts against the contact cap."""
        return self.kind is not OfferKind.SERVICE

    def title(self, language: str) -> str:
        """Return the title in `language` ("zh…" or anything else for English), or the other one."""
        return (self.title_zh or self.title_en) if language.startswith("zh") else (self.title_en or self.title_zh)

    def talk_track(self, language: str) -> str:
        """Return what to say in `language`, or in the other one where only that exists."""
        chinese, english = self.talk_track_zh, self.talk_track_en
        return (chinese or english) if language.startswith("zh") else (english or chinese)

"""What may be offered: a product of the bank or a partner, a retention offer or a service action."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from recsys.domain.protection import Purpose


class OfferKind(StrEnum):
    """What kind of thing is offered; what follows from it stands in `_KINDS`, below, and nowhere else."""

    PRODUCT = "product"
    PARTNER = "partner"
    RETENTION = "retention"
    SERVICE = "service"

    @property
    def label(self) -> tuple[str, str]:
        """How pages call it, in English and Chinese."""
        return _KINDS[self].label

    @property
    def is_sale(self) -> bool:
        """Whether it needs marketing consent and counts against the caps."""
        return _KINDS[self].is_sale

    @property
    def purpose(self) -> Purpose | None:
        """Which consent it needs beside that to marketing."""
        return _KINDS[self].purpose


@dataclass(frozen=True, slots=True)
class _Kind:
    label: tuple[str, str]
    is_sale: bool = True
    purpose: Purpose | None = None


_KINDS = {
    OfferKind.PRODUCT: _Kind(("Product", "产品")),
    OfferKind.PARTNER: _Kind(("Partner offer", "合作方产品"), purpose=Purpose.PARTNER),
    OfferKind.RETENTION: _Kind(("Retention offer", "客户挽留")),
    OfferKind.SERVICE: _Kind(("Service", "服务"), is_sale=False),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry of the catalogue; rules (`eligibility`, `terms`) are text in the one rule language.

    `margin` is in the bank's currency per acceptance (`None`: the policy's default), `handling_seconds` the
    agent's time it costs, `channels` empty means every channel, `valid_to` is exclusive, and `intents` are
    the contact intents it answers besides its family. `lever` multiplies its priority; a numeric term is kept
    within its `term_bounds` (low, high); `total_cap` and `daily_cap` (a UTC day) limit acceptances by everybody.
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
    disclosure_en: str = ""
    disclosure_zh: str = ""
    intents: frozenset[str] = frozenset()
    lever: float = 1.0
    term_bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    total_cap: int | None = None
    daily_cap: int | None = None

    @property
    def is_sale(self) -> bool:
        """Whether offering it needs marketing consent and counts against the contact cap."""
        return self.kind.is_sale

    def title(self, language: str) -> str:
        """Return the title in `language` ("zh…" or anything else for English), or the other one."""
        return _in(language, self.title_en, self.title_zh)

    def talk_track(self, language: str) -> str:
        """Return what to say in `language`, or in the other one where only that exists."""
        return _in(language, self.talk_track_en, self.talk_track_zh)

    def disclosure(self, language: str) -> str:
        """Return what must be said before an acceptance in `language`, or in the other one where only that exists."""
        return _in(language, self.disclosure_en, self.disclosure_zh)


def _in(language: str, english: str, chinese: str) -> str:
    return (chinese or english) if language.startswith("zh") else (english or chinese)

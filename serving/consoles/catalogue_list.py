"""The catalogue's list: which offers are wanted, a page of them, and how each one does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from recsys.domain.offer import Offer
from recsys.domain.outcome import Answer

PAGE = 50
STATES = ("on_sale", "not_yet", "ended")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for; "" is anything."""

    q: str = ""
    kind: str = ""
    family: str = ""
    state: str = ""
    page: int = 1

    @property
    def is_anything(self) -> bool:
        """Whether nothing was asked for."""
        return not (self.q.strip() or self.kind or self.family or self.state)

    def finds(self, offer: Offer, now: datetime) -> bool:
        """Return whether the offer is wanted."""
        words = self.q.casefold().strip()
        texts = (offer.offer_id, offer.title_en, offer.title_zh, offer.family)
        return (
            (not words or any(words in text.casefold() for text in texts))
            and self.kind in ("", offer.kind.value)
            and self.family in ("", offer.family)
            and self.state in ("", state(offer, now))
        )


@dataclass(frozen=True, slots=True)
class ListedOffer:
    """One line of the list; an acceptance rate is None before anybody has answered."""

    offer: Offer
    state: str
    answered: int
    accepted: int

    @property
    def acceptance(self) -> float | None:
        """The share of the answers that were acceptances."""
        return self.accepted / self.answered if self.answered else None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of what was found, and how many pages there are."""

    offers: tuple[ListedOffer, ...]
    found: int
    page: int
    pages: int


def state(offer: Offer, now: datetime) -> str:
    """Return which of `STATES` an offer is in."""
    if offer.valid_to is not None and offer.valid_to <= now:
        return "ended"
    return "not_yet" if offer.valid_from is not None and offer.valid_from > now else "on_sale"


def listing(
    offers: Iterable[Offer], totals: Mapping[str, Mapping[Answer, int]], wanted: Wanted, now: datetime
) -> Listing:
    """Return the page of the wanted offers; one beyond the last is the last."""
    found = [offer for offer in offers if wanted.finds(offer, now)]
    pages = max(-(-len(found) // PAGE), 1)
    page = min(max(wanted.page, 1), pages)
    shown = found[(page - 1) * PAGE : page * PAGE]
    return Listing(tuple(_listed(one, totals.get(one.offer_id, {}), now) for one in shown), len(found), page, pages)


def _listed(offer: Offer, answers: Mapping[Answer, int], now: datetime) -> ListedOffer:
    return ListedOffer(offer, state(offer, now), sum(answers.values()), answers.get(Answer.ACCEPTED, 0))

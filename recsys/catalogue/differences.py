"""What differs between two versions of an offer, column by column."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from recsys.catalogue.offer_rows import offer_to_dict
from recsys.domain.offer import Offer

_BY_NAME = ("terms", "term_bounds")


@dataclass(frozen=True, slots=True)
class Difference:
    """One column, or one term as `terms.NAME` or `term_bounds.NAME`, before and after; None is nothing."""

    field: str
    before: object
    after: object


def differences(before: Offer | None, after: Offer | None) -> tuple[Difference, ...]:
    """Return what `after` has otherwise than `before`; where there is no offer, a bare one stands for it."""
    offer_id = (after or before or _BARE).offer_id
    blank = Offer(offer_id, "", "")
    old, new = dict(_columns(before or blank)), dict(_columns(after or blank))
    names = [*new, *(name for name in old if name not in new)]
    return tuple(Difference(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name))


_BARE = Offer("", "", "")


def _columns(offer: Offer) -> Iterator[tuple[str, object]]:
    for column, value in offer_to_dict(offer).items():
        if column in _BY_NAME and isinstance(value, Mapping):
            yield from ((f"{column}.{name}", one) for name, one in value.items())
        else:
            yield column, value if value not in ("", []) else None

"""What the page shows of a what-if: the few figures and offers that matter, said in the reader's language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recsys.ranking.explanation import say_held_back
from serving.consoles import formats
from serving.consoles.charts import Chart
from serving.consoles.wording import Say
from serving.offers.what_if_schemas import ChangedOfferBody, GroupBody, ScenarioBody, WhatIfBody

MOST_OFFERS = 12
FIGURES = ("net_value_list", "net_value_first", "acceptances_list", "acceptances_first", "without_offer")


@dataclass(frozen=True, slots=True)
class OfferLine:
    """One offer before and after, with its title and what holds it back from most."""

    found: ChangedOfferBody
    title: str
    is_edited: bool
    held_back: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class WhatIfView:
    """The answer, its one scenario and the offers to show: the edited one, those that starve, the largest changes."""

    answer: WhatIfBody
    scenario: ScenarioBody
    offers: tuple[OfferLine, ...]
    starving: int
    widest: float

    @property
    def figures(self) -> tuple[str, ...]:
        """What a contact is expected to bring, in the order in which it is told."""
        return FIGURES

    @property
    def groups(self) -> list[tuple[str | None, GroupBody]]:
        """Everybody, whose name is None, and then each segment."""
        return [(None, self.scenario.everybody), *self.scenario.segments.items()]

    def chart(self, language: str, say: Say) -> Chart:
        """Return the bars of how many customers' lists gain and lose worth, group by group."""
        shares = [group.shares for _, group in self.groups]
        return {
            "kind": "bars",
            "x": [say("what_if_all") if name is None else formats.name(name, language) for name, _ in self.groups],
            "x_kind": "category",
            "x_name": say("what_if_segments"),
            "y_name": say("what_if_share_of"),
            "unit": "percent",
            "zero": True,
            "series": [
                {"name": say("what_if_more"), "y": [one.worth_more.value for one in shares]},
                {"name": say("what_if_less"), "y": [one.worth_less.value for one in shares]},
            ],
            "description": say(
                "what_if_described",
                more=formats.percent(shares[0].worth_more.value),
                less=formats.percent(shares[0].worth_less.value),
            ),
        }

    @property
    def is_everybody(self) -> bool:
        """Whether all customers were looked at, so that nothing is left to chance."""
        return self.answer.sample.share >= 1

    @property
    def changes_nothing(self) -> bool:
        """Whether every customer would see the same list of the same worth."""
        shares = self.scenario.everybody.shares
        return not (shares.list_changed.value or shares.worth_more.value or shares.worth_less.value)


def view_of(found: WhatIfBody, titles: Mapping[str, str], edited: str | None, language: str) -> WhatIfView:
    """Return the view of a what-if, perhaps about one `edited` offer; `titles` are by offer id."""
    scenario = found.scenarios[0]
    moved = [one for one in scenario.offers if one.today.shown != one.scenario.shown and one.offer_id != edited]
    starving = [one for one in moved if one.starves and one.scenario.shown < one.today.shown]
    first = [one for one in scenario.offers if one.offer_id == edited]
    shown = (first + sorted(moved, key=lambda one: one not in starving))[:MOST_OFFERS]
    lines = tuple(_line(one, titles, edited, language) for one in shown)
    sides = [side.shown_share.value for one in shown for side in (one.today, one.scenario)]
    return WhatIfView(found, scenario, lines, len(starving), max(sides, default=0.0) or 1.0)


def titles_of(offers: Sequence[Mapping[str, Any]], language: str) -> dict[str, str]:
    """Return the title of each offer, given by its columns, by id."""
    return {offer["offer_id"]: _title(offer, language) for offer in offers}


def _title(offer: Mapping[str, Any], language: str) -> str:
    first, second = ("title_zh", "title_en") if language == "zh" else ("title_en", "title_zh")
    return str(offer[first] or offer[second] or offer["offer_id"])


def _line(one: ChangedOfferBody, titles: Mapping[str, str], edited: str | None, language: str) -> OfferLine:
    codes = tuple(
        (say_held_back(code, {"names": "…"}, language), count) for code, count in one.scenario.held_back.items()
    )
    return OfferLine(one, titles.get(one.offer_id, one.offer_id), one.offer_id == edited, codes)

"""One customer in one campaign: assigned, recommended to, pitched to, answered, and what their outcomes come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from recsys.domain.calendar import UTC_DAYS, BankCalendar
from recsys.domain.outcome import Answer

COUNTS = (
    "campaign_acceptances", "acceptances", "sales", "value", "declines", "answers",
    "csat_total", "csat_ratings", "complaints", "handling_seconds", "contacts",
)  # fmt: skip
"""What a unit's outcomes add up to; `value` is net value in the bank's currency."""
STAGES = ("recommended", "seen", "pitched", "answered")
"""The chain of facts after assignment; each has the moment it was first reached."""
EVERYONE = "1"


@dataclass(frozen=True, slots=True)
class CampaignUnit:
    """A customer's row in a campaign; `probability` is that of the arm, with the epoch's weights, holdout included.

    Outcomes count up to the end of the bank's day `counts_until`, so that early and late units have the same time.
    `agent_id` is who held the contact at assignment, "" for nobody. A covariate that was unknown is None.
    """

    campaign_id: str
    customer_id: str
    epoch: int
    arm: str
    probability: float
    assigned_at: datetime
    counts_until: date
    agent_id: str = ""
    in_fixed_slice: bool = False
    covariates: Mapping[str, float | None] = field(default_factory=dict)
    recommended_at: datetime | None = None
    seen_at: datetime | None = None
    pitched_at: datetime | None = None
    answered_at: datetime | None = None
    campaign_acceptances: float = 0.0
    acceptances: float = 0.0
    sales: float = 0.0
    value: float = 0.0
    declines: float = 0.0
    answers: float = 0.0
    csat_total: float = 0.0
    csat_ratings: float = 0.0
    complaints: float = 0.0
    handling_seconds: float = 0.0
    contacts: float = 0.0
    calendar: BankCalendar = field(default=UTC_DAYS, repr=False, compare=False)
    assigned_on: date | None = field(default=None, repr=False, compare=False)

    @property
    def day(self) -> date:
        """The bank's day of assignment, as it was stored once it was."""
        return self.assigned_on or self.calendar.day_of(self.assigned_at)

    def reaching(self, stage: str, at: datetime) -> "CampaignUnit":
        """Return the unit with the moment at which it first reached a stage of `STAGES`."""
        first: Mapping[str, Any] = {f"{stage}_at": at}
        is_first = getattr(self, f"{stage}_at") is None
        return replace(self, **first) if is_first and self._still_counts(at) else self

    def counting(self, at: datetime, **more: float) -> "CampaignUnit":
        """Return the unit with `more` of its `COUNTS`, unless `at` is too late to count."""
        if not self._still_counts(at):
            return self
        counts: Mapping[str, Any] = {name: getattr(self, name) + amount for name, amount in more.items()}
        return replace(self, **counts)

    def answering(
        self, answer: Answer, at: datetime, *, net_value: float, is_sale: bool, of_campaign: bool
    ) -> "CampaignUnit":
        """Return the unit with an answer to an offer of that net value; `of_campaign`: the campaign is about it."""
        if answer is Answer.NOT_PITCHED:
            return self
        unit = self.reaching("pitched", at).reaching("answered", at) if of_campaign else self
        if answer is not Answer.ACCEPTED:
            return unit.counting(at, answers=1, declines=float(answer is Answer.DECLINED))
        accepted = {"acceptances": 1.0, "sales": float(is_sale), "campaign_acceptances": float(of_campaign)}
        return unit.counting(at, answers=1, value=net_value, **accepted)

    def value_of(self, variable: str) -> float:
        """Return a variable: `EVERYONE`, a count, "any_" and a count, a stage, "x_" or "no_x_" and a covariate.

        All but counts and covariates are 0 or 1; of an unknown covariate x_ is 0 and no_x_ is 1.
        """
        if variable == EVERYONE:
            return 1.0
        if variable in COUNTS:
            return float(getattr(self, variable))
        if variable in STAGES:
            return float(getattr(self, f"{variable}_at") is not None)
        kind, _, name = variable.partition("_")
        if kind == "any":
            return float(getattr(self, name) > 0)
        if kind == "x":
            return self.covariates.get(name) or 0.0
        if variable.startswith("no_x_"):
            return float(self.covariates.get(variable.removeprefix("no_x_")) is None)
        raise ValueError(f"there is no variable {variable!r} of a campaign's unit")

    def _still_counts(self, at: datetime) -> bool:
        return self.calendar.day_of(at) <= self.counts_until


def product_name(first: str, second: str) -> str:
    """Return the one name of the product of two variables: what is 0 or 1 is its own square, 1 makes no difference."""
    if first == EVERYONE or (first == second and not _is_measured(first)):
        return second
    return first if second == EVERYONE else "*".join(sorted((first, second)))


def products_of(unit: CampaignUnit, names: tuple[str, ...]) -> list[float]:
    """Return the products of a unit's variables by the names that `product_name` gives them."""
    variables, factors = _factors(names)
    values = [unit.value_of(variable) for variable in variables]
    return [values[first] * (values[second] if second >= 0 else 1.0) for first, second in factors]


@lru_cache(maxsize=256)
def _factors(names: tuple[str, ...]) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the variables in these products, and of each product the places of its variables; −1 where it has one."""
    variables = list(dict.fromkeys(variable for name in names for variable in name.split("*")))
    places = {variable: place for place, variable in enumerate(variables)} | {"": -1}
    return variables, [(places[first], places[second]) for first, _, second in (name.partition("*") for name in names)]


def _is_measured(variable: str) -> bool:
    return variable in COUNTS or variable.startswith("x_")

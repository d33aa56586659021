"""The form of a what-if about levers and limits: what differs from today, as a change document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData

from recsys.catalogue.cells import number
from recsys.domain.policy import Policy

NUMBERS = (
    "sales_cap", "sales_cap_days", "channel_cap", "family_cap", "offer_cap", "list_length", "minimum_propensity",
    "cost_per_second", "default_margin",
)  # fmt: skip
_LEVER, _POLICY = "lever.", "policy."


@dataclass(frozen=True, slots=True)
class LeversForm:
    """Factors of levers by family and numbers of the policy, as typed, and those that are no numbers by field."""

    factors: Mapping[str, str]
    numbers: Mapping[str, str]

    @classmethod
    def today(cls, policy: Policy, families: list[str]) -> "LeversForm":
        """Return the form in which nothing was changed yet."""
        values = policy.numbers()
        return cls(dict.fromkeys(families, "1"), {name: f"{values[name]:.12g}" for name in NUMBERS})

    def filled_in(self, form: FormData) -> "LeversForm":
        """Return the form as it was sent; what was not sent is as today."""
        factors = {name: _typed(form.get(_LEVER + name), today) for name, today in self.factors.items()}
        numbers = {name: _typed(form.get(_POLICY + name), today) for name, today in self.numbers.items()}
        return LeversForm(factors, numbers)

    def problems(self) -> dict[str, str]:
        """Return why a field cannot be used, by field."""
        fields = {_LEVER + name: text for name, text in self.factors.items()}
        fields |= {_POLICY + name: text for name, text in self.numbers.items()}
        return {field: reason for field, text in fields.items() if (reason := _reason(text))}

    def change(self, today: "LeversForm") -> dict[str, Any]:
        """Return the document of what differs from today."""
        levers = {name: float(text) for name, text in self.factors.items() if float(text) != 1}
        policy = {name: float(text) for name, text in self.numbers.items() if float(text) != float(today.numbers[name])}
        return {"levers": levers, "policy": policy}


def field_of(place: str) -> str:
    """Return the field that an error of the document is about, where it says "change, policy, NAME"."""
    part, _, name = place.partition(", ")[2].partition(", ")
    return {"policy": _POLICY, "levers": _LEVER}.get(part, "") + name


def _typed(value: object, otherwise: str) -> str:
    return (value.strip() or otherwise) if isinstance(value, str) else otherwise


def _reason(text: str) -> str | None:
    try:
        number(text)
    except ValueError as error:
        return str(error)
    return None

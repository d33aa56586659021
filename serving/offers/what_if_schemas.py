"""The answer bodies of a what-if: what a change would do to a sample of the customers."""

from typing import Literal

from serving.decisions.schemas import Body


class IntervalBody(Body):
    """A figure of the sample with the 95 % interval of the same figure of everybody; one point for everybody."""

    value: float
    low: float
    high: float


class SampleBody(Body):
    """Who was looked at: so many `customers` drawn by `seed` `of` all, which is `share` of them."""

    customers: int
    of: int
    share: float
    seed: int


class WorthBody(Body):
    """What one contact with a customer is expected to bring: the first offer of its list alone, or the whole list."""

    acceptances_first: float
    acceptances_list: float
    net_value_first: float
    net_value_list: float
    without_offer: float


class SharesBody(Body):
    """The share of the customers for whom something is different."""

    list_changed: IntervalBody
    first_changed: IntervalBody
    lost_all_offers: IntervalBody
    got_a_first_offer: IntervalBody
    worth_more: IntervalBody
    worth_less: IntervalBody


class GroupBody(Body):
    """A group of customers as today and with the change; `change` has every figure of their worth."""

    customers: int
    today: WorthBody
    scenario: WorthBody
    change: dict[str, IntervalBody]
    shares: SharesBody


class SideBody(Body):
    """What becomes of one offer on one side: customers it is open to, is shown to, comes first for."""

    open_to: int
    shown: int
    first: int
    shown_share: IntervalBody
    acceptances: float
    net_value: float
    held_back: dict[str, int]


class ChangedOfferBody(Body):
    """One offer, the largest change of places first; one that `starves` would hardly be seen any more."""

    offer_id: str
    kind: Literal["kept", "new", "removed"]
    starves: bool
    today: SideBody
    scenario: SideBody


class ScenarioBody(Body):
    """What one scenario would change; `held_back` counts pairs of customer and offer by code on both sides."""

    name: str
    catalogue_version: str
    policy_version: str
    everybody: GroupBody
    segments: dict[str, GroupBody]
    offers: list[ChangedOfferBody]
    held_back: dict[str, dict[str, int]]


class WhatIfBody(Body):
    """Every scenario beside today; docs/what-if.md says what it assumes."""

    sample: SampleBody
    channel: str
    at: str
    assumes: str
    model_version: str
    propensity_version: str
    catalogue_version: str
    policy_version: str
    scenarios: list[ScenarioBody]

"""What an arm changes: its treatment applied to the catalogue and the policy in force, within what an arm may."""

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.campaign import Plan
from recsys.catalogue import Catalogue, cells
from recsys.catalogue.change import changed
from recsys.domain.calendar import UTC_DAYS, BankCalendar
from recsys.domain.conventions import Conventions
from recsys.domain.customer import AttributeValue
from recsys.domain.errors import CampaignInvalid, ChangeInvalid, RuleError
from recsys.domain.offer import Offer
from recsys.domain.policy import Policy
from recsys.rules import Rule, ValueType, parse_rule
from recsys.rules.vocabulary import Vocabulary
from recsys.storage.audience_log import CONTACT_FACTS

ARBITRATION = frozenset({
    "arbitration", "list_length", "shortlist_length", "cost_per_second", "default_margin", "service_value",
    "minimum_priority", "minimum_propensity", "exploration_share", "exploring_below_answers", "upset_below",
    "upset_sales_weight", "relevance_weight", "intent_weight", "sentiment_weight", "recent_decline_weight",
    "recent_declines_at_most", "starting_evidence",
})  # fmt: skip
"""What of the policy an arm may change; consents, caps, cool-offs and the global holdout are the same in every arm."""


def treated(
    treatment: Mapping[str, Any],
    catalogue: Catalogue,
    policy: Policy,
    vocabulary: Vocabulary,
    calendar: BankCalendar = UTC_DAYS,
    *,
    is_new: bool = False,
) -> tuple[Catalogue, Policy]:
    """Return the catalogue and the policy an arm decides with; raises `ChangeInvalid` where it may not or cannot.

    A treatment that `is_new` may name no channel that the bank has not; one that was stored may: nobody is there.
    """
    model_of(treatment)
    reading = Conventions(policy.words, calendar, keeps_unknown=not is_new)
    parts = {name: value for name, value in treatment.items() if name != "model"}
    numbers = parts.get("policy")
    for name in numbers if isinstance(numbers, Mapping) else ():
        if name in Policy.__dataclass_fields__ and name not in ARBITRATION:
            raise ChangeInvalid(
                f"treatment, policy, {name}", "protects customers or comparisons: the same in every arm"
            )
    after, arbitration = changed(parts, "treatment", catalogue, policy, vocabulary, reading)
    if after is not catalogue:
        for offer in after.offers:
            if offer.offer_id in catalogue.table.column:
                _check_offer(catalogue.offer(offer.offer_id), offer, after.terms(offer.offer_id))
    return after, arbitration


def model_of(treatment: Mapping[str, Any]) -> str | None:
    """Return the version of the model that an arm ranks with, None for the champion; raises `ChangeInvalid`."""
    version = treatment.get("model")
    if cells.is_blank(version):
        return None
    try:
        return cells.name(version)
    except ValueError as error:
        raise ChangeInvalid("treatment, model", str(error)) from error


def offers_of(plan: Plan, catalogue: Catalogue) -> frozenset[str]:
    """Return the offers a campaign is about: those its arms name; all of them where an arm changes policy or model."""
    named: set[str] = set()
    for arm in plan.arms:
        if arm.treatment.get("policy") or arm.treatment.get("model"):
            return frozenset(offer.offer_id for offer in catalogue.offers)
        named |= offers_named(arm.treatment, catalogue)
    return frozenset(named)


def offers_named(treatment: Mapping[str, Any], catalogue: Catalogue) -> set[str]:
    """Return the offers that a treatment brings, changes, removes or pulls, by id or by family."""
    brought = {str(row["offer_id"]) for row in treatment.get("offers") or ()}
    removed = {str(offer_id) for offer_id in treatment.get("remove") or ()}
    pulled = (treatment.get("levers") or {}).keys()
    return brought | removed | {one.offer_id for one in catalogue.offers if {one.offer_id, one.family} & pulled}


def check_plan(
    plan: Plan, catalogue: Catalogue, policy: Policy, vocabulary: Vocabulary, *, is_new: bool = True
) -> None:
    """Raise `CampaignInvalid` where the audience, a covariate or a treatment cannot be used today.

    A plan that is not new may name channels that the bank has dropped since.
    """
    problems = list(_problems(plan, (catalogue, policy), vocabulary, is_new=is_new))
    if problems:
        raise CampaignInvalid(problems)


def audience_of(plan: Plan, vocabulary: Vocabulary) -> Rule | None:
    """Return the compiled rule of who takes part, None for everyone; raises `RuleError`.

    It asks about the customer alone: which contacts take part is said by the plan's channels.
    """
    if plan.audience is None:
        return None
    known = {name: kind for name, kind in vocabulary.items() if name not in CONTACT_FACTS}
    return parse_rule(plan.audience, known, ValueType.BOOLEAN)


def _problems(
    plan: Plan, rules: tuple[Catalogue, Policy], vocabulary: Vocabulary, *, is_new: bool
) -> Iterator[tuple[str, str]]:
    try:
        audience_of(plan, vocabulary)
    except RuleError as error:
        yield "audience", str(error)
    for name in plan.covariates:
        if vocabulary.get(name) is not ValueType.NUMBER or name in CONTACT_FACTS or set(name) & set('*"\\'):
            yield "covariates", f"{name[:60]!r} is no number that is known of customers"
    for number, arm in enumerate(plan.arms, start=1):
        try:
            treated(arm.treatment, *rules, vocabulary, is_new=is_new)
        except ChangeInvalid as error:
            yield f"arms.{number}", str(error)


def _check_offer(before: Offer, after: Offer, terms: Mapping[str, Rule]) -> None:
    """Raise `ChangeInvalid` where an arm goes beyond the bounds of an offer or drops what protects the customer."""
    place = f"treatment, offer {after.offer_id}"
    if after.risk_level < before.risk_level:
        raise ChangeInvalid(f"{place}, risk_level", "an arm cannot make an offer less risky than it is")
    if (before.disclosure_en or before.disclosure_zh) and (
        (after.disclosure_en, after.disclosure_zh) != (before.disclosure_en, before.disclosure_zh)
    ):
        raise ChangeInvalid(f"{place}, disclosure", "is the same in every arm")
    for name, (low, high) in before.term_bounds.items():
        new_low, new_high = after.term_bounds.get(name, (-float("inf"), float("inf")))
        if name in after.terms and (new_low < low or new_high > high):
            raise ChangeInvalid(f"{place}, term_bounds.{name}", f"an arm cannot widen the bounds {low:g} to {high:g}")
    for name, rule in terms.items():
        if after.terms[name] != before.terms.get(name):
            _check_term(f"{place}, terms.{name}", rule, before.term_bounds.get(name))


def _check_term(place: str, rule: Rule, bounds: tuple[float, float] | None) -> None:
    """Raise `ChangeInvalid` for a number that is out of bounds; one that depends on facts is kept within them later."""
    if rule.type is not ValueType.NUMBER:
        return
    if bounds is None:
        raise ChangeInvalid(place, "is a number without declared bounds; give the offer term_bounds first")
    value: AttributeValue = None if rule.names else rule.evaluate({})
    if isinstance(value, int | float) and not bounds[0] <= value <= bounds[1]:
        raise ChangeInvalid(place, f"must lie within the offer's bounds, {bounds[0]:g} to {bounds[1]:g}")

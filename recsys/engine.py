"""A decision, start to finish: what may be offered to this customer now, what fits best, and why."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from recsys.catalogue import Catalogue
from recsys.domain.customer import AttributeValue
from recsys.domain.decision import Decision, RankedOffer, Reason, Situation
from recsys.domain.interaction import held_offers
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.ranking.appraisal import Appraisal, Case, Models, RelevanceModel, appraise, in_order, take_in
from recsys.ranking.arbitration import arrange
from recsys.ranking.codes import CODES, NUMBER
from recsys.ranking.eligibility import permit
from recsys.ranking.evidence import OfferEvidence
from recsys.ranking.exploration import Slate, drawn_slate, explore
from recsys.ranking.held_back import held_back
from recsys.ranking.people import Pairs
from recsys.ranking.reasons import (
    NOTHING_EXPLAINED,
    PropensityModel,
    declared_parts,
    named_by_evidence,
    signed_relevance,
    split_relevance,
    to_reasons,
)

NO_MODEL = "no_model"
DECLARED = "declared"
NO_RELEVANCE = "none"
"""What a decision without a relevance model names as its version."""


def decide(
    situation: Situation,
    catalogue: Catalogue,
    model: RelevanceModel | None,
    policy: Policy,
    propensity: PropensityModel | None = None,
    evidence: OfferEvidence | None = None,
) -> Decision:
    """Return the decision for this situation; the same arguments always give the same answer.

    `model` is the relevance model in service, or None where there is none: the list is then ordered
    without relevance and the decision says that it is degraded. Without a trained `propensity` model the
    policy's declared weights stand in. `evidence` is what customers answered lately; without it, what the bundle
    of `model` counted when it was trained holds, as for decisions of older versions of this program.
    """
    permission = permit(situation, catalogue, policy)
    known = take_in(situation, permission, catalogue)
    case = Case(known, permission, catalogue, Models(model, propensity), policy, evidence)
    appraisal = appraise(case)
    slate = choose(case, appraisal)
    return Decision(
        decision_id=situation.decision_id,
        made_at=situation.made_at,
        customer_id=situation.customer.customer_id,
        contact_id=situation.contact.contact_id,
        offers=present(case, appraisal, slate),
        held_back=name_held_back(case, appraisal, slate),
        unknown={catalogue.table.offer_ids[column]: names for column, names in permission.unknown.items()},
        signals=appraisal.shared,
        explored_position=slate.explored_position,
        model_version=model.version if model else NO_RELEVANCE,
        propensity_version=propensity.version if propensity else DECLARED,
        catalogue_version=catalogue.version,
        policy_version=policy.version,
        degraded_reasons=situation.degraded_reasons if model else (*situation.degraded_reasons, NO_MODEL),
        feature_age_seconds=situation.feature_age_seconds,
    )


def choose(case: Case, appraisal: Appraisal) -> Slate:
    """Return the list: the best of the shortlist, or in the declared share of contacts one place given to another.

    Nothing is tried out on a customer who is upset.
    """
    table, policy = case.catalogue.table, case.policy
    worthwhile = appraisal.shortlist[appraisal.is_worthwhile[appraisal.shortlist]]
    ordered = in_order(case, worthwhile, appraisal.priority).tolist()
    best = arrange(ordered, table, policy.list_length, case.permission.sales_left)
    if case.arbitration == "random":
        return drawn_slate(best, np.flatnonzero(appraisal.is_open & table.is_sale), table)
    others = [column for column in ordered if column not in best and table.sales[column]]
    share = 0.0 if case.is_upset else policy.exploration_share
    return explore(best, others, table, share, case.known.situation.contact.contact_id)


def name_held_back(case: Case, appraisal: Appraisal, slate: Slate) -> dict[str, tuple[str, ...]]:
    """Return code → the offers that it keeps off the list."""
    table, shown = case.catalogue.table, np.array(slate.columns, dtype=np.intp)
    pairs, worthwhile = Pairs(np.zeros(len(shown), dtype=np.intp), shown), appraisal.is_worthwhile[None]
    codes = held_back(case.permission.row, appraisal.is_open[None], worthwhile, pairs, table)[0]
    if slate.made_room is not None:
        codes[slate.made_room] = NUMBER["made_room"]
    order = np.argsort(codes, kind="stable")
    ids, ends = table.ids[order].tolist(), np.cumsum(np.bincount(codes)).tolist()
    return {
        CODES[number]: tuple(ids[begin:end]) for number, (begin, end) in enumerate(pairwise(ends), 1) if begin < end
    }


def present(case: Case, appraisal: Appraisal, slate: Slate) -> tuple[RankedOffer, ...]:
    """Return the offers as they stand on the list, with the terms computed for this person and the reasons."""
    listed = []
    explained = explain_plainly if case.known.situation.plain_reasons else explain
    for place, (column, reasons) in enumerate(zip(slate.columns, explained(case, appraisal, slate), strict=True)):
        if place + 1 == slate.explored_position:
            reasons = (*reasons, Reason("explored", 0.0))
        offer_id = case.catalogue.table.offer_ids[column]
        listed.append(
            RankedOffer(
                offer_id=offer_id,
                position=place + 1,
                relevance=float(appraisal.relevance[column]),
                propensity=float(appraisal.propensity[column]),
                net_value=float(appraisal.net_value[column]),
                priority=float(appraisal.priority[column]),
                selection_probability=slate.probabilities[place],
                terms=terms_of(offer_id, case.catalogue, case.permission.facts, frozenset(case.known.situation.unread)),
                reasons=reasons,
                signals=appraisal.signals.of(column),
            )
        )
    return tuple(listed)


def relevance_shares(case: Case, slate: Slate) -> list[list[tuple[str, float]]]:
    """Return, for each offer on the list, what each product that the customer holds adds to its relevance."""
    known, model, table = case.known, case.models.relevance, case.catalogue.table
    offer_ids = [table.offer_ids[column] for column in slate.columns]
    if model is None or not known.history:
        return [[] for _ in offer_ids]
    named = set(filter(case.catalogue.is_sale, held_offers(known.situation.history)))
    return [
        [(one, share) for one, share in shares if one in named and one != offer_id]
        for offer_id, shares in zip(offer_ids, model.contributions(known.history, offer_ids, known.about), strict=True)
    ]


def terms_of(
    offer_id: str, catalogue: Catalogue, facts: Mapping[str, AttributeValue], unread: frozenset[str] = frozenset()
) -> dict[str, AttributeValue]:
    """Return the terms of the offer for a person with these facts, kept within their declared bounds.

    A term of a feature that is `unread` is not known.
    """
    bounds, terms = catalogue.offer(offer_id).term_bounds, {}
    for name, rule in catalogue.terms(offer_id).items():
        value = rule.evaluate(facts) if unread.isdisjoint(rule.names) else None
        if name in bounds and value is not None:
            low, high = bounds[name]
            value = min(max(value, low), high)
        terms[name] = value
    return terms


def explain(case: Case, appraisal: Appraisal, slate: Slate) -> list[tuple[Reason, ...]]:
    """Return the reasons of each offer on the list, whose contributions add up to the log-odds of its propensity.

    The relevance is taken apart further, into what products that the customer holds, facts and the rest add to it.
    """
    known, model, ids = case.known, case.models.relevance, case.catalogue.table.offer_ids
    held = set(filter(case.catalogue.is_sale, held_offers(known.situation.history)))
    offer_ids = [ids[column] for column in slate.columns]
    parts = [NOTHING_EXPLAINED] * len(offer_ids)
    if model is not None and known.history is not None:  # None: whoever refuses profiling gets what is popular
        parts = list(model.explained(known.history, offer_ids, known.about))
    found = []
    for offer_id, column, part in zip(offer_ids, slate.columns, parts, strict=True):
        reasons, weight = parts_of(case, appraisal, column)
        found.append(signed_relevance(reasons, part, weight, (held - {offer_id}).__contains__))
    return found


def explain_plainly(case: Case, appraisal: Appraisal, slate: Slate) -> list[tuple[Reason, ...]]:
    """Return the reasons of each offer on the list as records had them up to format 4."""
    known, model = case.known, case.models.relevance
    rest = "relevance" if known.history else "popular"
    if model is not None and model.uses_facts and known.about.customer:
        rest = "suits_profile"
    found = []
    for column, shares in zip(slate.columns, relevance_shares(case, slate), strict=True):
        reasons, weight = parts_of(case, appraisal, column)
        found.append(split_relevance(reasons, shares, weight, rest))
    return found


def parts_of(case: Case, appraisal: Appraisal, column: int) -> tuple[list[Reason], float]:
    """Return what adds to the log-odds of an offer, relevance as one, and what one of relevance is worth."""
    known, trained, offer_id = case.known, appraisal.trained, case.catalogue.table.offer_ids[column]
    if trained is None:
        weight = case.policy.relevance_weight
        parts = declared_parts(appraisal.declared, column, bool(case.catalogue.table.is_sale[column]))
    else:
        weight, parts = trained.model.relevance_weight, trained.by_code(column)
    if case.evidence is not None:
        parts = named_by_evidence(parts, case.evidence.answered(offer_id), case.policy)
    is_declined = any(one.offer_id == offer_id and one.answer is Answer.DECLINED for one in known.situation.answers)
    return to_reasons(parts, column, known.situation, known.matches, is_declined), weight

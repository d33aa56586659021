"""An offer as an agent would see it for one customer: a decision that is made and not recorded."""

from dataclasses import replace

from recsys.catalogue import build_catalogue
from recsys.domain.contact import Contact, Direction
from recsys.domain.decision import RankedOffer, Situation
from recsys.domain.offer import Offer
from recsys.engine import present
from recsys.ranking.appraisal import Case, Models, appraise, take_in
from recsys.ranking.eligibility import permit
from recsys.ranking.exploration import Slate
from recsys.storage.event_log import EventLog
from serving.basis import Basis
from serving.contacts.situation import Heard, features_of, look_up, situation_in
from serving.decisions.record import LANGUAGES, make_record
from serving.decisions.rendering import rendered
from serving.in_force import vocabulary
from serving.offers.schemas import OfferPreviewBody, PreviewedCustomer, PreviewRequest, SaidBody
from serving.own_questions import asking_first
from serving.wiring import Services
from serving.words import channel_named, need_named

NAME = "preview"
"""The id of the contact and of the decision, which nobody else ever sees."""


@asking_first
def preview(services: Services, offer: Offer, asked: PreviewRequest, language: str) -> OfferPreviewBody:
    """Return the offer's card for this customer, with `offer` in the catalogue; raises `CustomerNotFound`.

    Nothing is tried out by chance, and the arms of campaigns are left out: both belong to real contacts.
    """
    features = features_of(services, asked.customer_id)
    with services.database.read() as log:
        basis = _basis_with(offer, services, log)
        now, words = services.clock(), basis.policy.words
        person = look_up(log, asked.customer_id, now)
        contact = Contact(
            NAME,
            asked.customer_id,
            now,
            channel_named(asked.channel, words),
            Direction.INBOUND,
            reason=need_named(asked.reason, words),
            is_complaint=words.is_complaint(asked.reason),
        )
        rules = basis.catalogue, basis.policy
        situation = situation_in(log, Heard(contact), person, features, rules, (NAME, now))
    decision, spoken = basis.decide(situation), person.customer.language
    listed = next((one for one in decision.offers if one.offer_id == offer.offer_id), None)
    shown = rendered(make_record(decision, situation, basis, 1), language, basis.catalogue, spoken)
    alone = replace(decision, offers=(listed or _held_back_card(offer.offer_id, situation, basis),))
    card = rendered(make_record(alone, situation, basis, 1), language, basis.catalogue, spoken).offers[0]
    return OfferPreviewBody(
        customer=PreviewedCustomer.model_validate(person.customer, from_attributes=True),
        card=card,
        position=listed.position if listed else None,
        held_back=next((one for one in shown.held_back if one.offer_id == offer.offer_id), None),
        said={one: _said(offer, one) for one in LANGUAGES},
        suggested=[one.title for one in shown.offers],
    )


def _basis_with(offer: Offer, services: Services, log: EventLog) -> Basis:
    current = services.catalogue.current(log)
    others = (one for one in current.offers if one.offer_id != offer.offer_id)
    catalogue = build_catalogue((*others, offer), vocabulary(log), current)
    policy = replace(services.policy.current(log), exploration_share=0.0)
    pair, evidence = services.champion.pair, services.evidence.current(log, current.table.offer_ids, services.clock())
    return Basis(catalogue, policy, pair.relevance, pair.propensity, evidence=evidence)


def _held_back_card(offer_id: str, situation: Situation, basis: Basis) -> RankedOffer:
    """Return the card that the list does not hold; a trained propensity never looked at it, the declared one does."""
    permission = permit(situation, basis.catalogue, basis.policy)
    known = take_in(situation, permission, basis.catalogue)
    case = Case(known, permission, basis.catalogue, Models(basis.model, None), basis.policy, basis.evidence)
    slate = Slate((basis.catalogue.table.column[offer_id],), (1.0,))
    return present(case, appraise(case), slate)[0]


def _said(offer: Offer, language: str) -> SaidBody:
    return SaidBody(
        title=offer.title(language), talk_track=offer.talk_track(language), disclosure=offer.disclosure(language)
    )

"""The catalogue's work: checked, compared, previewed and saved; the HTTP API and the catalogue's pages use it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from recsys.catalogue import build_catalogue, offer_to_dict, parse_offers
from recsys.catalogue.differences import differences
from recsys.domain.conventions import AS_STORED, Conventions
from recsys.domain.errors import CatalogueInvalid, OfferChanged, OfferInvalid
from recsys.domain.offer import Offer
from recsys.rules import ValueType
from recsys.storage.event_log import EventLog
from serving.errors import offer_problem
from serving.idempotency import JUST_DO_IT, Once
from serving.in_force import conventions, once_known, vocabulary
from serving.offers.preview import preview
from serving.offers.rule_check import Validation
from serving.offers.schemas import CatalogueBody, DifferenceBody, OfferPreviewBody, PreviewRequest
from serving.wiring import Services

Rows = Sequence[dict[str, Any]]


class OfferService:
    """What can be done with the catalogue."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def listed(self) -> CatalogueBody:
        """Return the catalogue in service."""
        with self._services.database.read() as log:
            catalogue = self._services.catalogue.current(log)
        return CatalogueBody(
            catalogue_version=catalogue.version, offers=[offer_to_dict(offer) for offer in catalogue.offers]
        )

    def check(self, rows: Rows) -> Validation:
        """Return whether these offers could be saved, and what would differ then."""
        with self._services.database.read() as log:
            known = {offer.offer_id: offer for offer in self._services.catalogue.current(log).offers}
            try:
                offers = parse_offers(rows, vocabulary(log), self._reading(log))
            except CatalogueInvalid as error:
                return Validation(valid=False, problems=[offer_problem(one) for one in error.problems])
        found = [_body(known.get(offer.offer_id), offer) for offer in offers]
        return Validation(valid=True, problems=[], differences=tuple(one for several in found for one in several))

    def changed_since(self, offer_id: str, version: str) -> list[DifferenceBody]:
        """Return what somebody else saved of this offer since that version of the catalogue."""
        with self._services.database.read() as log:
            current = {offer.offer_id: offer for offer in self._services.catalogue.current(log).offers}
            return _body(_offers_of(log, version, {offer_id}).get(offer_id), current.get(offer_id))

    def preview(self, asked: PreviewRequest, language: str) -> OfferPreviewBody:
        """Return the offer as an agent would see it; raises `CatalogueInvalid` and `CustomerNotFound`."""
        with self._services.database.read() as log:
            (offer,) = parse_offers([asked.offer], vocabulary(log), self._reading(log))
        kept = replace(
            offer, terms=dict(sorted(offer.terms.items()))
        )  # as the catalogue keeps them, and cards show them
        return preview(self._services, kept, asked, language)

    def save(self, rows: Rows, based_on: str | None = None, once: Once = JUST_DO_IT) -> CatalogueBody:
        """Add or replace offers by id, all or none; raises `CatalogueInvalid`.

        With the version of the catalogue that the change is `based_on`, raises `OfferChanged` when one of these
        offers was saved since.
        """
        with self._services.database.transaction() as log:
            now = self._services.clock()
            if (made := once.begin(log, now)) and (first := log.catalogue_of(made["catalogue_version"])):
                return CatalogueBody(catalogue_version=first.version, offers=first.offers)
            known, current = vocabulary(log), self._services.catalogue.current(log)
            offers = {offer.offer_id: offer for offer in current.offers}
            given = {offer.offer_id: offer for offer in parse_offers(rows, known, self._reading(log))}
            if based_on not in (None, current.version):
                _check_unchanged(offers, _offers_of(log, based_on, given.keys()), given)
            catalogue = build_catalogue((offers | given).values(), {**once_known(log), **known}, current)
            saved = [offer_to_dict(offer) for offer in catalogue.offers]
            log.save_catalogue(catalogue.version, saved, catalogue.rule_types, now)
            once.end(log, catalogue_version=catalogue.version)
        return CatalogueBody(catalogue_version=catalogue.version, offers=saved)

    def _reading(self, log: EventLog) -> Conventions:
        return conventions(log, self._services.policy.current(log))


def offers_of(body: dict[str, Any]) -> Rows:
    """Return the offers of a request body, which is one offer or has a list of them under `offers`."""
    offers = body.get("offers", [body])
    if not isinstance(offers, list) or not offers or not all(isinstance(offer, dict) for offer in offers):
        raise CatalogueInvalid([OfferInvalid("?", "offers", "must be a list of one or more offers")])
    return offers


def _offers_of(log: EventLog, version: str | None, offer_ids: Any) -> dict[str, Offer]:
    """Return those of these offers that a saved version of the catalogue had; none where it was never saved."""
    saved = log.catalogue_of(version) if version else None
    if saved is None:
        return {}
    types = {name: ValueType(kind) for name, kind in saved.types.items()} if saved.types else vocabulary(log)
    rows = [row for row in saved.offers if row["offer_id"] in offer_ids]
    return {offer.offer_id: offer for offer in parse_offers(rows, types, AS_STORED)}


def _check_unchanged(now: Mapping[str, Offer], then: Mapping[str, Offer], given: Mapping[str, Offer]) -> None:
    for offer_id in given:
        if now.get(offer_id) != then.get(offer_id):
            raise OfferChanged(offer_id)


def _body(before: Offer | None, after: Offer | None) -> list[DifferenceBody]:
    offer = after or before
    if offer is None:
        return []
    return [
        DifferenceBody(offer_id=offer.offer_id, field=one.field, before=one.before, after=one.after)
        for one in differences(before, after)
    ]

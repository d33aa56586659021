"""The catalogue: what may be offered, checked before it is saved and compiled before it is used."""

from recsys.catalogue.catalogue import Catalogue, build_catalogue
from recsys.catalogue.offer_rows import check_offers, check_placed_offers, offer_to_dict, parse_offers
from recsys.catalogue.offers_file import load_offers_file, read_placed_offers

__all__ = [
    "Catalogue",
    "build_catalogue",
    "check_offers",
    "check_placed_offers",
    "load_offers_file",
    "offer_to_dict",
    "parse_offers",
    "read_placed_offers",
]

"""A complaint is told by its stem, in whichever form and compound; words of other things are left alone."""

import pytest

from recsys.domain.vocabulary import COMPLAINT, NEEDS, SHIPPED

COMPLAINTS = [
    "CustomerComplaint", "FormalComplaint", "ComplaintIntent", "COMPLAINT001", "complaintfees", "complainants",
    "Kundenbeschwerde", "Beschwerdemanagement", "klachten", "klachtafhandeling", "reclamaciones", "quejas", "reklamace",
    "skargi", "Unzufrieden", "Unzufriedenheit", "mécontent", "mécontentement", "insatisfecho", "不满", "不滿", "不満",
    "信訪", "クレ-ム", "クレーム対応", "kundklagomål", "klage", "kundeklager", "utilfreds", "misfornøyd", "valitukset",
    "παράπονα", "Καταγγελία", "शिकायतें", "ข้อร้องเรียน", "жалобы", "Претензия", "скарга",
    "שביעות תלונה", "شكاوى", "민원접수",
    "müşteri şikayeti", "panaszkezelés", "zażalenie", "stížnosti", "keluhan", "phàn nàn",
]  # fmt: skip
OTHERS = [
    "compliance", "complete", "travel", "Gewerbe", "tank lager", "不满18岁", "不满足条件", "reclaim", "balance",
    "visit",
    "复查", "lager", "Klagenfurt"[:4], "card lost", "贷款", "компания", "pride", "skate",
]  # fmt: skip


@pytest.mark.parametrize("way", [str, str.upper, lambda one: f"re {one} of May", lambda one: f"X{one}"])
def test_a_complaint_is_told_by_its_stem(way: object) -> None:
    assert callable(way)
    assert [one for one in COMPLAINTS if not SHIPPED.is_complaint(way(one))] == []
    assert [one for one in OTHERS if SHIPPED.is_complaint(way(one))] == []


def test_what_has_a_name_of_its_own_is_no_complaint() -> None:
    others = [
        word for name, need in NEEDS.items() if name != COMPLAINT for word in (name, *need.spellings, *need.label)
    ]
    assert [word for word in others if SHIPPED.is_complaint(word)] == []


def test_a_complaint_by_its_stem_counts_as_long_as_any() -> None:
    assert SHIPPED.complaint_days("Kundenbeschwerde") == SHIPPED.complaint_days(COMPLAINT)
    assert SHIPPED.is_known_need("Kundenbeschwerde")

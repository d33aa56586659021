"""Totals of a campaign by what is known of its customers, on both databases, as its units come to one by one."""

from datetime import timedelta

import pytest

from recsys.domain.campaign_unit import CampaignUnit
from recsys.rules import ValueType
from recsys.storage.campaign_unit_log import SegmentCell
from recsys.storage.database import Database
from tests.builders import NOW, a_customer
from tests.recsys.storage.test_campaign_unit_log import CAMPAIGN, a_unit, save

PRODUCTS = ("1", "any_sales", "value", "value*value")
CITIES = ("上海", 'the "odd" one', None)


@pytest.fixture
def units(database: Database) -> list[CampaignUnit]:
    """Twelve units of two arms, epochs and days whose customers live in `CITIES`; every second one bought something."""
    with database.transaction() as log:
        log.add_campaign(CAMPAIGN)
        for number in range(12):
            city = CITIES[number % 3]
            known = {"city": city, "is_student": number % 3 == 0} if city else {}
            log.add_customer(a_customer(customer_id=f"c{number}", attributes=known), NOW)
    made = [
        a_unit(
            customer_id=f"c{number}",
            arm=("control", "pushed")[number % 2],
            epoch=1 + number // 6,
            assigned_at=NOW + timedelta(days=number // 9),
            sales=float(number % 2),
            value=10.0 * number,
        )
        for number in range(12)
    ]
    for unit in made:
        save(database, unit)
    return made


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        ("city", ValueType.TEXT, CITIES),
        ("is_student", ValueType.BOOLEAN, ("true", "false", None)),
        ("kind", ValueType.TEXT, ("customer", "customer", "customer")),
        ("vulnerable", ValueType.BOOLEAN, ("false", "false", "false")),
    ],
)
def test_segments_add_up_to_what_their_units_come_to(
    database: Database, units: list[CampaignUnit], column: str, kind: ValueType, values: tuple[str | None, ...]
) -> None:
    until = NOW.date()
    expected: dict[SegmentCell, dict[str, float]] = {}
    for number, unit in enumerate(units):
        if unit.day <= until:
            totals = expected.setdefault(
                SegmentCell(unit.epoch, unit.arm, values[number % 3]), dict.fromkeys(PRODUCTS, 0.0)
            )
            for name, more in zip(PRODUCTS, (1.0, float(unit.sales > 0), unit.value, unit.value**2), strict=True):
                totals[name] += more
    with database.read() as log:
        found = log.campaign_segment_totals("k1", until, (column, kind), PRODUCTS[1:])
    assert found == expected
    assert len(units) > sum(one["1"] for one in found.values()) > 0

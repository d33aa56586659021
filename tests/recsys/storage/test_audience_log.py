"""The size of an audience, which is what the rule's closure says of every customer in turn."""

from collections.abc import Mapping

import pytest

from recsys.domain.contact import Direction
from recsys.domain.customer import AttributeValue, CustomerKind
from recsys.domain.interaction import held_offers
from recsys.domain.offer import OfferKind
from recsys.ranking.eligibility import rule_facts
from recsys.rules import BUILT_IN, ValueType, parse_rule
from recsys.storage.database import Database
from tests.builders import NOW, a_catalogue, a_contact, a_customer, a_situation, an_offer
from tests.recsys.storage.importing import INTERACTIONS, Importer

VOCABULARY = {
    **BUILT_IN,
    "age": ValueType.NUMBER,
    "城市": ValueType.TEXT,
    "is_student": ValueType.BOOLEAN,
    'the "odd" 100% :name' + "x" * 60: ValueType.NUMBER,
}
ODD = '"the ""odd"" 100% :name' + "x" * 60 + '"'
CUSTOMERS = [
    a_customer(customer_id="c1", segment="affluent", risk_level=3, attributes={"age": 41.5, "城市": "上海"}),
    a_customer(customer_id="c2", segment="it's", attributes={"age": 25, "城市": None, "is_student": True}),
    a_customer(customer_id="c3", language="zh", attributes={"age": True, "城市": 7, "is_student": 1}),
    a_customer(customer_id="c4", vulnerable=True, attributes={"age": "41", "城市": "%s", "is_student": False}),
    a_customer(customer_id="c5", kind=CustomerKind.PROSPECT, attributes={ODD[1:-1].replace('""', '"'): 0.1 + 0.2}),
    a_customer(customer_id="c6", arrears=True, do_not_contact=True, risk_level=5, segment="Private\\"),
]
CONTACT: Mapping[str, AttributeValue] = {"channel": "phone", "direction": "inbound", "sentiment": -0.5}


@pytest.fixture
def base(database: Database) -> Database:
    """An event log with six customers."""
    with database.transaction() as log:
        for customer in CUSTOMERS:
            log.add_customer(customer, NOW)
    return database


@pytest.mark.parametrize(
    "text",
    [
        "age >= 25",
        "age IS NULL",
        "NOT age > 40",
        "城市 IN ('上海', '%s')",
        "is_student",
        "is_student IS NOT TRUE",
        "NOT (vulnerable OR arrears OR do_not_contact)",
        "kind = 'prospect' OR language = 'zh'",
        "risk_level % 2 = 1",
        "segment = 'it''s' OR segment = 'Private\\'",
        "LOWER(segment) < 'b'",
        f"ROUND({ODD}, 1) = 0.3",
        "channel = 'phone' AND direction = 'inbound' AND sentiment < 0",
        "channel = 'app' OR arrears",
        "held_count = 0",
        "CASE segment WHEN 'affluent' THEN age / 0 ELSE age END IS NULL",
    ],
)
def test_the_size_of_an_audience_is_the_number_of_customers_the_rule_is_true_for(base: Database, text: str) -> None:
    rule = parse_rule(text, VOCABULARY, ValueType.BOOLEAN)
    contact = a_contact(sentiment=-0.5, direction=Direction.INBOUND)
    situations = [a_situation(customer=customer, contact=contact) for customer in CUSTOMERS]
    facts = [rule_facts(situation, a_catalogue(), frozenset()) for situation in situations]
    with base.read() as log:
        assert log.audience_size(rule, CONTACT) == sum(rule.evaluate(one) is True for one in facts)


def test_what_is_not_said_of_the_contact_is_unknown(base: Database) -> None:
    with base.read() as log:
        assert log.audience_size(parse_rule("channel IS NULL AND sentiment IS NULL", VOCABULARY)) == len(CUSTOMERS)
        assert log.audience_size(parse_rule("direction = 'inbound'", VOCABULARY)) == 0


def test_a_constant_rule_counts_everybody_or_nobody(base: Database) -> None:
    with base.read() as log:
        sizes = [log.audience_size(parse_rule(text, VOCABULARY)) for text in ("TRUE", "1 > 2", "1 / 0 = 1")]
    assert sizes == [len(CUSTOMERS), 0, 0]


MOVES = """c1,card,2026-01-01,holding,,
c1,loan,2026-01-02,accepted,,
c1,loan,2026-02-02,cancelled,,
c1,loan,2026-03-02,inquiry,,
c1,fund,2026-01-05,cancelled,,
c1,fund,2026-01-06,accepted,,
c1,fix,2026-01-06,accepted,,
c2,card,2026-01-01,view,,
c2,loan,2026-01-01,declined,,
c3,card,2026-01-01,accepted,,
c3,card,2026-01-01,cancelled,,
c4,gone,2026-01-01,holding,,
"""


def test_held_offers_are_counted_as_decisions_count_them(importer: Importer) -> None:
    people = "".join(f"c{number},,,\n" for number in range(1, 6))
    importer.write(customers="customer_id,age,segment,language\n" + people, interactions=INTERACTIONS + MOVES)
    importer.run()
    catalogue = a_catalogue(
        an_offer("card"), an_offer("loan"), an_offer("fund"), an_offer("fix", kind=OfferKind.SERVICE)
    )
    with importer.database.read() as log:
        for count in range(4):
            rule = parse_rule(f"held_count = {count}", VOCABULARY)
            held = [
                rule_facts(a_situation(), catalogue, held_offers(log.history(name, NOW)))["held_count"]
                for name in ("c1", "c2", "c3", "c4", "c5")
            ]
            assert log.audience_size(rule, not_sales=["fix"]) == held.count(count)


@pytest.mark.parametrize(
    "text", ["age >= 25 AND NOT vulnerable", "is_student IS NOT TRUE", "城市 IS NULL", "held_count = 0"]
)
def test_samples_are_the_first_customers_by_id_the_rule_is_true_for_with_what_it_names(
    base: Database, text: str
) -> None:
    rule = parse_rule(text, VOCABULARY, ValueType.BOOLEAN)
    facts = {
        one.customer_id: rule_facts(a_situation(customer=one), a_catalogue(), frozenset())
        for one in sorted(CUSTOMERS, key=lambda one: one.customer_id)
    }
    wanted = [(name, known) for name, known in facts.items() if rule.evaluate(known) is True][:3]
    with base.read() as log:
        found = log.audience_samples(rule, 3)
    assert [one.customer_id for one in found] == [name for name, _ in wanted]
    assert [dict(one.facts) for one in found] == [
        {name: read(known) for name, read in rule.readers.items()} for _, known in wanted
    ]

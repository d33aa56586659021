"""What training may know of customers and offers besides their events."""

from pathlib import Path

import numpy as np

from recsys.catalogue.offer_rows import offer_to_dict
from recsys.domain.customer import Customer
from recsys.domain.facts import customer_facts, offer_facts
from recsys.storage.exported_offers import write_offers
from tests.builders import an_offer
from tests.training.events import bought, dataset_of, day, export


def test_the_facts_of_customers_come_in_the_order_asked_for(tmp_path: Path) -> None:
    customers = (
        Customer("a", segment="gold", risk_level=3, attributes={"年龄": 41.0, "owner": True, "segment": "never"}),
        Customer("b", language="zh-CN", attributes={"owner": False}),
    )
    with dataset_of(export(tmp_path, bought("a", "x", 1), customers=customers)) as dataset:
        facts = dataset.customer_facts(["unknown", "b", "a", "b"], day(2))
    assert {name: values.tolist() for name, values in facts.items() if values.dtype == object} == {
        "kind": [None, "customer", "customer", "customer"],
        "language": [None, "zh-CN", None, "zh-CN"],
        "segment": [None, None, "gold", None],
        "owner": [None, False, True, False],
    }
    np.testing.assert_array_equal(facts["risk_level"], [np.nan, np.nan, 3, np.nan])
    np.testing.assert_array_equal(facts["年龄"], [np.nan, np.nan, 41, np.nan])


def test_the_facts_of_offers_are_those_of_the_exported_catalogue(tmp_path: Path) -> None:
    export(tmp_path, bought("a", "x", 1))
    fund = {"offer_id": "fund", "kind": "product", "family": "基金", "risk_level": 4, "channels": ["app"]}
    write_offers(
        [fund | {"margin": None, "handling_seconds": 60.0, "intents": [], "valid_from": None}],
        tmp_path / "offers.parquet",
    )
    with dataset_of(tmp_path) as dataset:
        assert dataset.offer_facts() == {
            "fund": {"kind": "product", "family": "基金", "risk_level": 4, "margin": None, "handling_seconds": 60.0}
            | {"channels": ["app"], "intents": []}
        }


def test_without_the_files_there_are_no_facts(tmp_path: Path) -> None:
    export(tmp_path, bought("a", "x", 1))
    (tmp_path / "customers.parquet").unlink()
    with dataset_of(tmp_path) as dataset:
        assert (dataset.customer_facts(["a"], day(2)), dataset.offer_facts()) == ({}, {})


def test_training_and_decisions_encode_the_same_facts_alike(tmp_path: Path) -> None:
    customers = tuple(
        Customer(
            f"c{number:03d}",
            segment="gold" if number % 3 else None,
            risk_level=1 + number % 5,
            attributes={"年龄": 20.0 + number, "owner": number % 2 == 0, "city": "上海"},
        )
        for number in range(150)
    )
    offers = [an_offer("card", family="card", margin=10.0), an_offer("fund", family="基金", risk_level=4, margin=90.0)]
    events = [bought(customer.customer_id, "card", 1) for customer in customers] + [bought("c001", "fund", 2)]
    export(tmp_path, *events, customers=customers)
    write_offers([offer_to_dict(offer) for offer in offers], tmp_path / "offers.parquet")
    with dataset_of(tmp_path) as dataset:
        known = dataset.with_facts(dataset.as_of(day(5)), day(5))
    side = known.side
    assert side is not None
    assert len(side.customer_space) >= 10
    by_decision = side.customer_space.encode([customer_facts(customer) for customer in customers])
    assert np.array_equal(side.customers.toarray(), by_decision.toarray())
    assert np.array_equal(
        side.offers.toarray(), side.offer_space.encode([offer_facts(offer) for offer in offers]).toarray()
    )


def test_the_purchases_come_in_time_order_and_say_what_is_still_open(tmp_path: Path) -> None:
    events = (bought("a", "x", 3), bought("b", "x", 1), bought("a", "y", 2), bought("a", "y", 4, "view"))
    export(tmp_path, *events, bought("a", "z", 9))
    write_offers([offer_to_dict(an_offer("y", repeatable=True))], tmp_path / "offers.parquet")
    with dataset_of(tmp_path) as dataset:
        matrix = dataset.with_facts(dataset.as_of(day(5)), day(5)).interactions
    assert matrix.events is not None
    assert matrix.open_share is not None
    assert matrix.events.rows.tolist() == [0, 0, 1]
    assert matrix.events.columns.tolist() == [1, 0, 0]
    assert matrix.events.age_days.tolist() == [3, 2, 4]
    assert matrix.open_share.tolist() == [0, 1, 1]

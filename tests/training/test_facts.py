"""What training may know of customers and offers besides their events."""

from pathlib import Path

import numpy as np

from recsys.domain.customer import Customer
from recsys.storage.exported_offers import write_offers
from tests.training.events import bought, export
from training.dataset import Dataset


def test_the_facts_of_customers_come_in_the_order_asked_for(tmp_path: Path) -> None:
    customers = (
        Customer("a", segment="gold", risk_level=3, attributes={"年龄": 41.0, "owner": True, "segment": "never"}),
        Customer("b", language="zh-CN", attributes={"owner": False}),
    )
    with Dataset(export(tmp_path, bought("a", "x", 1), customers=customers)) as dataset:
        facts = dataset.customer_facts(["unknown", "b", "a", "b"])
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
    with Dataset(tmp_path) as dataset:
        assert dataset.offer_facts() == {
            "fund": {"kind": "product", "family": "基金", "risk_level": 4, "margin": None, "handling_seconds": 60.0}
            | {"channels": ["app"], "intents": []}
        }


def test_without_the_files_there_are_no_facts(tmp_path: Path) -> None:
    export(tmp_path, bought("a", "x", 1))
    (tmp_path / "customers.parquet").unlink()
    with Dataset(tmp_path) as dataset:
        assert (dataset.customer_facts(["a"]), dataset.offer_facts()) == ({}, {})

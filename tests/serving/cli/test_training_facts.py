"""`nbo models lineage` says of a fact that customers and offers both have whose it is."""

from serving.cli.train_commands import told_apart


def test_a_fact_of_both_says_whose_it_is_and_others_are_named_alone() -> None:
    of_customers, of_offers = ("age", "kind", "risk_level"), ("family", "kind", "risk_level")
    assert told_apart((*of_customers, *of_offers)) == [
        "age", "kind (of customers)", "risk_level (of customers)", "family", "kind (of offers)", "risk_level (of offers)",
    ]  # fmt: skip
    assert told_apart(of_customers) == [*of_customers]

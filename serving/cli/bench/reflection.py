"""Measures how soon an answer counts: from posting an outcome to the next decision that reflects it."""

import time

import httpx2
import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import StoreUnavailable


def outcome_to_next_decision(port: int, customers: list[str]) -> NDArray[np.float64]:
    """Return, for each customer, the milliseconds from sending a refusal until a decision without that offer is there.

    StoreUnavailable when the next decision still makes the offer: the loop would be broken.
    """
    took = []
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for customer_id in customers:
            contact = {"customer_id": customer_id, "channel": "phone", "agent_id": "bench"}
            decision = client.post("/v1/contacts", json=contact).json()["decision"]
            if not decision["offers"]:
                continue
            offer_id = decision["offers"][0]["offer_id"]
            outcome = {"decision_id": decision["decision_id"], "offer_id": offer_id, "answer": "declined"}
            began = time.perf_counter()
            client.post("/v1/outcomes", json=outcome, headers={"Idempotency-Key": decision["decision_id"]})
            following = client.post("/v1/contacts", json=contact).json()["decision"]
            took.append((time.perf_counter() - began) * 1000)
            if offer_id in {offer["offer_id"] for offer in following["offers"]}:
                raise StoreUnavailable("The next decision does not know the answer that was acknowledged before it.")
    return np.array(took)

"""A bank's own functions in service: asked before the transaction and until a deadline, of what it finds known."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from features.own_calls import ALWAYS
from recsys.domain.errors import SettingsInvalid
from serving.cli.own_features_check import check_own_features
from tests.serving import test_own_features
from tests.serving.test_own_features import FILE, judged, write
from tests.serving.test_served_features import Bank

server, shared, bank = test_own_features.server, test_own_features.shared, test_own_features.bank


@pytest.mark.parametrize("body", ["[None for _ in iter(int, 1)]", "__import__('time').sleep(3)"])
def test_a_function_that_does_not_return_is_missing_and_put_aside_and_everybody_is_served(
    body: str, bank: Bank
) -> None:
    write(bank, FILE.replace("salary_paid / age if", f"{body} if"))
    bank.fill()
    for _ in range(3):
        decision = bank.decide("c0")
        assert decision["features_missing"] == ["salary_by_age"]
        assert decision["degraded"]
        assert judged(decision)["by_age"] == "eligibility_unknown"
        assert judged(decision)["pays"] == "open"
    began = time.monotonic()
    assert bank.decide("c0")["features_missing"] == ["salary_by_age"]
    assert time.monotonic() - began < 1
    ready = bank.ready()
    assert ready["mode"] == "degraded"
    assert "did not return within 125 ms" in ready["functions_aside"]["salary_by_age"]
    assert bank.metric('nbo_own_function_aside{function="salary_by_age"}') == 1
    with pytest.raises(SettingsInvalid, match=r"did not return in time, in the latest decisions: salary_by_age in 4"):
        check_own_features(bank.services.settings)
    write(bank)
    bank.fill()
    assert bank.decide("c0")["features_missing"] == []  # another version is called at once
    assert bank.ready()["mode"] == "normal"
    assert bank.metric('nbo_own_function_aside{function="salary_by_age"}') == 0


def test_a_function_that_always_fails_is_said_until_it_does_not(bank: Bank) -> None:
    write(bank, FILE.replace("salary_paid / age if", "10 ** 400 / float(salary_paid) if"))
    bank.fill()
    for _ in range(ALWAYS):
        assert "functions_failing" not in bank.ready()
        assert bank.decide("c0")["features_missing"] == ["salary_by_age"]
    ready = bank.ready()
    assert ready["functions_failing"] == {"salary_by_age": f"failed in each of the latest {ALWAYS} decisions"}
    assert ready["mode"] == "degraded"
    bank.decide("c2")  # of whom nothing is known: there it does not fail
    assert "functions_failing" not in bank.ready()


def test_nobody_waits_for_the_log_while_a_function_runs(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank.services.features.own, "_seconds", 5.0)
    write(bank, FILE.replace("salary_paid / age if", "(__import__('time').sleep(2), salary_paid / age)[1] if"))
    bank.fill()
    decided: list[dict[str, Any]] = []
    deciding = threading.Thread(target=lambda: decided.append(bank.decide("c0")))
    deciding.start()
    longest = 0.0
    while deciding.is_alive():
        began = time.monotonic()
        with bank.services.database.transaction() as log:
            log.own_features_number()
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.02)
    assert longest < 1
    assert decided[0]["inputs"]["own"]["salary_by_age"] == 3000.0 / 44.0


def test_code_that_is_never_loaded_to_its_end_holds_nobody_up(bank: Bank, tmp_path: Path) -> None:
    hangs, own = tmp_path / "hangs", bank.services.features.own
    wait = f"\nimport os, time\nwhile os.path.exists({str(hangs)!r}):\n    time.sleep(0.1)\n\n@payroll"
    write(bank, FILE.replace("\n\n@payroll", wait))
    bank.fill()
    hangs.touch()
    try:
        own._versions.clear()  # as in a process that has just started
        assert bank.decide("c0")["features_missing"] == ["salary_by_age"]
        assert bank.ready()["functions_aside"] == {"salary_by_age": "its file has not been loaded to the end yet"}
    finally:
        hangs.unlink()
    own.wait(5)
    assert bank.decide("c0")["features_missing"] == []


COUNTS = FILE.replace(
    "salary_paid: float | None, age: float | None", "salary_paid: float | None, accepted_count_365d: int | None"
).replace(
    "salary_paid / age if salary_paid is not None and age else", "float(accepted_count_365d or 0) if salary_paid else"
)


def test_a_function_hears_of_an_answer_in_the_decision_that_follows_it(bank: Bank) -> None:
    write(bank, COUNTS)
    bank.fill()
    said = bank.client.post("/v1/contacts", json={"customer_id": "c0", "channel": "phone"}).json()
    contact, before = said["decision"]["contact_id"], record(bank, said)
    offer = said["decision"]["offers"][0]["offer_id"]
    answer = {"decision_id": said["decision"]["decision_id"], "offer_id": offer, "answer": "accepted"}
    told = bank.client.post("/v1/outcomes", json={**answer, "disclosure_read": True}, headers={"Idempotency-Key": "a1"})
    assert told.status_code == 201, told.text
    after = record(bank, bank.client.get(f"/v1/contacts/{contact}").json())
    assert after["inputs"]["own"]["salary_by_age"] == before["inputs"]["own"]["salary_by_age"] + 1
    assert (before["features_missing"], after["features_missing"]) == ([], [])
    for path, body in (
        ("events", {"type": "utterance", "text": "hello"}),
        ("handoff", {"agent_id": "a1"}),
    ):
        assert bank.client.post(f"/v1/contacts/{contact}/{path}", json=body).status_code < 300, path
    consent = {"purpose": "partner", "granted": False, "why": "asked"}
    assert bank.client.post("/v1/customers/c0/consents", json=consent).status_code < 300
    last = record(bank, bank.client.get(f"/v1/contacts/{contact}").json())
    assert last["decision_id"] != after["decision_id"]
    assert last["inputs"]["own"]["salary_by_age"] == after["inputs"]["own"]["salary_by_age"]


def test_an_offer_is_previewed_with_what_functions_say(bank: Bank) -> None:
    offer = {"offer_id": "new", "title": "New", "kind": "product", "family": "x", "margin": 1, "risk_level": 1,
             "terms": {"line": "salary_by_age"}}  # fmt: skip
    answer = bank.client.post("/v1/offers/preview", json={"offer": offer, "customer_id": "c0"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["card"]["terms"]["line"] == pytest.approx(3000 / 44)


def record(bank: Bank, said: dict[str, Any]) -> dict[str, Any]:
    with bank.services.database.read() as log:
        return log.decision(str(said["decision"]["decision_id"]))

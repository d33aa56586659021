"""What stands under a rule while it is written: its fault with the place, or its audience."""

import pytest
from fastapi.testclient import TestClient

from serving.consoles.reasons import say_reason
from serving.consoles.rule_routes import fault_of
from tests.builders import NOW, a_customer

URL = "/marketing/rule"
COUNTED = {"about": "customer", "wants_count": "true"}


@pytest.fixture
def bank(api: TestClient) -> TestClient:
    """The service with four customers, two of them over thirty."""
    services = api.app.state.services  # type: ignore[attr-defined]
    with services.database.transaction() as log:
        log.set_attribute_types({"age": "number"})
        for age in (20, 30, 40, 50):
            log.add_customer(a_customer(customer_id=f"p{age}", name=f"<Li {age}>", attributes={"age": age}), NOW)
    return api


def shown(api: TestClient, rule: str, **form: str) -> str:
    answer = api.post(URL, data={"rule": rule, **form})
    assert answer.status_code == 200
    return answer.text


def test_a_fault_is_marked_in_its_line(bank: TestClient) -> None:
    page = shown(bank, "age > 30\nAND agee < 50", **COUNTED)
    assert "Line 2, column 5:" in page
    assert 'data-line="2" data-column="5" data-length="4"' in page
    assert "<code>AND <mark>agee</mark> &lt; 50</code>" in page


def test_a_fault_past_the_end_has_a_place_too(bank: TestClient) -> None:
    assert "<mark> </mark>" in shown(bank, "age >")


def test_an_audience_is_counted_and_sampled_as_text(bank: TestClient) -> None:
    page = shown(bank, "age > 30", **COUNTED)
    assert "2 customers" in page
    assert "50 % of all 4" in page
    assert "&lt;Li 40&gt;" in page


def test_a_rule_that_takes_nobody_says_so(bank: TestClient) -> None:
    assert "0 customers" in shown(bank, "age > 99", **COUNTED)


def test_no_rule_means_everybody(bank: TestClient) -> None:
    assert "Everybody." in shown(bank, "  ", **COUNTED)


def test_a_rule_about_the_contact_cannot_be_counted(bank: TestClient) -> None:
    assert "cannot be counted" in shown(bank, "channel = 'phone'", wants_count="true")
    assert "Line 1, column 1:" in shown(bank, "channel = 'phone'", **COUNTED)


def test_a_rule_check_from_another_site_is_refused(bank: TestClient) -> None:
    assert bank.post(URL, data={"rule": "TRUE"}, headers={"origin": "http://evil.example"}).status_code == 403


def test_a_fault_is_said_in_chinese(bank: TestClient) -> None:
    page = bank.post(URL, data={"rule": "agee > 1"}, headers={"accept-language": "zh"}).text
    assert "第 1 行第 1 列：" in page
    assert "没有这个名称，最接近的是 age" in page


@pytest.mark.parametrize(
    ("reason", "chinese"),
    [
        ("a number is needed here, but this is a text", "此处需要数字，但这是文本"),
        ("must be a number from 0 to 1", "应为 0 到 1 之间的数"),
        (
            "line 2, column 7: the rule ends too early; something is missing here",
            "第 2 行第 7 列：规则不完整，此处缺少内容",
        ),
        ("something nobody has translated", "Something nobody has translated"),
    ],
)
def test_a_reason_is_said_in_chinese_where_it_is_known(reason: str, chinese: str) -> None:
    assert say_reason(reason, "zh") == chinese


def test_a_text_in_quotes_is_marked_as_a_whole() -> None:
    fault = fault_of("age = 'forty two' OR TRUE", 1, 7, "")
    assert (fault.before, fault.fault, fault.after) == ("age = ", "'forty two'", " OR TRUE")

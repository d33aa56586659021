"""What pages call the things of the domain: each by its label, whatever nobody has named as it is written."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.domain.channel import CHANNELS
from recsys.domain.offer import OfferKind
from recsys.domain.protection import DELIVERED_FLAGS, FLAGS, Flag, Purpose
from recsys.domain.vocabulary import NEEDS
from serving import consoles
from serving.consoles.called import Called

TEMPLATES = sorted((Path(consoles.__file__).parent / "templates").glob("*.html"))
MEANT = {("_suggestions.html", "profiling"), ("_protections.html", "protection_unreadable"), ("icons.html", "*")}
"""Where a page does something of its own for one name."""


@pytest.fixture
def called(api: TestClient) -> Called:
    return Called(api.app.state.services, "zh")  # type: ignore[attr-defined]


def test_every_name_of_the_domain_is_called_by_its_label(called: Called) -> None:
    for name, channel in CHANNELS.items():
        assert (called.channel(name), called.icon(name)) == (channel.label[1], channel.icon)
    assert {called.kind(one) for one in OfferKind} == {one.label[1] for one in OfferKind}
    assert [called.flag(name) for name in FLAGS] == [flag.label[1] for flag in FLAGS.values()]
    assert [called.need(name) for name in NEEDS] == [need.label[1] for need in NEEDS.values()]
    assert all(re.search("[一-鿿]", called.purpose(one)) for one in Purpose)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text())
def test_what_nobody_has_named_is_called_as_it_is_written_and_never_fails(called: Called, text: str) -> None:
    for name in (called.channel, called.kind, called.flag, called.purpose, called.need, called.subject, called.icon):
        assert isinstance(name(text), str)


def test_a_flag_that_is_added_stands_on_the_agents_page_and_in_its_form(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = {**FLAGS, "deceased": Flag(("Has died", "已故"), ("Has died: no sales", "客户已故"))}
    monkeypatch.setattr("serving.consoles.called.FLAGS", added)
    monkeypatch.setattr("serving.consoles.desk.DELIVERED_FLAGS", (*DELIVERED_FLAGS, "deceased"))
    contact = api.post("/v1/contacts", json={"customer_id": "c1", "channel": "phone"}).json()["contact"]["contact_id"]
    assert "Has died: yes" in api.get(f"/agent/contacts/{contact}").text


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_page_names_a_channel_a_flag_a_kind_or_a_consent_by_itself(template: Path) -> None:
    text = re.sub(r"say\(\s*[\"']\w+[\"']", "", template.read_text(encoding="utf-8"))
    literals = set(re.findall(r"[\"'](\w+)[\"']", " ".join(re.findall(r"{[{%].*?[%}]}", text, re.DOTALL))))
    names = literals & {*CHANNELS, *FLAGS, *OfferKind, *Purpose}
    assert {one for one in names if not {(template.name, one), (template.name, "*")} & MEANT} == set()

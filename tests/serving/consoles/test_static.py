"""The pages' own files: compressed, kept for good by their digest, and everything else as it was."""

import re

import httpx2
from fastapi.testclient import TestClient


def fetched(api: TestClient, path: str, accepted: str = "gzip") -> httpx2.Response:
    return api.get(path, headers={"accept-encoding": accepted})


def test_files_are_sent_compressed_to_whoever_can_read_that(api: TestClient) -> None:
    packed, plain = fetched(api, "/static/console.css"), fetched(api, "/static/console.css", "identity")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text


def test_a_font_is_not_compressed_again(api: TestClient) -> None:
    assert "content-encoding" not in fetched(api, "/static/vendor/inter-latin.woff2").headers


def test_what_a_page_names_by_its_digest_is_kept_for_good_and_the_rest_asked_for_again(api: TestClient) -> None:
    named = re.findall(r'(?:src|href)="(/static/[^"]+)"', api.get("/agent").text)
    assert len(named) >= 6
    assert all(re.search(r"\?v=[0-9a-f]{12}$", one) for one in named)
    assert {api.get(one).headers["cache-control"] for one in named} == {"public, max-age=31536000, immutable"}
    unversioned = api.get("/static/outbox.js")
    assert unversioned.headers["cache-control"] == "no-cache"
    again = api.get("/static/outbox.js", headers={"if-none-match": unversioned.headers["etag"]})
    assert again.status_code == 304


def test_pages_and_streams_are_not_held_back_by_compression(api: TestClient) -> None:
    assert "content-encoding" not in fetched(api, "/agent").headers

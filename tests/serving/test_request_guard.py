"""Tests of the rules for requests: host, origin, API key, headers of answers."""

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.serving.conftest import MakeClient

from posescope.serving.api_keys import ApiKeys
from posescope.serving.request_guard import error_body, is_loopback

KEY = "0123456789abcdef-key"


@pytest.mark.parametrize("headers", [{"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer  {KEY}"}])
def test_known_key_opens_the_server(make_client: MakeClient, headers: dict[str, str]) -> None:
    assert make_client(keys=ApiKeys([KEY])).get("/model", headers=headers).status_code == 200


def test_protected_paths_need_a_key(make_client: MakeClient, photo: bytes) -> None:
    client = make_client(keys=ApiKeys([KEY]))
    for headers in ({}, {"X-API-Key": KEY[:-1]}, {"X-API-Key": ""}, {"Authorization": KEY}, {"Authorization": f"Basic {KEY}"}):
        for path in ("/model", "/metrics"):
            answer = client.get(path, headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert client.post("/predict", content=photo, headers=headers).status_code == 401
    for open_path in ("/health", "/docs", "/openapi.json"):
        assert client.get(open_path).status_code == 200
    assert "<form" not in client.get("/docs").text
    assert client.get("/model", headers={"X-API-Key": "x", "Authorization": f"Bearer {KEY}"}).status_code == 200


@pytest.mark.parametrize("path", ["//predict", "/predict/", "/%70redict", "/model;x", "/Model"])
def test_other_spellings_do_not_avoid_the_key(make_client: MakeClient, photo: bytes, path: str) -> None:
    client = make_client(keys=ApiKeys([KEY]))
    answer = client.post(f"http://127.0.0.1{path}", content=photo, headers={"Content-Type": "image/jpeg"}, follow_redirects=True)
    assert answer.status_code in (401, 404, 405)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/predict%0A", 400),
        ("/predict%0D", 400),
        ("/predict%00", 400),
        ("//predict", 401),
        ("/predict/", 401),
        ("/health%0A", 400),
    ],
)
def test_every_path_that_is_not_open_needs_a_key(make_client: MakeClient, photo: bytes, path: str, status: int) -> None:
    client = make_client(keys=ApiKeys([KEY]))
    answer = client.post(f"http://127.0.0.1{path}", content=photo, headers={"Content-Type": "image/jpeg"}, follow_redirects=False)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


@pytest.mark.parametrize(
    ("host", "is_local", "status"),
    [
        ("localhost:8000", True, 200),
        ("127.0.0.1", True, 200),
        ("[::1]:8000", True, 200),
        ("evil.example", True, 403),
        ("127.0.0.1.evil.example:8000", True, 403),
        ("evil.example", False, 200),
    ],
)
def test_loopback_server_answers_to_its_own_names(make_client: MakeClient, host: str, is_local: bool, status: int) -> None:
    assert make_client(is_local=is_local).get("/health", headers={"Host": host}).status_code == status


def test_further_names_of_a_loopback_server(make_client: MakeClient) -> None:
    client = make_client(names=["Poses.example"])
    found = {name: client.get("/health", headers={"Host": name}).status_code for name in ("poses.example:443", "a.poses.example")}
    assert found == {"poses.example:443": 200, "a.poses.example": 403}


def test_request_of_the_page_of_another_site_is_refused(make_client: MakeClient, photo: bytes) -> None:
    client = make_client()
    for site, status in (("cross-site", 403), ("same-origin", 200), ("none", 200)):
        answer = client.post("/predict", content=photo, headers={"Sec-Fetch-Site": site, "Content-Type": "image/jpeg"})
        assert answer.status_code == status


def test_every_answer_has_security_headers(make_client: MakeClient) -> None:
    client: TestClient = make_client()
    for path in ("/docs", "/health", "/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers


def test_websocket_is_closed(make_client: MakeClient) -> None:
    with pytest.raises(WebSocketDisconnect), make_client().websocket_connect("/predict"):
        pass


def test_addresses_of_this_machine_only() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "LOCALHOST")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "", "localhost.evil.example")] == [False] * 5


def test_error_is_one_line() -> None:
    assert error_body("a\nb\x1b") == b'{"error": "a b\\\\x1b"}'

"""Requests: own page, foreign pages, foreign hosts, tokens, and a thousand malformed ones."""

import base64
import json
import random
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from dash import Dash, Input, Output, dcc, html
from PIL import Image
from werkzeug.test import Client

from posescope.core.errors import DataError
from posescope.explorer.app import application
from posescope.explorer.app.application import PRELOADED, create_app
from posescope.explorer.app.request_rules import GuardedApplication, RequestRules, content_security_policy, is_loopback
from posescope.explorer.uploads import UploadLimits, bytes_of_data_uri, read_upload

OWN = {"Host": "127.0.0.1:8050"}
POST = {**OWN, "Origin": "http://127.0.0.1:8050", "Sec-Fetch-Site": "same-origin"}
UPDATE = "/_dash-update-component"
PLACES = [
    "/etc/passwd", "/../../../etc/passwd", "/assets/../application.py", "/assets/..%2f..%2fserver.py", "/assets/%2e%2e/tabs.py",
    "/_dash-component-suites/dash/../../x.js", "/_dash-component-suites/posescope/__init__.py", "/assets//etc/passwd", "/%00",
    "/_dash-component-suites/dash/dcc/../dash.py", "/_dash-component-suites/os/os.py", "/assets/", "//etc/passwd",
    "/_dash-layout/x", "/_dash-component-suites/", "/_dash-update-component", "/_reload-hash", "/?slice=%ff", "/?" + "a" * 2000,
]  # fmt: skip


class EchoTab:
    """A tab whose callback doubles a number, and refuses 13."""

    name, title = "echo", "Echo"

    def layout(self) -> html.Div:
        return html.Div([html.Button(id="echo-in"), html.P([html.B(dcc.Graph(id="echo-graph"))], id="echo-out")])

    def register(self, app: Dash) -> None:
        @app.callback(Output("echo-out", "children"), Input("echo-in", "n_clicks"))
        def double(clicks: Any) -> Any:
            if clicks == 13:
                raise DataError("13 is refused.")
            return 2 * clicks + 0


def body(value: Any) -> dict[str, Any]:
    return {
        "output": "echo-out.children",
        "outputs": {"id": "echo-out", "property": "children"},
        "inputs": [{"id": "echo-in", "property": "n_clicks", "value": value}],
        "changedPropIds": ["echo-in.n_clicks"],
    }


def client(rules: RequestRules | None = None, tab: EchoTab | None = None) -> Client:
    app = create_app([tab or EchoTab()], "A run", "3 persons")
    app.server.wsgi_app = GuardedApplication(app.server.wsgi_app, rules or RequestRules("127.0.0.1", 8050), app.csp_hashes())
    return Client(app.server)


def test_own_page_is_answered() -> None:
    page = client()
    assert page.get("/", headers=OWN).status_code == 200
    assert "Echo" in page.get("/_dash-layout", headers=OWN).text
    answer = page.post(UPDATE, json=body(4), headers=POST)
    assert answer.json["response"]["echo-out"]["children"] == 8


def test_no_graph_has_the_button_that_uploads_it() -> None:
    text = client().get("/_dash-layout", headers=OWN).text
    assert json.loads(text[text.index('"config":') + 9 : text.index("}", text.index('"config":')) + 1]) == {
        "displaylogo": False,
        "showSendToCloud": False,
        "plotlyServerURL": "",
    }


def test_every_script_and_style_of_the_page_is_its_own() -> None:
    page = client()
    text = page.get("/", headers=OWN).text
    assert "http://" not in text
    assert "https://" not in text
    sources = [part.split('"')[0] for part in text.split('src="')[1:]]
    assert len(sources) > 5
    assert {page.get(source, headers=OWN).status_code for source in sources} == {200}


def test_scripts_that_dash_asks_for_later_are_loaded_at_once_and_kept() -> None:
    page = client()
    text = page.get("/", headers=OWN).text
    for path in PRELOADED:
        assert f'<link rel="preload" as="script" href="{path}">' in text
        answer = page.get(path, headers=OWN)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")
        again = page.get(path, headers={**OWN, "If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304
    assert page.get("/_dash-layout", headers=OWN).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "host", ["evil.example:8050", "127.0.0.1:9999", "127.0.0.1", "", "localhost.evil.example:8050", "10.0.0.1:8050"]
)
def test_foreign_hosts_are_refused(host: str) -> None:
    assert client().get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8050", "127.0.0.1:8050", "[::1]:8050", "LOCALHOST:8050"])
def test_own_hosts_are_known(host: str) -> None:
    assert client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:8050"},
        {"Origin": "http://127.0.0.1:8051"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:8050", "Sec-Fetch-Site": "same-site"},
        {},
    ],
)
def test_posts_of_other_pages_are_refused(headers: dict[str, str]) -> None:
    assert client().post(UPDATE, json=body(4), headers={**OWN, **headers}).status_code == 403


def test_other_pages_may_link_but_not_load() -> None:
    other = {**OWN, "Sec-Fetch-Site": "cross-site"}
    assert client().get("/", headers={**other, "Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert client().get("/", headers={**other, "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert client().get("/_dash-layout", headers={**other, "Sec-Fetch-Mode": "navigate"}).status_code == 403


def test_large_requests_are_refused() -> None:
    rules = RequestRules("127.0.0.1", 8050, max_request_bytes=1000)
    assert client(rules).post(UPDATE, data=b"x" * 1001, headers=POST).status_code == 413
    for length in ("-5", "abc", "9" * 30):
        answer = client(rules).post(UPDATE, headers=POST, environ_overrides={"CONTENT_LENGTH": length})
        assert answer.status_code == 400


def test_token_opens_the_page_once_and_becomes_a_cookie() -> None:
    page = client(RequestRules("0.0.0.0", 8050, "s3cret"))
    lan = {"Host": "10.0.0.7:8050"}
    assert page.get("/", headers=lan).status_code == 403
    assert page.get("/?token=wrong", headers=lan).status_code == 403
    assert page.get("/?token=%ff%fe", headers=lan).status_code == 403
    assert page.get("/_dash-layout?token=s3cret", headers=lan).status_code == 403
    first = page.get("/?token=s3cret&slice=2", headers=lan)
    assert (first.status_code, first.headers["Location"]) == (303, "/?slice=2")
    assert {"HttpOnly", "SameSite=Lax"} <= set(first.headers["Set-Cookie"].split("; "))
    cookie = first.headers["Set-Cookie"].partition(";")[0]
    assert page.get("/?slice=2", headers={**lan, "Cookie": cookie}).status_code == 200
    assert Client(page.application).get("/", headers={**lan, "Cookie": "posescope_8050=s3cre"}).status_code == 403
    assert page.get("/", headers={"Host": "evil.example:8050", "Cookie": cookie}).status_code == 421


def test_headers_forbid_outside_addresses_on_every_answer() -> None:
    page = client()
    for answer in (page.get("/", headers=OWN), page.get("/nothing", headers=OWN), page.get("/", headers={"Host": "evil"})):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self' 'unsafe-eval' 'sha256-")
        assert "http" not in policy
        assert "unsafe-inline" not in policy.split("style-src")[0]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "'sha256-abc'" in content_security_policy(["'sha256-abc'"])


def test_errors_of_callbacks_are_shown_on_the_page(caplog: pytest.LogCaptureFixture) -> None:
    page = client()
    expected = page.post(UPDATE, json=body(13), headers=POST)
    assert expected.json["sideUpdate"]["notice"] == {"children": "13 is refused.", "hidden": False}
    assert caplog.records == []
    unexpected = page.post(UPDATE, json=body({"a": 1}), headers=POST)
    assert unexpected.status_code == 200
    assert "TypeError" in unexpected.json["sideUpdate"]["notice"]["children"]
    assert caplog.records[-1].exc_info is not None


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)]
)
def test_loopback_addresses(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def _spoil(rng: random.Random, value: Any) -> Any:
    """Return JSON with some parts replaced by others."""
    junk: list[Any] = [
        None,
        True,
        -1,
        1e308,
        2**70,
        "",
        "../../etc/passwd",
        "\x00",
        "é" * 300,
        [],
        [[]],
        {},
        {"id": {}},
        "__class__",
    ]
    if rng.random() < 0.25:
        return rng.choice(junk)
    if isinstance(value, dict):
        return {(rng.choice(["x", "", "id"]) if rng.random() < 0.1 else key): _spoil(rng, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_spoil(rng, one) for one in value] * rng.choice([0, 1, 1, 3])
    return value


def _malformed(rng: random.Random) -> tuple[str, str, dict[str, str], bytes]:
    """Return method, path, headers and body."""
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(["GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "X"]), rng.choice(PLACES), dict(POST), b""
    if kind < 0.4:
        return "GET", "/", {**OWN, "Cookie": "a=" + "\x7f" * 9}, b""
    headers = {**POST, "Content-Type": rng.choice(["application/json", "application/json", "text/plain", "multipart/form-data"])}
    content = json.dumps(_spoil(rng, body(rng.choice([1, 13, "x"])))).encode()
    if rng.random() < 0.2:
        content = bytes(rng.randrange(256) for _ in range(40))
    if rng.random() < 0.1:
        content = b"[" * 5000 + b"]" * 5000
    return "POST", UPDATE, headers, content


def test_a_thousand_malformed_requests_do_no_harm() -> None:
    rng, page, statuses = random.Random(0), client(), []
    secrets = (b"root:", b"GuardedApplication", b"def create_app", b"Traceback")
    for _ in range(1000):
        method, path, headers, content = _malformed(rng)
        answer = page.open(path, method=method, headers=headers, data=content)
        statuses.append(answer.status_code)
        assert answer.status_code < 500, (method, path, content)
        assert not any(secret in answer.data for secret in secrets), (method, path)
    assert len(set(statuses)) > 4
    assert page.post(UPDATE, json=body(4), headers=POST).json["response"]["echo-out"]["children"] == 8


def test_own_files_are_only_the_assets() -> None:
    page = client()
    with page.get("/assets/explorer.css", headers=OWN) as answer:
        assert answer.status_code == 200
    for path in Path(application.__file__).parent.glob("*.py"):
        assert page.get(f"/assets/../{path.name}", headers=OWN).status_code == 404


def jpeg_of(size: int) -> bytes:
    """Return a JPEG file of that many bytes: comments follow its first two."""
    stream = BytesIO()
    Image.new("RGB", (40, 30)).save(stream, "JPEG")
    start, rest = stream.getvalue()[:2], stream.getvalue()[2:]
    left, comments = size - len(start) - len(rest), []
    while left:
        own = left if left <= 60_000 else min(60_000, left - 4)
        comments.append(b"\xff\xfe" + (own - 2).to_bytes(2, "big") + bytes(own - 4))
        left -= own
    return start + b"".join(comments) + rest


@pytest.mark.parametrize(("more", "answered"), [(0, "30 x 40 px"), (1, "at most 25 MB")])
def test_largest_upload_passes_and_a_byte_more_gets_the_sentence_of_the_page(more: int, answered: str) -> None:
    class UploadTab(EchoTab):
        def register(self, app: Dash) -> None:
            @app.callback(Output("echo-out", "children"), Input("echo-in", "n_clicks"))
            def measure(contents: Any) -> str:
                image = read_upload(bytes_of_data_uri(contents))
                return f"{image.shape[0]} x {image.shape[1]} px"

    uri = f"data:image/jpeg;base64,{base64.b64encode(jpeg_of(UploadLimits().max_bytes + more)).decode()}"
    answer = client(tab=UploadTab()).post(UPDATE, json={**body(uri), "rest": "x" * 2000}, headers=POST)
    assert answer.status_code == 200
    assert answered in answer.text

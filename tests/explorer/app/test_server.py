"""Ports, tokens and a running server."""

import http.client
import json
import os
import signal
import socket
import tempfile
import threading
import time
from urllib.parse import urlsplit

import pytest
from dash import Dash, Input, Output, html

from posescope.explorer.app.application import create_app
from posescope.explorer.app.server import DEFAULT_PORT, ServerError, listen, serve


class EmptyTab:
    """A tab without content."""

    name, title = "empty", "Empty"

    def layout(self) -> html.Div:
        return html.Div()

    def register(self, app: object) -> None:
        """Register nothing."""


class RepeatingTab:
    """A tab whose callback returns what it gets."""

    name, title = "repeat", "Repeat"

    def layout(self) -> html.Div:
        return html.Div([html.P(id="repeat-in"), html.P(id="repeat-out")])

    def register(self, app: Dash) -> None:
        app.callback(Output("repeat-out", "children"), Input("repeat-in", "children"))(lambda text: text)


def test_next_free_port_is_taken_if_none_is_given() -> None:
    first = listen()
    second = listen()
    try:
        assert DEFAULT_PORT <= first.rules.port < second.rules.port
        assert first.url == f"http://127.0.0.1:{first.rules.port}/"
    finally:
        first.socket.close()
        second.socket.close()


def test_given_port_in_use_is_an_error() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(ServerError, match=str(busy.getsockname()[1])):
            listen(port=busy.getsockname()[1])


def test_unknown_host_is_an_error() -> None:
    with pytest.raises(ServerError, match="--host"):
        listen("no-such-host.invalid", 0)


def test_other_addresses_have_a_new_token_in_the_url() -> None:
    addresses = [listen("0.0.0.0", 0) for _ in range(2)]
    tokens = {address.rules.token for address in addresses}
    assert len(tokens) == 2
    assert all(token is not None and len(token) >= 32 and token in address.url for token, address in
               zip((one.rules.token for one in addresses), addresses, strict=True))  # fmt: skip
    for address in addresses:
        address.socket.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_url_says_what_is_shown_at_first(host: str) -> None:
    address = listen(host, 0, {"slice": "a b"})
    address.socket.close()
    assert address.url.endswith("slice=a+b")
    assert (address.rules.token is None) or f"?token={address.rules.token}&" in address.url


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "0", "::", "::0"])
def test_announced_address_is_answered_and_other_names_are_not(host: str) -> None:
    try:
        address = listen(host, 0)
    except ServerError:
        assert ":" in host  # a machine without IPv6
        pytest.skip("This machine has no IPv6.")
    address.socket.close()
    assert address.rules.knows_host(urlsplit(address.url).netloc)
    for name in ("evil.example", f"{socket.gethostname()}.evil.example", f"x{socket.gethostname()}"):
        assert not address.rules.knows_host(f"{name}:{address.rules.port}")
    assert not address.rules.knows_host(urlsplit(address.url).netloc.replace(str(address.rules.port), "1"))
    if address.rules.token is None:
        assert not address.rules.knows_host(f"{socket.gethostname()}:{address.rules.port}")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_uploads_and_answers_of_several_megabytes_are_not_written_to_disk(
    monkeypatch: pytest.MonkeyPatch, is_chunked: bool
) -> None:
    written: list[object] = []
    make = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *given, **more: written.append(given) or make(*given, **more))
    address, text, found = listen(port=0), "x" * 3_000_000, []
    content = {
        "output": "repeat-out.children", "outputs": {"id": "repeat-out", "property": "children"},
        "inputs": [{"id": "repeat-in", "property": "children", "value": text}], "changedPropIds": ["repeat-in.children"],
    }  # fmt: skip
    body = json.dumps(content).encode()

    def visit() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", address.rules.port, timeout=10)
        headers = {"Content-Type": "application/json", "Origin": address.url.rstrip("/")}
        pieces = (body[start : start + 500_000] for start in range(0, len(body), 500_000))
        connection.request(
            "POST", "/_dash-update-component", pieces if is_chunked else body, headers, encode_chunked=is_chunked
        )  # fmt: skip
        answer = connection.getresponse()
        found.append((answer.status, len(answer.read())))
        connection.close()
        os.kill(os.getpid(), signal.SIGTERM)

    visitor = threading.Thread(target=visit)
    serve(create_app([RepeatingTab()], "A run", ""), address, lambda _: visitor.start(), open_browser=False)
    visitor.join()
    assert found[0][0] == 200
    assert found[0][1] > len(text)
    assert not written


def test_server_answers_and_ends_on_sigterm() -> None:
    address = listen(port=0)
    found: list[int] = []

    def visit() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", address.rules.port, timeout=10)
        for host in (f"127.0.0.1:{address.rules.port}", "evil.example"):
            connection.request("GET", "/", headers={"Host": host})
            answer = connection.getresponse()
            answer.read()
            found.append(answer.status)
        connection.close()
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    visitor = threading.Thread(target=visit)
    announced: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    serve(
        create_app([EmptyTab()], "A run", ""), address, lambda url: (announced.append(url), visitor.start()), open_browser=False
    )
    visitor.join()
    assert found == [200, 421]
    assert announced == [address.url]
    assert signal.getsignal(signal.SIGTERM) == before

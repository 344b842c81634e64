"""Tests of the port, and of the limits of a connection."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import uvicorn

from posescope.serving.options import ServingOptions
from posescope.serving.server import ServerError, bind_port, limited_connections

Connect = Callable[..., socket.socket]


async def echo_length(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the number of bytes of the body; for the path /now with 0, before the body has arrived."""
    size, more = 0, scope["path"] != "/now"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(str(size)))]})
    await send({"type": "http.response.body", "body": str(size).encode()})


@pytest.fixture
def start_server() -> Iterator[Callable[..., int]]:
    """Return a function that serves `echo_length` with these options in a thread, and returns its port."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(**options: Any) -> int:
        bound = bind_port("127.0.0.1", 0)
        config = uvicorn.Config(
            echo_length,
            http=limited_connections(ServingOptions(**options)),
            lifespan="off",
            log_config=None,
            timeout_keep_alive=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([bound])))
        thread.start()
        running.append((server, thread))
        return int(bound.getsockname()[1])

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return a function that opens a connection and sends its first bytes."""
    with ExitStack() as opened:

        def open_one(port: int, first: bytes = b"") -> socket.socket:
            client = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            client.sendall(first)
            return client

        yield open_one


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


def test_slow_header_is_cut_off(start_server: Callable[..., int], connect: Connect) -> None:
    client, started = connect(start_server(header_timeout_s=0.3, timeout_s=5), b"GET / HTTP/1.1\r\n"), time.monotonic()
    while time.monotonic() - started < 3:
        time.sleep(0.05)
        try:
            client.sendall(b"x: y\r\n")
        except ConnectionError:
            break
    assert 0.2 < time.monotonic() - started < 2
    assert is_closed(client)


def test_slow_body_is_cut_off(start_server: Callable[..., int], connect: Connect) -> None:
    client = connect(
        start_server(header_timeout_s=0.1, timeout_s=0.2), b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n"
    )
    started = time.monotonic()
    assert is_closed(client)
    assert 0.3 < time.monotonic() - started < 2


def test_connection_is_kept_for_further_requests(start_server: Callable[..., int], connect: Connect) -> None:
    client = connect(start_server(header_timeout_s=0.5, timeout_s=0.5))
    for body in (b"abc", b"", b"x" * 50_000):
        client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        answer = client.recv(1000)
        while not answer.endswith(b"\r\n\r\n%d" % len(body)):
            answer += client.recv(1000)
        assert answer.startswith(b"HTTP/1.1 200")
        time.sleep(0.3)


def test_pipelined_requests_are_answered(start_server: Callable[..., int], connect: Connect) -> None:
    client = connect(start_server(), b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx" * 3)
    answer = b""
    while answer.count(b"\r\n\r\n1") < 3:
        answer += client.recv(1000)
    assert answer.count(b"HTTP/1.1 200") == 3


def test_connections_are_bounded_and_idle_ones_make_room(start_server: Callable[..., int], connect: Connect) -> None:
    port = start_server(max_connections=3)
    busy = connect(port, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n")
    time.sleep(0.1)
    idle = []
    for _ in range(5):
        idle.append(connect(port, b"GET / HTTP/1.1\r\n"))
        time.sleep(0.02)
    time.sleep(0.1)
    assert [is_closed(one) for one in idle[:3]] == [True] * 3
    for one in idle[3:]:
        one.sendall(b"host: a\r\n\r\n")
        assert one.recv(100).startswith(b"HTTP/1.1 200")
    busy.sendall(b"x")
    assert busy.recv(100).startswith(b"HTTP/1.1 200")


def test_connections_that_owe_the_body_of_an_answered_request_make_room(
    start_server: Callable[..., int], connect: Connect
) -> None:
    port = start_server(max_connections=2)
    answered = [connect(port, b"GET /now HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n") for _ in range(2)]
    for one in answered:
        assert one.recv(1000).startswith(b"HTTP/1.1 200")
    other = connect(port, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert other.recv(100).startswith(b"HTTP/1.1 200")


def test_new_connection_is_closed_if_all_others_have_a_request(start_server: Callable[..., int], connect: Connect) -> None:
    port = start_server(max_connections=2)
    busy = [connect(port, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n") for _ in range(2)]
    time.sleep(0.1)
    assert is_closed(connect(port))
    for one in busy:
        one.sendall(b"x")
        assert one.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "first", [b"\x16\x03\x01\x02\x00" * 40, b"GET / HTTP/9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100_000]
)
def test_other_protocols_are_refused(start_server: Callable[..., int], connect: Connect, first: bytes) -> None:
    client = connect(start_server(), first)
    assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_port_in_use_and_foreign_address() -> None:
    with bind_port("127.0.0.1", 0) as bound:
        with pytest.raises(ServerError):
            bind_port("127.0.0.1", bound.getsockname()[1])
        with pytest.raises(ServerError):
            bind_port("192.0.2.1", 0)
        with pytest.raises(ServerError):
            bind_port("no such host", 0)

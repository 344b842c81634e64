"""Tests of the bodies of requests."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.datastructures import Headers

from posescope.serving.refusals import RequestRefusedError
from posescope.serving.request_body import Upload, UploadedImage, check_body_size, clean_name, parse_upload, read_body

FORM = "multipart/form-data; boundary=xyz"


def part(name: str, content: bytes, file_name: str | None = None) -> bytes:
    more = "" if file_name is None else f'; filename="{file_name}"'
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"


def read(kind: str, body: bytes, name: str | None = None, boxes: str | None = None) -> list[UploadedImage]:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    return parse_upload(Upload(kind, asyncio.run(read_body(stream(), 1000)), name, boxes), 2)


def test_raw_image() -> None:
    assert read("image/jpeg", b"abc" * 10) == [UploadedImage("image", b"abc" * 10)]
    assert read("application/octet-stream", b"abc", "a/7.jpg", "[[1, 2, 3, 4]]") == [
        UploadedImage("7.jpg", b"abc", [[1, 2, 3, 4]])
    ]


def test_form_of_several_images() -> None:
    body = (
        part("images", b"one\r\n--xy", "1.jpg")
        + part("boxes", b"[[1,2,3,4]]")
        + part("images", b"", "2.jpg")
        + part("boxes", b"null")
    )
    expected = [UploadedImage("1.jpg", b"one\r\n--xy", [[1, 2, 3, 4]]), UploadedImage("2.jpg", b"", None)]
    assert read(FORM, body + b"--xyz--\r\n") == expected


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/html", b"x", 415),
        ("", b"x", 415),
        ("image/png", b"", 422),
        ("image/png", b"x" * 1001, 413),
        (FORM, part("images", b"x" * 1001, "a.jpg") + b"--xyz--", 413),
        ("multipart/form-data", b"x", 400),
        (f"multipart/form-data; boundary={'x' * 300}", b"x", 400),
        (FORM, b"--xyz\r\n" + b"a: b\r\n" * 99 + b"\r\n\r\n--xyz--", 400),
        (FORM, b"no form", 400),
        (FORM, b"--xyz\r\nContent-Disposition: form-data\r\n\r\n\r\n--xyz--", 400),
        (FORM, b"--xyz--\r\n", 422),
        (FORM, part("images", b"text") + b"--xyz--", 422),
        (FORM, part("images", b"x", "a.jpg") + part("boxes", b"[]", "a.json") + b"--xyz--", 422),
        (FORM, part("images", b"x", "a.jpg") * 3 + b"--xyz--", 422),
        (FORM, part("images", b"x", "a.jpg") * 7 + b"--xyz--", 400),
        (FORM, part("images", b"x", "a.jpg") + part("boxes", b"[]") * 2 + b"--xyz--", 422),
        (FORM, part("images", b"x", "a.jpg") + part("url", b"file:///etc/passwd") + b"--xyz--", 422),
        (FORM, part("images", b"x", "a.jpg") + part("boxes", b"{}") + b"--xyz--", 422),
        (FORM, part("images", b"x", "a.jpg") + part("boxes", b"[" * 500) + b"--xyz--", 422),
        (FORM, part("images", b"x", "a.jpg") + part("boxes", b"\xff") + b"--xyz--", 422),
    ],
)
def test_malformed_bodies_are_refused(kind: str, body: bytes, status: int) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        read(kind, body)
    assert caught.value.status == status
    assert "\n" not in str(caught.value)


def test_truncated_form_has_no_image() -> None:
    with pytest.raises(RequestRefusedError) as caught:
        read(FORM, part("images", b"x", "a.jpg")[:60])
    assert caught.value.status == 400


def test_deep_json_is_refused() -> None:
    with pytest.raises(RequestRefusedError) as caught:
        read("image/png", b"x", boxes="[" * 100_000)
    assert caught.value.status == 422
    with pytest.raises(RequestRefusedError) as caught:
        read("image/png", b"x", boxes=" " * (2**20 + 1))
    assert caught.value.status == 413


def test_query_is_refused_beside_a_form() -> None:
    with pytest.raises(RequestRefusedError) as caught:
        read(FORM, part("images", b"x", "a.jpg") + b"--xyz--", name="a.jpg")
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("stated", "status"), [("0", 400), ("-1", 400), ("1e3", 400), ("\u0663", 400), ("9" * 30, 400), ("11", 413)]
)
def test_stated_size_is_checked(stated: str, status: int) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        check_body_size(Headers(raw=[(b"content-length", stated.encode("utf-8"))]), 10)
    assert caught.value.status == status


def test_size_that_is_not_stated_counts_as_the_largest() -> None:
    assert check_body_size(Headers({}), 10) == 10
    assert check_body_size(Headers({"content-length": "7"}), 10) == 7


def test_names_are_labels() -> None:
    assert clean_name("../../etc/passwd") == "passwd"
    assert clean_name("a\nb\x1b[0m.jpg") == r"a\nb\x1b[0m.jpg"
    assert len(clean_name("x" * 999)) == 255
    assert clean_name("\ud800/") == "?"

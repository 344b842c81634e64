"""Tests of posescope.core.text_escaping: Markdown, logs and terminals."""

import logging

import pytest

from posescope.core.text_escaping import EscapingFormatter, escape_control, escape_log_messages, escape_markdown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("left_knee", "left_knee"),
        ("Jürgen (2).jpg", "Jürgen (2).jpg"),
        ("a\nERROR all is lost", r"a\nERROR all is lost"),
        ("\x1b[2Jgone\r\x07\x9b", r"\x1b[2Jgone\r\x07\x9b"),
        ("photo\u202egpj.exe", r"photo\u202egpj.exe"),
        ("", ""),
    ],
)
def test_control_characters_are_escaped(name: str, shown: str) -> None:
    assert escape_control(name) == shown


def test_line_feeds_are_kept_on_request() -> None:
    assert escape_control("a\n\tb\x1b\r", keep_lines=True) == "a\n\tb\\x1b\\r"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("left_knee", "left_knee"),
        ("a|b", r"a\|b"),
        ("`rm`", r"\`rm\`"),
        ("[x](http://evil)", r"\[x\](http\://evil)"),
        ("<img src=x onerror=y>", r"\<img src=x onerror=y\>"),
        ("a\n# b", r"a\\n# b"),
        ("# title", r"\# title"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("__strong__ *em*", r"\_\_strong\_\_ \*em\*"),
        ("&amp;", "&amp;amp;"),
        ("www.evil.com", r"www\.evil.com"),
        ("0.5 to 0.7, -3", "0.5 to 0.7, -3"),
    ],
)
def test_markdown_renders_a_name_literally(name: str, shown: str) -> None:
    assert escape_markdown(name) == shown


def test_name_cannot_forge_a_log_record() -> None:
    record = logging.LogRecord("posescope", logging.INFO, "x.py", 1, "Joint %s", ("a\n12:00:00 ERROR lost\x1b[31m",), None)
    shown = EscapingFormatter("%(levelname)s %(message)s").format(record)
    assert shown == "INFO Joint a\n    12:00:00 ERROR lost\\x1b[31m"


def test_handlers_of_the_root_logger_escape_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other = logging.StreamHandler(), logging.NullHandler()
    plain.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    monkeypatch.setattr(logging.getLogger(), "handlers", [plain, other])
    escape_log_messages()
    escape_log_messages()
    assert isinstance(plain.formatter, EscapingFormatter)
    assert other.formatter is None
    assert plain.format(logging.LogRecord("x", logging.INFO, "x.py", 1, "a\nb", (), None)) == "INFO a\n    b"

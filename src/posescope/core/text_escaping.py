"""Escape untrusted text (names of joints, images, categories) for logs, terminals and Markdown."""

import logging
import re

__all__ = ["EscapingFormatter", "escape_control", "escape_formula", "escape_log_messages", "escape_markdown"]

# Control characters (C0, C1, DEL), line and paragraph separators, and marks that change the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Characters that start a formula in spreadsheets (OWASP: CSV injection). Leading quotes count, so that reading back is exact.
_FORMULA = re.compile(r"^('*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")
# An underscore inside a word starts no emphasis.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|&~!$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=\bwww)\.|(?<=\S)@|^[#+=-](?=\s|$)|^\d+(?=[.)]\s)")


def escape_control(text: object, *, keep_lines: bool = False) -> str:
    r"""Replace control characters and direction marks with escape sequences such as `\x1b` and `\n`.

    Args:
        text: Any object; it is converted to `str`.
        keep_lines: Keep line feeds and tabs, for messages of several lines.

    Returns:
        Text that is safe to print.

    Example:
        >>> escape_control("left" + chr(10) + "wrist") == r"left\nwrist"
        True
    """
    pattern = _CONTROL_BUT_LINES if keep_lines else _CONTROL
    return pattern.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))


def escape_formula(text: str) -> str:
    """Return text that no spreadsheet reads as a formula: a quote precedes it if it begins like one.

    Example:
        >>> escape_formula("=1+1"), escape_formula("a=1")
        ("'=1+1", 'a=1')
    """
    return _FORMULA.sub(r"'\1", text)


def escape_markdown(text: object) -> str:
    """Return text that Markdown (CommonMark, GitHub) renders literally, in one line: no link, HTML, code, emphasis or list."""
    return _MARKDOWN.sub(_escape_match, escape_control(text))


def _escape_match(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&amp;"
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


class EscapingFormatter(logging.Formatter):
    """A log formatter that escapes control characters and indents continuation lines, so that no name can forge a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return escape_control(super().format(record), keep_lines=True).replace("\n", "\n    ")


def escape_log_messages() -> None:
    """Replace the formatters of the root logger's plain stream handlers with an `EscapingFormatter` of the same format.

    Kedro accepts only its own formatters and those of `logging` in conf/logging.yml.
    """
    for handler in logging.getLogger().handlers:
        before = handler.formatter
        if type(handler) is logging.StreamHandler and type(before) is logging.Formatter:
            handler.setFormatter(EscapingFormatter(before._fmt, before.datefmt))

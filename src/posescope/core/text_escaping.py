"""Names from files (joints, images, categories) as text of a page, a log or a terminal: data, never markup or commands."""

import logging
import re

__all__ = ["EscapingFormatter", "escape_control", "escape_markdown", "escape_log_messages"]

# Control characters (C0, C1, DEL), line and paragraph separators, and marks that turn the direction of text around.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# An underscore within a word starts no emphasis.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|&~!$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=\bwww)\.|(?<=\S)@|^[#+=-](?=\s|$)|^\d+(?=[.)]\s)")


def escape_control(text: object, *, keep_lines: bool = False) -> str:
    r"""Return text in which control characters and direction marks are written out, such as `\x1b` and `\n`.

    Args:
        text: of a name, or anything that is shown as text.
        keep_lines: keep line feeds and tabs, for a message of several lines.
    """
    pattern = _CONTROL_BUT_LINES if keep_lines else _CONTROL
    return pattern.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))


def escape_markdown(text: object) -> str:
    """Return text that Markdown (CommonMark, GitHub) shows as it stands, in one line: no link, HTML, code, emphasis or list."""
    return _MARKDOWN.sub(_escape_one, escape_control(text))


def _escape_one(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&amp;"
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


class EscapingFormatter(logging.Formatter):
    """A log formatter that no name can deceive: control characters are written out, and further lines are indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return escape_control(super().format(record), keep_lines=True).replace("\n", "\n    ")


def escape_log_messages() -> None:
    """Give the root logger's plain stream handlers a `EscapingFormatter` of the same format.

    Kedro takes no formatter but its own and those of `logging` from conf/logging.yml.
    """
    for handler in logging.getLogger().handlers:
        before = handler.formatter
        if type(handler) is logging.StreamHandler and type(before) is logging.Formatter:
            handler.setFormatter(EscapingFormatter(before._fmt, before.datefmt))

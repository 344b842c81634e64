"""Numbers and names in plain words."""

import math
import re

__all__ = ["at_layer", "count_of_hundred", "in_plain_words", "in_words", "list_words", "range_of_hundred"]

# Not in a dotted path, such as that of a layer or a parameter.
_KEY = re.compile(r"(?<!\.)\b[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+\b(?!\.\w)")


def count_of_hundred(value: float) -> str:
    """Return a fraction as a count of hundred.

    Example:
        >>> count_of_hundred(0.8404)
        '84'
    """
    return f"{100 * value:.0f}"


def range_of_hundred(low: float | None, high: float | None) -> str:
    """Return the ends of an interval of fractions as counts of hundred; empty if one is unknown.

    Example:
        >>> range_of_hundred(0.819, 0.861)
        '82 to 86'
    """
    if low is None or high is None or not math.isfinite(low) or not math.isfinite(high):
        return ""
    return f"{count_of_hundred(low)} to {count_of_hundred(high)}"


def in_words(text: str) -> str:
    """Return a text whose names with underscores are words.

    Example:
        >>> in_words("the left_wrist fails")
        'the left wrist fails'
    """
    return _KEY.sub(lambda match: match[0].replace("_", " "), text)


def in_plain_words(text: str) -> str:
    """Return a text of the report for laypersons: `in_words`, and "hidden" in place of the technical "occluded".

    Example:
        >>> in_plain_words("many joints occluded")
        'many joints hidden'
    """
    return re.sub(r"\boccluded\b", "hidden", in_words(text))


def at_layer(layer: str) -> str:
    """Return words for the place of a layer in the network.

    Example:
        >>> at_layer("stack2.bottleneck"), at_layer("encoder.stride32")
        ('in the middle of the network', 'at the layer encoder.stride32')
    """
    return "in the middle of the network" if layer.rpartition(".")[2] == "bottleneck" else f"at the layer {layer}"


def list_words(words: list[str]) -> str:
    """Return a list as a text.

    Example:
        >>> list_words(["a", "b", "c"])
        'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))

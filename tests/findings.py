"""Findings for tests."""

from typing import Any

from posescope.explainability.findings import Control, Finding

__all__ = ["make_finding"]


def make_finding(statement: str = "Group 2 fails.", **fields: Any) -> Finding:
    """Return a supported finding with an effect of 0.4 and a control of 0.1; `fields` replace its fields."""
    content: dict[str, Any] = {
        "id": "-".join(statement.lower().strip(".").split()),
        "question": "Does it?",
        "statement": statement,
        "unclear": "It is not clear.",
        "verdict": "supported",
        "effect": 0.4,
        "unit": "PCK",
        "low": 0.3,
        "high": 0.5,
        "control": Control("chance", 0.1),
        "p_value": 0.001,
    }
    return Finding(**{**content, **fields})

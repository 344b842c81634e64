from dataclasses import asdict

import numpy as np
import pytest

from posescope.explainability.base import AnalysisResult
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.findings import Control, Finding, rank_findings
from posescope.explainability.study import list_findings


def finding(claim: str, *, passed: bool = True, stake: float = 0.0, shown_in: str | None = None) -> Finding:
    return Finding(claim, 0.4, 0.3, 0.5, Control("chance", 0.1), passed, shown_in, stake)


def test_ranking_by_pck_at_stake_then_passed_then_order() -> None:
    found = [
        finding("a", passed=False),
        finding("b"),
        finding("c", stake=0.02),
        finding("d"),
        finding("e", stake=0.2, passed=False),
    ]
    assert [one.claim for one in rank_findings(found)] == ["e", "c", "b", "d", "a"]
    assert rank_findings([]) == []


def test_finding_as_dict_and_back() -> None:
    one = finding("a", shown_in="grid", stake=0.5)
    assert Finding.from_dict(asdict(one)) == one


def test_finding_of_an_older_version_is_read() -> None:
    content = asdict(finding("a", shown_in="grid"))
    content["picture"] = content.pop("shown_in")
    assert Finding.from_dict(content) == finding("a", shown_in="grid")


@pytest.mark.parametrize("field", [{"value": float("nan")}, {"high": float("inf")}, {"control": Control("chance", float("nan"))}])
def test_non_finite_values_are_refused(field) -> None:
    with pytest.raises(ExplainabilityError, match="finite"):
        Finding(
            **{
                "claim": "It fails.",
                "value": 0.4,
                "low": None,
                "high": None,
                "control": Control("c", 0.1),
                "passed": True,
                **field,
            }
        )


def test_list_of_findings_with_analysis_command_and_image() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    results = {
        "latent_traversal": AnalysisResult(
            facts={}, findings=(finding("small", stake=0.01, shown_in="traversal"),), images={"traversal": image}
        ),
        "clusters": AnalysisResult(facts={}, findings=(finding("large", stake=0.3),), model="0123456789abcdef"),
    }
    first, second = list_findings(**results)
    assert (first["model"], second["model"]) == ("0123456789abcdef", "")
    assert (first["claim"], first["analysis"], first["shown_in"]) == ("large", "clusters", None)
    assert first["command"] == "kedro run --pipelines explainability --nodes explainability.analyses.analyse_clusters"
    assert second["shown_in"] == "latent_traversal/traversal.png"
    assert second["control"] == {"what": "chance", "value": 0.1, "low": None, "high": None}

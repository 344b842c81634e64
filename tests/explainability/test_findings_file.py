import json
from pathlib import Path

import numpy as np
import pytest
from tests.findings import make_finding

from posescope.explainability.base import AnalysisResult
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.findings_file import findings_of, findings_schema, list_findings, read_findings

SCHEMA = Path(__file__).parents[2] / "docs" / "findings.schema.json"


def test_list_of_findings_with_analysis_command_and_image() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    small = make_finding("small", importance=0.01, picture="traversal")
    results = {
        "latent_traversal": AnalysisResult(facts={}, findings=(small,), images={"traversal": image}),
        "clusters": AnalysisResult(facts={}, findings=(make_finding("large", importance=0.3),), model="0123456789abcdef"),
    }
    first, second = list_findings(**results)
    assert (first["model"], second["model"]) == ("0123456789abcdef", "")
    assert (first["statement"], first["analysis"], first["picture"]) == ("large", "clusters", None)
    assert (first["id"], first["control_can_fail"]) == ("clusters.large", True)
    assert first["command"] == "kedro run --pipelines explainability --nodes explainability.analyses.analyse_clusters"
    assert second["picture"] == "latent_traversal/traversal.png"
    assert second["control"] == {"what": "chance", "value": 0.1, "low": None, "high": None, "can_fail": True}
    # Two findings, both with p = 0.001: 0.001 * (1 + 1/2).
    assert [one["p_adjusted"] for one in (first, second)] == pytest.approx([0.0015, 0.0015])


def test_equal_findings_of_two_analyses_keep_their_analysis() -> None:
    results = {name: AnalysisResult(facts={}, findings=(make_finding("same"),)) for name in ("a", "b")}
    assert [one["analysis"] for one in list_findings(**results)] == ["a", "b"]


def test_findings_of_several_analyses_are_corrected_together() -> None:
    results = {name: AnalysisResult(facts={}, findings=(make_finding(p_value=0.04),)) for name in ("b", "a")}
    assert [one.verdict for one in findings_of({"a": results["a"]})] == ["supported"]
    assert [one.verdict for one in findings_of(results)] == ["inconclusive"] * 2


def test_records_are_read_and_broken_ones_refused() -> None:
    records = json.loads(json.dumps(list_findings(clusters=AnalysisResult(facts={}, findings=(make_finding(),)))))
    (record,) = read_findings(records)
    assert (record.id, record.verdict, record.effect) == ("clusters.group-2-fails", "supported", 0.4)
    assert read_findings([]) == ()
    for broken in ({"verdict": "passed"}, {"effect": None}, {"p_value": 2.0}, {"id": "Clusters"}, {"colour": "red"}):
        with pytest.raises(ExplainabilityError):
            read_findings([{**records[0], **broken}])


def test_schema_in_the_documentation_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == findings_schema()

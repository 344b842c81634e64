"""The file `findings.json`: the corrected findings of all analyses, a validated list of records.

`docs/findings.schema.json` is the JSON schema of the file, made by `findings_schema`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError

from posescope.explainability.base import AnalysisResult
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.findings import Finding, Verdict, correct_findings, rank_findings

__all__ = ["ControlRecord", "FindingRecord", "findings_of", "findings_schema", "list_findings", "read_findings"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ControlRecord(_Record):
    """The result of the same measurement where there is no effect."""

    what: str = Field(description="description of the control")
    value: FiniteFloat = Field(description="value of the control, in the unit of the effect")
    low: FiniteFloat | None = Field(description="lower end of its interval or range; null: it has none")
    high: FiniteFloat | None = Field(description="upper end of its interval or range; null: it has none")
    can_fail: bool = Field(description="whether the control could match the effect; false: its value is fixed by construction")


class FindingRecord(_Record):
    """One question, its answer, and the number that the answer is based on."""

    id: str = Field(pattern=r"^[a-z0-9_]+\.[a-z0-9-]+$", description="name of the analysis, a dot, a name within it")
    analysis: str = Field(description="name of the analysis")
    question: str = Field(description="a question that yes or no answers")
    verdict: Verdict = Field(description="supported: yes; refuted: no; inconclusive: the data do not decide")
    statement: str = Field(description="one sentence that is true under the verdict, with one number, the effect")
    unclear: str = Field(description="the statement if the verdict is inconclusive")
    detail: str = Field(description="further numbers, at most two sentences")
    effect: FiniteFloat = Field(description="the number of the statement")
    unit: str = Field(description="unit of the effect")
    low: FiniteFloat | None = Field(description="lower end of the 95 % interval over photographs; null: it has none")
    high: FiniteFloat | None = Field(description="upper end of the interval; null: it has none")
    control: ControlRecord | None = Field(description="what the effect is compared with; null only if inconclusive")
    control_can_fail: bool | None = Field(description="`can_fail` of the control; null without a control")
    p_value: FiniteFloat | None = Field(ge=0, le=1, description="p-value of the test; null: there was no test")
    p_adjusted: FiniteFloat | None = Field(
        ge=0, le=1, description="p-value corrected over all findings of the file (Benjamini and Yekutieli, 2001)"
    )
    importance: FiniteFloat = Field(description="mean PCK over all judged persons that depends on it; the file is sorted by it")
    persons: str = Field(description="description of the judged persons")
    person_count: int = Field(ge=0, description="number of judged persons")
    photograph_count: int = Field(ge=0, description="number of their photographs")
    picture: str | None = Field(description="image or plot that shows it, a path relative to this file; null: there is none")
    command: str = Field(description="command that repeats the analysis; add the --env and --params of the run")
    model: str = Field(description="fingerprint of the model; empty: unknown")
    data: str = Field(description="fingerprint of the data; empty: unknown")


_FILE = TypeAdapter(list[FindingRecord])


def findings_of(results: Mapping[str, AnalysisResult]) -> tuple[Finding, ...]:
    """Return the findings of all analyses, sorted by the name of the analysis, corrected for their number.

    Args:
        results: results by the name of the analysis.
    """
    return correct_findings(finding for _, result in sorted(results.items()) for finding in result.findings)


def list_findings(**results: AnalysisResult) -> list[dict[str, Any]]:
    """Return the ranked findings of all analyses, corrected for their number.

    Args:
        **results: results by the name of the analysis.

    Returns:
        JSON-like records with the fields of `FindingRecord`.

    Raises:
        ExplainabilityError: if a record breaks the schema, for example by an id with capital letters.
    """
    names = [name for name, result in sorted(results.items()) for _ in result.findings]
    corrected = findings_of(results)
    origin = {id(finding): name for finding, name in zip(corrected, names, strict=True)}
    records = [_as_json(finding, origin[id(finding)], results[origin[id(finding)]]) for finding in rank_findings(corrected)]
    read_findings(records)
    return records


def read_findings(content: Sequence[Mapping[str, Any]]) -> tuple[FindingRecord, ...]:
    """Validate the content of `findings.json`.

    Args:
        content: records as written by `list_findings`.

    Raises:
        ExplainabilityError: if a record breaks the schema.
    """
    try:
        return tuple(_FILE.validate_python(list(content)))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ExplainabilityError(
            f"findings.json: expected records as in docs/findings.schema.json, found {len(error.errors())} errors; the first at "
            f"{place}: {first['msg']}. Run the pipeline explainability again."
        ) from error


def findings_schema() -> dict[str, Any]:
    """Return the JSON schema of `findings.json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "findings.json", **_FILE.json_schema()}


def _as_json(finding: Finding, analysis: str, result: AnalysisResult) -> dict[str, Any]:
    ending = "png" if finding.picture in result.images else "plotly.json"
    return {
        **asdict(finding),
        "id": f"{analysis}.{finding.id}",
        "analysis": analysis,
        "control_can_fail": None if finding.control is None else finding.control.can_fail,
        "picture": None if finding.picture is None else f"{analysis}/{finding.picture}.{ending}",
        "command": f"kedro run --pipelines explainability --nodes explainability.analyses.analyse_{analysis}",
        "model": result.model,
        "data": result.data,
    }

"""Results of a run in which every analysis was made."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from tests.findings import make_finding

from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.findings_file import FindingRecord, list_findings, read_findings
from posescope.reporting.report_inputs import ReportInputs
from posescope.reporting.sections.uncertainty_section import UncertaintyInputs

__all__ = ["IMAGE", "answers_of", "coverage", "whole_run"]

IMAGE = np.full((60, 180, 3), 90, np.uint8)


def coverage() -> pd.DataFrame:
    """Coverage of all joints and of two joints."""
    rows = [("all", 0.9, 100, 0.91, 5.0, 0.05), ("nose", 0.9, 60, 0.92, 3.0, 0.03), ("left_hand", 0.9, 40, 0.89, 20.0, 0.2)]
    table = pd.DataFrame(rows, columns=["joint", "level", "labelled", "coverage", "radius_px", "radius_fraction"])
    return table.assign(coverage_low=0.88, coverage_high=0.94, main=True)


def answers_of(**verdicts: str) -> tuple[FindingRecord, ...]:
    """Findings that the summary looks up: two failure slices and the number of components, all supported.

    Args:
        **verdicts: verdict by id, with underscores.
    """
    found = {
        "failure_slices": [
            make_finding(id="slice-1", p_value=1e-6),
            make_finding(id="slice-2", p_value=1e-6),
            make_finding(id="slice-3", p_value=0.3),
        ],
        "truncation": [make_finding(id="components-are-enough", effect=0.0044, p_value=1e-6)],
        "clusters": [make_finding(id="separate-groups", p_value=1e-6)],
    }
    results = {name: AnalysisResult(facts={}, findings=tuple(own)) for name, own in found.items()}
    records = list_findings(**results)
    changed = [
        {**record, "verdict": verdicts.get(record["id"].replace("-", "_").replace(".", "_"), record["verdict"])}
        for record in records
    ]
    return read_findings(changed)


def whole_run(model, data, failures) -> ReportInputs:
    """Inputs of a report in which every analysis was made.

    Args:
        model, data, failures: of the tiny run.
    """
    trust = pd.DataFrame({"trust": ["trusted", "do not trust"], "fraction": [0.7, 0.3], "pck": [0.93, 0.66]})
    joints = pd.DataFrame(
        [
            (joint, visibility, 9, 1.0, 0.1, pck)
            for joint, pck in (("nose", 0.95), ("left_hand", 0.9), ("right_hand", 0.6))
            for visibility in ("occluded", "visible", "all")
        ],
        columns=["joint", "visibility", "labelled", "mean_error_px", "normalised_mean_error", "pck_thesis"],
    )
    return ReportInputs(
        title="A run",
        model=model,
        metrics={"val": {"pck_thesis": {"value": 0.84, "low": 0.82, "high": 0.86, "persons": 362}}},
        data=data,
        history=None,
        history_plot=None,
        joint_scores=joints,
        joint_scores_plot=go.Figure(go.Bar(x=[1], y=["left hand"])),
        components=Components(
            np.zeros(576), np.eye(3, 576), np.array([9.0, 4.0, 1.0]), layer="stack1.bottleneck", shape=(576, 1, 1)
        ),
        analyses={
            "failure_slices": _slices(),
            "component_names": _names(),
            "latent_traversal": AnalysisResult(facts={}, images={f"traversal_strip_{i}": IMAGE for i in (1, 2, 3)}),
            "truncation": _truncation(),
            "skip_ablation": AnalysisResult(facts={"pck_intact": 0.84, "pck_all_shuffled": 0.41}),
            "clusters": _clusters(),
        },
        findings=answers_of(),
        examples=IMAGE,
        failures=failures,
        example=IMAGE,
        uncertainty=UncertaintyInputs(
            coverage(), pd.DataFrame({"kept": [0.5], "pck": [0.9]}), trust, IMAGE, go.Figure(), go.Figure()
        ),
        open_command="posescope explore runs/first",
    )


def _slices() -> AnalysisResult:
    table = pd.DataFrame(
        {
            "slice": [1, 2, 3],
            "words": ["with legs out of view and a small bbox_w", "far from the camera", "found by chance"],
            "persons": [40, 30, 20],
            "pck_inside": [0.5, 0.6, 0.7],
            "pck_inside_low": [0.4, 0.5, 0.6],
            "pck_inside_high": [0.6, 0.7, 0.8],
            "pck_outside": [0.9, 0.85, 0.85],
            "pck_outside_low": [0.88, 0.83, 0.8],
            "pck_outside_high": [0.92, 0.87, 0.9],
            "share_of_error": [0.31, 0.2, 0.1],
            "explained_by": ["crowding", None, None],
            "claimed": [True, True, False],
        }
    )
    return AnalysisResult(facts={"slices": 2}, tables={"failure_slices": table}, images={"slice_1": IMAGE})


def _names() -> AnalysisResult:
    table = pd.DataFrame({"component": [1, 2, 3], "low": ["standing", "", "arms_up"], "high": ["bent knees", "", "arms down"]})
    return AnalysisResult(
        facts={}, tables={"component_names": table}, images={f"component_{number}_ends": IMAGE for number in (1, 2, 3)}
    )


def _truncation() -> AnalysisResult:
    rows = [
        ("own", "intact", np.nan, 0.84, 0.8, 0.88),
        ("own", "first", 0, 0.6, 0.5, 0.7),
        ("own", "first", 1, 0.7, 0.6, 0.8),
        ("own", "first", 100, 0.84, 0.8, 0.88),
        ("own", "first", 10, 0.83, 0.8, 0.87),
        ("mean", "first", 10, 0.4, 0.3, 0.5),
    ]
    table = pd.DataFrame(rows, columns=["skips", "subset", "k", "pck", "low", "high"])
    facts = {"components": 576, "components_asked": 10, "pck_no_components_own": 0.6}
    return AnalysisResult(facts=facts, tables={"truncation": table})


def _clusters() -> AnalysisResult:
    table = pd.DataFrame(
        {
            "cluster": [1, 2],
            "persons": [300, 62],
            "description": ["seen from the front", "legs out of view"],
            "mean_pck": [0.9, 0.6],
            "pck_low": [0.88, 0.5],
            "pck_high": [0.92, 0.7],
        }
    )
    images = {"cluster_1_persons": IMAGE, "cluster_2_persons": IMAGE}
    return AnalysisResult(facts={"verdict": "no clusters"}, tables={"clusters": table}, images=images)

"""What each stage hands to reporting: one dataset per stage, collected from the files of the stage.

A collecting node belongs to the namespace of its stage and to two pipelines, that of the stage and `reporting`. The collected
dataset stays in memory, so `kedro run --pipelines reporting` collects anew from the files. The tag `reporting` exempts the
nodes from the check that all files are of the same run: reporting leaves out, and names, results of other models or data.
"""

from collections.abc import Iterable

from kedro.pipeline import Pipeline

from posescope.core.plugins import installed
from posescope.pipelines.steps import collect_results, stage, step

__all__ = ["collect_data", "collect_evaluation", "collect_explainability", "collect_training"]

# Name of a result in the collected dataset, where it differs from the name of its dataset.
_OTHER_NAMES = {
    "data_distribution": "distribution", "data_quality": "quality", "person_scores_val": "person_scores",
    "joint_scores_val": "joint_scores",
}  # fmt: skip
_DATA = (
    "data_distribution", "rejected", "joint_labels", "data_quality", "distribution_plot", "rejected_plot", "joint_labels_plot",
    "box_sizes_plot", "joint_counts_plot", "crop_grid", "target_grid", "average_crop",
)  # fmt: skip
_EVALUATION = (
    "metrics", "person_scores_val", "joint_scores_val", "joint_scores_plot", "error_types", "error_costs", "strata",
    "reliability", "rank_correlations", "decoding_effects", "error_types_plot", "error_costs_plot", "strata_plot",
    "reliability_plot", "worst_persons", "uncertainty_coverage", "risk_coverage", "joint_trust", "uncertainty_plot",
    "risk_coverage_plot", "joint_circles",
)  # fmt: skip


def collect_data() -> Pipeline:
    """Return the pipeline that collects the results of data engineering."""
    return _collect("data_engineering.previews", _DATA, "data_results")


def collect_training() -> Pipeline:
    """Return the pipeline that collects the results of training."""
    return _collect("modelling", ("history", "history_plot"), "training_results")


def collect_evaluation() -> Pipeline:
    """Return the pipeline that collects the results of evaluation."""
    return _collect("evaluation.previews", _EVALUATION, "evaluation_results")


def collect_explainability() -> Pipeline:
    """Return the pipeline that collects the components, the findings and the results of all installed analyses."""
    analyses = (f"analysis_{row.name}" for row in installed("analyses"))
    return _collect("explainability.analyses", ("components", "findings", *analyses), "explainability_results")


def _collect(namespace: str, datasets: Iterable[str], result: str) -> Pipeline:
    inputs = {_OTHER_NAMES.get(name, name): name for name in datasets}
    return stage(namespace, [step(collect_results, inputs, result, f"collect_{result}")], tags=["reporting"])

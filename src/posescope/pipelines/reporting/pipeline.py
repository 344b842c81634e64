"""The flow of reporting."""

from kedro.pipeline import Pipeline, pipeline

from posescope.core.plugins import installed
from posescope.pipelines.reporting import nodes
from posescope.pipelines.steps import named_outputs, step

__all__ = ["create_pipeline"]

PAGE = "params:reporting.page"
FAILURES = ("error_types", "error_costs", "strata", "reliability", "rank_correlations", "decoding_effects", "worst_persons")


def create_pipeline() -> Pipeline:
    """Results of a run -> figures, and one page that tells its story."""
    results = {f"failure_{name}": name for name in FAILURES}
    results |= named_outputs(*(f"analysis_{row.name}" for row in installed("analyses")))
    return pipeline(
        [
            step(nodes.draw_joint_scores, "joint_scores_val", "joint_scores_plot"),
            step(
                nodes.show_examples,
                [
                    "model",
                    "raw_source",
                    "crops",
                    "targets",
                    "persons",
                    "crop_boxes",
                    "keypoints",
                    "person_scores_val",
                    "crop_statistics",
                    "params:data_engineering.source",
                    PAGE,
                ],
                "person_examples",
            ),
            step(
                nodes.write_card,
                {
                    "model": "model",
                    "metrics": "metrics",
                    "data_distribution": "data_distribution",
                    "statistics": "crop_statistics",
                    **results,
                },
                "model_card",
            ),
            step(
                nodes.write_report,
                {
                    "model": "model",
                    "statistics": "crop_statistics",
                    "metrics": "metrics",
                    "data_distribution": "data_distribution",
                    "data_rejected": "rejected",
                    "data_joint_labels": "joint_labels",
                    "data_box_sizes": "box_sizes_plot",
                    "data_joint_counts": "joint_counts_plot",
                    "data_crop_sheet": "crop_grid",
                    "data_target_sheet": "target_grid",
                    "data_average_crop": "average_crop",
                    "data_quality": "data_quality",
                    "history": "history",
                    "joint_scores": "joint_scores_val",
                    "components": "components",
                    "examples": "person_examples",
                    "page": PAGE,
                    **results,
                },
                "report",
            ),
        ],
        tags="reporting",
    )

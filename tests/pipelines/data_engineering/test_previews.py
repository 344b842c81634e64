"""Previews of data engineering: all tables, images and plots are written and shown by Kedro-Viz."""

import inspect
import json
from typing import Any

import pandas as pd
import pytest
from tests.kedro_sessions import open_session, run_pipelines

from posescope.pipelines.data_engineering import create_pipeline

IMAGES = {"crop_grid", "target_grid", "average_crop"}
PLOTS = {"distribution_plot", "rejected_plot", "box_sizes_plot", "joint_counts_plot", "joint_labels_plot"}
TABLES = {
    "persons_read", "keypoints", "persons_filtered", "persons_boxed", "crop_boxes", "persons", "issues", "issues_read",
    "issues_filter", "issues_box", "issues_crop", "data_distribution", "data_quality", "data_quality_read",
    "data_quality_images", "rejected", "joint_labels",
}  # fmt: skip
RECORDS = {"skeleton", "crop_statistics"}
KINDS = {"ImagePreview": IMAGES, "PlotlyPreview": PLOTS, "TablePreview": TABLES, "JSONPreview": RECORDS}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the catalog of the project after a run of the pipeline on a small generated sample."""
    root = tmp_path_factory.mktemp("previews")
    run_pipelines(root, "data_engineering")
    with open_session(data_dir=str(root / "data"), raw_dir=str(root / "raw")) as session:
        return session.load_context().catalog


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in KINDS.items() for name in sorted(names)])
def test_dataset_has_a_preview_of_its_kind(catalog: Any, kind: str, name: str) -> None:
    dataset = catalog.get(name)
    arguments = (dataset.metadata or {})["kedro-viz"].get("preview_args", {})
    shown = dataset.preview(**arguments)
    # Kedro-Viz selects the kind of preview by the name of the return annotation.
    annotation = inspect.signature(dataset.preview).return_annotation
    assert getattr(annotation, "__name__", annotation) == kind
    assert len(json.dumps(shown)) > 2


def test_every_table_image_and_plot_has_a_preview(catalog: Any) -> None:
    without_preview = {"raw_source", "crops", "targets", "data_results"}
    assert create_pipeline().all_outputs() - without_preview == IMAGES | PLOTS | TABLES | RECORDS


def test_rejected_and_accepted_records_agree_with_the_other_tables(catalog: Any) -> None:
    load = catalog.load
    rejected, distribution = load("rejected"), load("data_distribution").set_index("split")
    accepted = rejected[(rejected["step"] == "accepted")].set_index("record")["records"]
    assert accepted["person"] == distribution.loc["all", "persons"] == len(load("persons"))
    assert accepted["image"] == distribution.loc["all", "images"]
    assert rejected["records"].sum() == len(load("issues")) + accepted.sum()
    of_persons = rejected[rejected["record"] == "person"]
    assert of_persons["fraction"].sum() == pytest.approx(1, abs=1e-4)
    # Every annotated person is accepted or listed with a reason.
    assert of_persons["records"].sum() == len(load("persons_read")) + (of_persons["step"] == "read").sum()


def test_joint_labels_sum_to_the_persons(catalog: Any) -> None:
    labels: pd.DataFrame = catalog.load("joint_labels")
    assert labels["joint"].tolist() == list(catalog.load("skeleton").joints)
    assert set(labels[["visible", "occluded", "unlabelled"]].sum(axis=1)) == {len(catalog.load("persons"))}

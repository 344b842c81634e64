"""The tiny data set, cut into crops, and a small untrained model of its three joints."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons, targets_in_crops
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.options import CropOptions
from posescope.geometry.crop_recipe import CropRecipe
from posescope.reporting.plots.evaluation_plots import plot_error_costs, plot_error_types, plot_reliability, plot_strata
from posescope.reporting.sections.data_section import DataInputs
from posescope.reporting.sections.error_analysis_section import FailureInputs


@dataclass(frozen=True)
class TinyRun:
    """Outputs of data engineering: training persons 0..3, validation persons 4..6."""

    folder: CocoFolder
    source: SourceOptions
    persons: pd.DataFrame
    keypoints: pd.DataFrame
    crop_boxes: pd.DataFrame
    targets: PoseTargets
    store: CropStore
    skeleton: Skeleton


@pytest.fixture
def tiny_run(tiny_coco, tmp_path) -> TinyRun:
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    options = CropOptions(rule="padded_square", size_px=32, workers=1)
    found = read_annotations(folder, source)
    boxed = box_persons(found.persons, found.keypoints, options)
    store = CropStore(tmp_path / "crops")
    write_crops(folder, source, boxed.persons, boxed.crop_boxes, store, options)
    targets = targets_in_crops(boxed.crop_boxes, found.keypoints)
    return TinyRun(folder, source, boxed.persons, found.keypoints, boxed.crop_boxes, targets, store, found.skeleton)


@pytest.fixture
def tiny_model(tiny_run) -> PoseModel:
    model_spec = ComponentSpec(name="hourglass", options={"channels": 8, "depth": 1, "bottleneck_residuals": 1})
    codec_spec = ComponentSpec(name="gaussian")
    context = {"crop_size": (32, 32), "joint_count": 3}
    torch.manual_seed(0)
    return PoseModel(
        network=build("models", model_spec, **context),
        codec=build("codecs", codec_spec, **context),
        skeleton=tiny_run.skeleton,
        crop_size=(32, 32),
        mean_rgb=(0.5, 0.5, 0.5),
        model_spec=model_spec,
        codec_spec=codec_spec,
        crop=CropRecipe(rule=ComponentSpec(name="padded_square")),
        provenance={"best_epoch": 3, "seed": 11, "history": [1, 2]},
    )


@pytest.fixture
def data_inputs() -> DataInputs:
    """Inputs of the section on the data: counts of five images and seven persons."""
    image = np.full((8, 12, 3), 90, np.uint8)
    plot = go.Figure(go.Bar(x=[1], y=[2]))
    return DataInputs(
        distribution=pd.DataFrame(
            {
                "split": ["train", "val", "test", "all"],
                "images_with_persons": [4, 2, 1, 7],
                "images": [2, 2, 1, 5],
                "persons": [3, 3, 1, 7],
                "images_fraction": [0.4, 0.4, 0.2, 1.0],
                "persons_fraction": [3 / 7, 3 / 7, 1 / 7, 1.0],
            }
        ),
        rejected=pd.DataFrame(
            [
                ("read", "image", "image without persons", 1, 0.25),
                ("filter", "person", "crowd", 3, 0.3),
                ("accepted", "person", "persons with a crop", 7, 0.7),
                ("accepted", "image", "images of these persons", 3, 0.75),
            ],
            columns=["step", "record", "reason", "records", "fraction"],
        ),
        joint_labels=pd.DataFrame(
            {
                "joint": ["nose", "left_hand"],
                "visible": [5, 0],
                "occluded": [1, 3],
                "unlabelled": [1, 4],
                "visible_fraction": [5 / 7, 0.0],
                "occluded_fraction": [1 / 7, 3 / 7],
                "unlabelled_fraction": [1 / 7, 4 / 7],
            }
        ),
        quality=pd.DataFrame(
            [
                ("repaired", "train2017", "area_from_box", 2, 0.5, "Annotation 3 has area null.", "Write the area."),
                ("warned", "all", "guessed_oks_sigmas", 1, 0.5, "No OKS sigma is known for tail.", "Give it."),
            ],
            columns=["severity", "split", "check", "records", "fraction", "detail", "remedy"],
        ),
        distribution_plot=plot,
        rejected_plot=plot,
        joint_labels_plot=plot,
        box_sizes_plot=plot,
        joint_counts_plot=plot,
        crop_grid=image,
        target_grid=image,
        average_crop=image,
    )


@pytest.fixture
def failure_inputs() -> FailureInputs:
    """Result tables of evaluation for two joints."""
    types = ("good", "jitter", "inversion", "swap", "miss", "not found")
    fractions = {
        "all": (0.5, 0.2, 0.1, 0.05, 0.15, 0),
        "nose": (0.7, 0.1, 0.0, 0.1, 0.1, 0),
        "left_hand": (0.3, 0.3, 0.2, 0.0, 0.2, 0),
    }
    score_columns = ["pck_thesis", "pck_thesis_low", "pck_thesis_high", "oks", "oks_low", "oks_high"]
    tables = {
        "error_types": pd.DataFrame(
            [
                (joint, kind, 20, round(20 * fraction), fraction, fraction, fraction)
                for joint, of_joint in fractions.items()
                for kind, fraction in zip(types, of_joint, strict=True)
            ],
            columns=["joint", "type", "labelled", "count", "fraction", "low", "high"],
        ),
        "error_costs": pd.DataFrame(
            [
                ("jitter", 8, 0.4, 0.5, 0.1, 0.05, 0.04, 0.06),
                ("inversion", 4, 0.4, 0.6, 0.2, 0.15, 0.1, 0.2),
                ("swap", 2, 0.4, 0.4, 0.0, 0.0, 0.0, 0.0),
                ("miss", 1006, 0.4, 0.75, 0.35, 0.25, 0.2, 0.3),
                ("all", 20, 0.4, 1.0, 0.6, 0.45, 0.4, 0.5),
            ],
            columns=[
                "type", "joints", "oks_ap", "oks_ap_corrected", "ap_gain", "oks_gain", "oks_gain_low", "oks_gain_high",
            ],
        ),
        "strata": pd.DataFrame(
            [
                ("all persons", "all persons", 50, 0.5, 0.4, 0.6, 0.5, 0.4, 0.6),
                ("size", "small", 3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
                ("size", "medium", 20, 0.4, 0.3, 0.5, 0.25, 0.2, 0.3),
                ("size", "large", 27, 0.6, 0.5, 0.7, 0.75, 0.7, 0.8),
            ],
            columns=["stratum", "group", "persons", *score_columns],
        ),
        "reliability": pd.DataFrame(
            [("joint", 1, 9, 0.2, 0.1, 0.3, *[0.5] * 6), ("person", 1, 7, 0.2, 0.1, 0.3, *[0.5] * 6)],
            columns=["level", "bin", "count", "score", "score_low", "score_high", *score_columns],
        ),
        "rank_correlations": pd.DataFrame(
            [("joint", 9, 0.5, 0.4, 0.6), ("person", 7, 0.31, 0.12, 0.44)], columns=["level", "count", "spearman", "low", "high"]
        ),
        "decoding_effects": pd.DataFrame(
            [
                ("variant", "arg-max", 0.5, 0.4, 0.6, 0.5, 0.4, 0.6),
                ("effect", "flip test, with arg-max", 0.1, 0.0, 0.2, 0.0125, -0.0115, 0.0325),
            ],
            columns=["kind", "variant", *score_columns],
        ),
    }  # fmt: skip
    return FailureInputs(
        **tables,
        error_types_plot=plot_error_types(tables["error_types"]),
        error_costs_plot=plot_error_costs(tables["error_costs"]),
        strata_plot=plot_strata(tables["strata"]),
        reliability_plot=plot_reliability(tables["reliability"], tables["rank_correlations"]),
        worst_persons=np.full((8, 12, 3), 90, np.uint8),
    )

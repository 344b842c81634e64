"""Tests of posescope.reporting.plots.data_plots: plotted values, axes, texts and size of the plots."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.options import CropOptions
from posescope.geometry.crop_recipe import CropRecipe
from posescope.reporting.plots.data_plots import (
    plot_box_sizes,
    plot_data_distribution,
    plot_joint_counts,
    plot_joint_labels,
    plot_rejected,
)


def rejected(*rows):
    return pd.DataFrame(rows, columns=["step", "record", "reason", "records", "fraction"])


STATISTICS = CropStatistics((0.5, 0.5, 0.5), (96, 96), CropRecipe(rule=ComponentSpec(name="padded_square")), "d" * 16)
CROP = CropOptions(size_px=96)
ACCEPTED = (("accepted", "person", "persons with a crop", 80, 0.8), ("accepted", "image", "images of these persons", 40, 1.0))


def persons(count, split="train", side=100.0):
    return pd.DataFrame(
        {"person_id": np.arange(count), "split": split, "bbox_w": np.full(count, side), "bbox_h": np.full(count, side / 2)}
    )


def crop_boxes(*sides):
    return pd.DataFrame({"person_id": np.arange(len(sides)), "side": sides})


def crops_of(count):
    """Return a stand-in for the store of the crops of persons 0..count - 1."""
    return SimpleNamespace(person_ids=lambda: np.arange(count))


def pose_targets(*labelled, joint_count=4):
    """Return targets with the given number of labelled joints per person, alternately visible and occluded."""
    visibility = np.zeros((len(labelled), joint_count), np.uint8)
    for row, number in enumerate(labelled):
        visibility[row, :number] = np.arange(number) % 2 + 1
    return PoseTargets(np.arange(len(labelled)), np.zeros((len(labelled), joint_count, 2), np.float32), visibility)


def test_distribution_shows_percentages_and_counts():
    table = pd.DataFrame(
        {
            "split": ["train", "val", "all"],
            "images": [900, 100, 1000],
            "persons": [1500, 500, 2000],
            "images_fraction": [0.9, 0.1, 1.0],
            "persons_fraction": [0.75, 0.25, 1.0],
        }
    )
    figure = plot_data_distribution(table)
    images, persons_trace = figure.data
    assert list(images.x) == ["train", "val"]
    assert list(persons_trace.y) == [75.0, 25.0]
    assert persons_trace.text[0] == "1,500<br>75.0 %"
    assert list(images.hovertext) == ["900 images with a crop", "100 images with a crop"]
    with_annotated = plot_data_distribution(table.assign(images_with_persons=[1200, 100, 1300])).data
    assert list(with_annotated[0].hovertext) == [
        "900 images with a crop, of 1,200 with persons",
        "100 images with a crop, of 100 with persons",
    ]
    assert with_annotated[1].hovertext[0] == "1,500 persons with a crop"
    assert figure.layout.annotations[0].text == "Images and persons of each split"


def test_rejected_records_are_bars_in_step_order_on_a_logarithmic_axis():
    figure = plot_rejected(
        rejected(
            ("read", "image", "image without persons", 2, 0.04),
            ("filter", "person", "crowd", 19, 0.19),
            ("crop", "person", "cut short", 1, 0.0001),
            *ACCEPTED,
        )
    )
    rejected_persons, rejected_images, accepted = figure.data
    assert (rejected_persons.name, rejected_images.name, accepted.name) == ("rejected persons", "rejected images", "accepted")
    assert list(rejected_persons.x) == [1, 19]
    assert list(rejected_persons.text) == ["1 (< 0.1 % of all persons)", "19 (19.0 % of all persons)"]
    assert list(rejected_images.text) == ["2 (4.0 % of all images)"]
    assert list(accepted.x) == [40, 80]
    # Plotly's axis points upwards: the last category is the top row.
    assert figure.layout.yaxis.categoryarray[-1] == "read: image without persons"
    assert figure.layout.yaxis.categoryarray[0] == "accepted: images of these persons"
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.range[0] < 0  # a single record (log 1 = 0) has a bar


def test_rare_reasons_are_combined():
    many = [("crop", "person", f"reason {number}", 20 - number, 0.01) for number in range(12)]
    figure = plot_rejected(rejected(*many, *ACCEPTED))
    bars = figure.data[0]
    assert bars.y[0] == "crop: 5 other reasons"
    # 13 + 12 + 11 + 10 + 9 = 55
    assert bars.x[0] == 55
    assert bars.text[0] == "55 (5.0 % of all persons)"
    assert len(bars.x) == 8


def test_long_reasons_are_wrapped():
    figure = plot_rejected(
        rejected(("box", "person", "no square inside the image is centred on the joints and contains them", 3, 0.3))
    )
    assert figure.data[0].y[0] == "box: no square inside the image is<br>centred on the joints and contains<br>them"


def test_accepted_records_can_be_plotted_without_rejected_ones():
    assert [trace.name for trace in plot_rejected(rejected(*ACCEPTED)).data] == ["accepted"]


def test_box_sizes_are_percentages_of_the_split_in_bins_of_a_quarter_octave():
    table = pd.concat([persons(3), persons(1, "val", side=30).assign(person_id=3)])
    figure = plot_box_sizes(table, crop_boxes(100, 100, 200, 64), crops_of(4), STATISTICS, CROP)
    boxes, val_boxes, sides, val_sides = figure.data
    assert (boxes.name, val_boxes.name, sides.name, val_sides.name) == ("train", "val", "train", "val")
    # log2(100) = 6.64 is between 6.5 and 6.75: the bin from 91 to 108 px.
    assert [text for text, fraction in zip(boxes.text, boxes.y, strict=True) if fraction] == ["91 to 108 px: 3 persons"]
    assert max(boxes.y) == 100
    assert sorted(fraction for fraction in sides.y if fraction) == pytest.approx([100 / 3, 200 / 3])
    assert boxes.x[list(boxes.y).index(100)] == pytest.approx(2**6.625)
    assert figure.layout.xaxis2.type == "log"
    assert {line.x0 for line in figure.layout.shapes} == {96}


def test_box_sizes_state_how_many_crops_are_enlarged():
    figure = plot_box_sizes(persons(4), crop_boxes(20, 95, 96, 300), crops_of(4), STATISTICS, CROP)
    assert figure.layout.meta == {"data": "d" * 16}
    # A crop box of 96 px is neither enlarged nor reduced.
    assert "2 (50.0 %) are enlarged, 1 (25.0 %) reduced" in figure.layout.xaxis2.title.text


def test_persons_without_a_crop_are_not_counted():
    figure = plot_box_sizes(persons(4), crop_boxes(20, 95, 96, 300), crops_of(2), STATISTICS, CROP)
    assert "2 (100.0 %) are enlarged" in figure.layout.xaxis2.title.text


def test_curves_end_at_zero_and_boxes_of_zero_width_are_counted():
    figure = plot_box_sizes(persons(2, side=0.0), crop_boxes(50, 60), crops_of(2), STATISTICS, CROP)
    boxes = figure.data[0]
    assert (boxes.y[0], boxes.y[-1]) == (0, 0)
    assert sum(boxes.y) == 100


def test_labelled_joints_are_counted_per_split():
    table = pd.DataFrame({"person_id": [0, 1, 2, 3], "split": ["train", "train", "train", "val"]})
    figure = plot_joint_counts(pose_targets(4, 4, 1, 2, 3), table, crops_of(4), STATISTICS)
    train, val = figure.data
    assert (train.name, val.name) == ("train (median 4)", "val (median 2)")
    assert list(train.x) == [0, 1, 2, 3, 4]
    assert list(train.y) == pytest.approx([0, 100 / 3, 0, 0, 200 / 3])
    assert list(train.customdata) == [0, 1, 0, 0, 2]
    assert list(val.y) == [0, 0, 100, 0, 0]
    assert figure.layout.xaxis.title.text == "labelled joints (of 4)"


def test_joint_labels_are_stacked_in_skeleton_order(data_inputs):
    figure = plot_joint_labels(data_inputs.joint_labels)
    visible, occluded, unlabelled = figure.data
    assert list(visible.y) == ["left hand", "nose"]  # Plotly's axis points upwards
    assert list(visible.x) == pytest.approx([0, 500 / 7])
    assert np.add(np.add(visible.x, occluded.x), unlabelled.x) == pytest.approx([100, 100])
    assert list(occluded.text) == ["43", "14"]
    assert list(visible.text) == ["", "71"]
    assert figure.layout.barmode == "stack"


def test_plots_of_many_persons_have_a_small_size():
    count = 150_000
    rng = np.random.default_rng(0)
    table = persons(count).assign(bbox_w=rng.uniform(1, 640, count), split=rng.choice(["train", "val", "test"], count))
    boxes = crop_boxes(*rng.integers(1, 640, count))
    targets = pose_targets(*rng.integers(1, 5, count))
    crops = crops_of(count)
    for figure in (
        plot_box_sizes(table, boxes, crops, STATISTICS, CROP), plot_joint_counts(targets, table, crops, STATISTICS)
    ):  # fmt: skip
        assert len(figure.to_json()) < 50_000

"""Tests of the explorer table of a hand-made run: values, missing parts, other models, photographs, sealed test persons."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import simplejpeg
from pydantic import ValidationError
from tests.explorer.conftest import JOINTS, RADIUS, calibrated

from posescope.core.errors import DataError
from posescope.core.records import PosePredictions, PoseTargets
from posescope.explorer import person_table
from posescope.explorer.person_table import ExplorerOptions, mean_error, mean_radius
from posescope.explorer.table_file import read_about, read_persons, read_thumbnails


def test_columns_of_each_person(run) -> None:
    found = read_persons(run.export())
    assert found["person_id"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert found["role"].tolist() == ["fitted"] * 4 + ["judged"] * 3
    assert found["split"].tolist() == ["train"] * 4 + ["val"] * 3
    own = run.tables.persons.set_index("person_id")
    for name in ("image_id", "annotation_id", "file_name", "source_split"):
        assert found[name].tolist() == own[name].tolist()
    np.testing.assert_allclose(found["error"], 100 * 5 / 32, rtol=1e-5)
    np.testing.assert_allclose(found["radius"], 100 * RADIUS / 32, rtol=1e-5)
    scores = run.explainability["components"].project(run.features.open().values)
    np.testing.assert_allclose(found[["component_1", "component_2", "component_3", "component_4"]], scores, rtol=1e-5)
    np.testing.assert_array_equal(found[["map_x", "map_y"]], found[["component_1", "component_2"]])
    assert "component_5" not in found
    assert found["attribute_standing"].isna().tolist() == [False, True, *[False] * 5]
    assert found["cluster"].tolist() == [1, 2, *[pd.NA] * 5]
    assert found["cluster_name"].tolist()[:3] == ["group 1 (standing)", "group 2", ""]
    assert set(found["crop_height"]) == set(found["crop_width"]) == {32}


def test_joints_are_in_the_order_of_the_model(run) -> None:
    path = run.export()
    assert read_about(path).skeleton.joints == JOINTS
    found = read_persons(path)
    rows = np.searchsorted(run.targets.person_ids, found["person_id"])
    of_data = [run.targets.joint_names.index(name) for name in JOINTS]
    true = np.stack(found["joints_true"]).reshape(7, 3, 3)
    np.testing.assert_array_equal(true[..., :2], run.targets.joints[rows][:, of_data])
    np.testing.assert_array_equal(true[..., 2], run.targets.visibility[rows][:, of_data])
    predicted = np.stack(found["joints_predicted"]).reshape(7, 3, 3)
    np.testing.assert_allclose(predicted[..., 2], np.tile([0.6, 0.2, 0.4], (7, 1)), rtol=1e-6)
    labelled = true[..., 2] > 0
    np.testing.assert_allclose((predicted - true)[labelled][:, :2], np.tile([3, 4], (labelled.sum(), 1)), rtol=1e-4)


def test_metadata(run) -> None:
    about = read_about(run.export(thumbnail_px=16, category="mouse"))
    assert about.category == "mouse"
    assert (about.model, about.data) == (run.features.open().model, run.statistics.data_fingerprint)
    assert (about.features, about.layer, about.crop_size) == ("f" * 16, "stack1.bottleneck", (32, 32))
    assert (about.scores, about.thumbnail_px, about.photographs, about.note) == (("pck_thesis", "oks"), 16, "full", "")
    assert [one.number for one in about.components] == [1, 2, 3, 4]
    assert sum(one.explained for one in about.components) == pytest.approx(1)
    assert [(one.name, one.persons) for one in about.clusters] == [("group 1 (standing)", 1), ("group 2", 1)]
    assert about.attributes["standing"].unit == "torsos"


def test_equal_inputs_give_equal_bytes(run) -> None:
    """Also of t-SNE, which draws random numbers."""
    for options in ({}, {"map": "tsne"}):
        first = run.export(**options).read_bytes()
        assert run.export(**options).read_bytes() == first


def test_radii_of_a_flip_test_and_of_no_calibration(run) -> None:
    found = read_persons(run.export(flip_test=True))
    np.testing.assert_allclose(found["radius"], 2 * 100 * RADIUS / 32, rtol=1e-5)
    for missing in (None, calibrated("0" * 16)):  # of another model
        run.uncertainty = missing
        assert read_persons(run.export())["radius"].isna().all()


@pytest.mark.parametrize("mode", ["blurred", "none"])
def test_photographs_that_are_not_shown(run, mode: str) -> None:
    rows = np.arange(7)
    shown = np.stack([simplejpeg.decode_jpeg(file) for file in read_thumbnails(run.export(), rows)]).astype(float)
    path = run.export(photographs=mode)
    hidden = np.stack([simplejpeg.decode_jpeg(file) for file in read_thumbnails(path, rows)]).astype(float)
    assert set(read_persons(path)["file_name"]) == {""}
    assert read_about(path).photographs == mode
    contrast = [np.abs(np.diff(images, axis=2)).mean() for images in (shown, hidden)]
    assert contrast[1] < 0.5 * contrast[0]
    if mode == "none":
        assert np.ptp(hidden) == 0


def test_analysis_of_another_model_is_left_out(run) -> None:
    clusters = run.explainability["analysis_clusters"]
    run.explainability["analysis_clusters"] = replace(clusters, model="0" * 16)
    path = run.export()
    assert read_persons(path)["cluster"].isna().all()
    assert read_about(path).clusters == ()


@pytest.mark.parametrize("what", ["components", "features"])
def test_features_of_another_model_give_a_table_without_persons(run, what: str) -> None:
    if what == "components":
        run.explainability["components"] = replace(run.explainability["components"], model="0" * 16)
    else:
        open_features = run.features.open()
        run.features.write(
            open_features.person_ids, [np.array(open_features.values)], layer=open_features.layer, shape=open_features.shape,
            fingerprint="e" * 16, model="0" * 16, data=open_features.data,
        )  # fmt: skip
    path = run.export()
    assert len(read_persons(path)) == 0
    assert "explainability" in read_about(path).note


def test_sealed_test_persons_are_refused(run, monkeypatch) -> None:
    """Also if all fingerprints agree."""
    path = run.export()
    sealed = run.tables.persons.assign(split=["test", *run.tables.persons["split"][1:]])
    run.tables = replace(run.tables, persons=sealed)
    with pytest.raises(DataError, match="crop_statistics"):  # another split is other data
        run.export()
    monkeypatch.setattr("posescope.explorer.table_export.check_current", lambda *arguments: None)
    with pytest.raises(DataError, match="sealed"):
        run.export()
    assert len(read_persons(path)) == 7
    assert "test" not in set(read_persons(path)["split"])


@pytest.mark.parametrize("name", ["explained", "predictions", "scores", "attributes"])
def test_person_that_is_missing_from_a_table(run, name: str) -> None:
    table = getattr(run.tables, name)
    run.tables = replace(run.tables, **{name: table[table["person_id"] != 3]})
    with pytest.raises(DataError, match="person 3"):
        run.export()


def test_error_and_radius_of_persons_without_labels_or_radii() -> None:
    joints = np.array([[[0, 0], [3, 4]], [[1, 1], [1, 1]]], dtype=np.float32)
    found = PosePredictions(np.array([0, 1]), joints, np.ones((2, 2), np.float32))
    true = np.array([[[0, 0], [0, 0]], [[np.nan, np.nan]] * 2], dtype=np.float32)
    targets = PoseTargets(found.person_ids, true, np.array([[1, 2], [0, 0]], np.uint8))
    np.testing.assert_array_equal(mean_error(found, targets, 50), [5, np.nan])
    np.testing.assert_array_equal(mean_radius(found, None, False, 50), [np.nan, np.nan])


def test_umap_is_an_option_only_where_it_is_installed(monkeypatch) -> None:
    monkeypatch.setattr(person_table, "has_umap", lambda: False)
    with pytest.raises(ValidationError, match="umap-learn"):
        ExplorerOptions(map="umap")
    monkeypatch.setattr(person_table, "has_umap", lambda: True)
    assert ExplorerOptions(map="umap").map == "umap"

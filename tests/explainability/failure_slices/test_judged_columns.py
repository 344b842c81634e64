import numpy as np
import pandas as pd

from posescope.explainability.failure_slices.judged_columns import gather_columns


def test_columns_are_attributes_and_standardised_components_of_persons_with_pck(inputs_of, wandering_crops):
    crops, red, _ = wandering_crops
    pck = np.where(np.arange(len(crops)) < 10, np.nan, 0.75)
    attributes = pd.DataFrame({"size": red, "truncated": 0.0})
    judged = gather_columns(inputs_of(crops, per_person_pck=pck, attributes=attributes), components=2)
    assert len(judged.persons) == len(judged.table) == len(crops) - 10
    assert list(judged.table) == ["size", "truncated", "component_1", "component_2"]
    assert list(judged.properties) == ["size", "truncated"]
    # The first component is the shift of the red dot; fitted and judged persons are the same.
    assert abs(np.corrcoef(judged.table["component_1"], red[10:])[0, 1]) > 0.99
    np.testing.assert_allclose(judged.table["component_1"].std(), 1.0, atol=0.1)


def test_signed_attributes_have_a_column_of_magnitudes(inputs_of, scattered_crops):
    count = len(scattered_crops)
    attributes = pd.DataFrame({"looking_right": np.where(np.arange(count) % 2, -0.5, 0.4)})
    judged = gather_columns(inputs_of(scattered_crops, per_person_pck=np.ones(count), attributes=attributes), components=0)
    assert judged.table["head_aside"].tolist() == [0.4, 0.5] * (count // 2)


def test_missed_joints_are_counted_from_the_pck(inputs_of, scattered_crops):
    pck = np.full(len(scattered_crops), 0.5)
    judged = gather_columns(inputs_of(scattered_crops, per_person_pck=pck), components=0)
    assert judged.missed.tolist() == [1.0] * len(pck)  # one of two joints
    assert judged.table.shape[1] == 0


def test_a_component_without_variance_stays_finite(inputs_of, shifting_crops):
    judged = gather_columns(inputs_of(shifting_crops, per_person_pck=np.ones(len(shifting_crops))), components=50)
    assert np.isfinite(judged.table.to_numpy()).all()

"""Tests of posescope.artifacts.uncertainty."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posescope.artifacts.description import ModelFolderError, model_fingerprint
from posescope.artifacts.model_folder import load_model, save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import UNCERTAINTY, JointCalibration, Uncertainty, read_uncertainty, write_uncertainty

SCORES = np.array([[0.1, 0.1], [0.4, 0.9]])
TWO = (
    JointCalibration(joint="nose", labels=40, photographs=30, score_edges=(0.4,), radii=((2.0, 8.0), (1.0, 3.0))),
    JointCalibration(joint="hand", labels=4, photographs=4, score_edges=(), radii=((5.0, None),), reason="too few"),
)
MIRRORED = tuple(one.model_copy(update={"radii": tuple((1.0, 1.5) for _ in one.radii)}) for one in TWO)
RECORD = Uncertainty(
    model="0123456789abcdef", data="d", persons=50, photographs=30, level=0.9, levels=(0.5, 0.9), max_radius_px=6.0,
    plain=TWO, flip_test=MIRRORED,
)  # fmt: skip


def test_radii_by_joint_score_level_and_flip_test() -> None:
    np.testing.assert_array_equal(RECORD.radii(SCORES), [[8.0, np.nan], [3.0, np.nan]])  # a score on a border: the upper range
    np.testing.assert_array_equal(RECORD.radii(SCORES, level=0.5), [[2.0, 5.0], [1.0, 5.0]])
    np.testing.assert_array_equal(RECORD.radii(SCORES, flip_test=True), np.full((2, 2), 1.5))
    assert RECORD.joints == ("nose", "hand")
    assert RECORD.reasons() == {"hand": "too few"}


def test_large_radii_are_flagged_and_unknown_ones_are_not() -> None:
    np.testing.assert_array_equal(RECORD.distrust(RECORD.radii(SCORES)), [[True, False], [False, False]])


def test_round_trip(tmp_path: Path) -> None:
    write_uncertainty(tmp_path, RECORD)
    read = read_uncertainty(tmp_path, RECORD.model, ("nose", "hand"))
    assert read == RECORD
    assert Uncertainty.from_dict(RECORD.to_dict()) == RECORD


def test_a_model_without_the_file_has_no_uncertainty(tmp_path: Path) -> None:
    assert read_uncertainty(tmp_path, RECORD.model, RECORD.joints) is None


def test_uncertainty_of_another_model_or_of_other_joints_is_refused(tmp_path: Path) -> None:
    write_uncertainty(tmp_path, RECORD)
    with pytest.raises(ModelFolderError, match=r"expected the uncertainty of the model f{16}, found that of 0123456789abcdef"):
        read_uncertainty(tmp_path, "f" * 16, RECORD.joints)
    with pytest.raises(ModelFolderError, match="expected the joints hand, nose"):
        read_uncertainty(tmp_path, RECORD.model, ("hand", "nose"))


@pytest.mark.parametrize(
    "changes",
    [
        {"plain": [], "flip_test": TWO}, {"levels": [0.5]}, {"levels": [0.9, 0.5]}, {"level": 2}, {"model": "evil"},
        {"format_version": 2}, {"max_radius_px": -1}, {"persons": -1}, {"surplus": 1}, {"plain": "x"},
        {"levels": [0.5, 0.7, 0.9]},
        {"plain": [TWO[0].model_dump() | {"radii": [[1.0, 2.0]]}, TWO[1].model_dump()]},
        {"plain": [TWO[0].model_dump() | {"radii": [[1.0, -2.0]] * 2}, TWO[1].model_dump()]},
        {"plain": [TWO[0].model_dump() | {"score_edges": [0.4, 0.2], "radii": [[1.0, 2.0]] * 3}, TWO[1].model_dump()]},
    ],
)  # fmt: skip
def test_malformed_files_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / UNCERTAINTY
    path.write_text(json.dumps(RECORD.to_dict() | changes, default=lambda record: record.model_dump()))
    with pytest.raises(ModelFolderError, match=UNCERTAINTY):
        read_uncertainty(tmp_path, RECORD.model, RECORD.joints)
    path.write_text("{")
    with pytest.raises(ModelFolderError, match=UNCERTAINTY):
        read_uncertainty(tmp_path, RECORD.model, RECORD.joints)


def test_calibration_changes_neither_the_fingerprint_nor_the_model(tmp_path: Path, untrained_model: PoseModel) -> None:
    save_model(tmp_path / "model", untrained_model)
    before = model_fingerprint(tmp_path / "model")
    write_uncertainty(tmp_path / "model", RECORD.model_copy(update={"model": before}))
    assert model_fingerprint(tmp_path / "model") == before
    assert load_model(tmp_path / "model").provenance == untrained_model.provenance

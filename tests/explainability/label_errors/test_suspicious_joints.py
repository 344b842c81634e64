import numpy as np
import pytest

from posescope.core.skeleton import Skeleton
from posescope.explainability.label_errors.suspicions import KINDS, find_suspicions, read_heights
from posescope.explainability.label_errors.suspicious_joints import COLUMNS, rank_persons

NAMES = ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip", "tail")


def test_ranked_persons_and_their_joints(poses, reader_of) -> None:
    annotated = poses.annotated.copy()
    annotated[10, 5] += (0.2, -0.1)
    annotated[20, [1, 2]] = annotated[20, [2, 1]]
    changed = poses.with_annotations(annotated)
    suspicions = find_suspicions(changed, read_heights(changed, reader_of(poses), seed=0))
    ranked = rank_persons(changed, suspicions, most=5)
    assert len(ranked) == 5
    assert (np.diff(ranked.scores) <= 0).all()
    found = {row: (KINDS[kind], joint, other) for row, kind, joint, other in zip(*list(vars(ranked).values())[:4], strict=True)}
    assert found[10] == ("displaced", 5, -1)
    assert found[20][0] == "swapped"
    assert sorted(found[20][1:]) == [1, 2]
    skeleton = Skeleton(NAMES, (), (0.1,) * 6)
    table = ranked.table(changed, skeleton, np.arange(200) + 1000, np.repeat("val", 200), (100, 100)).set_index("person_id")
    assert tuple(table.columns) == tuple(name for name in COLUMNS if name != "person_id")
    row = table.loc[1010]
    assert (row["joint"], row["other_joint"], row["kind"]) == ("tail", "", "displaced")
    assert [row["annotated_x"], row["annotated_y"]] == pytest.approx((annotated[10, 5] * 100 - 0.5).tolist())
    assert row["distance"] == pytest.approx(np.linalg.norm(annotated[10, 5] - poses.predicted[10, 5]))


def test_persons_that_cannot_be_judged_are_left_out(poses, reader_of) -> None:
    annotated = poses.annotated.copy()
    annotated[:150] = np.nan
    changed = poses.with_annotations(annotated)
    ranked = rank_persons(changed, find_suspicions(changed, read_heights(changed, reader_of(poses), seed=0)), most=200)
    assert sorted(ranked.rows) == list(range(150, 200))

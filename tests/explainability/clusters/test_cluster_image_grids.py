import numpy as np

from posescope.explainability.clusters.cluster_image_grids import draw_members, rank_members
from posescope.explainability.clusters.cluster_members import ClusterMembers

MEMBERS = ClusterMembers(
    labels=np.array([0, 0, 0, 0, 1, 1]),
    rows=np.arange(6),
    silhouettes=np.zeros(6),
    distance_to_centre=np.array([3.0, 1.0, 2.0, 9.0, 1.0, 0.0]),
    medoids=np.array([2, 4, -1]),
)


def test_medoid_nearest_and_farthest_persons_without_duplicates() -> None:
    first = rank_members(MEMBERS, 0, nearest=2, farthest=3)
    assert first == [(2, "typical"), (1, "near"), (0, "far"), (3, "far")]
    assert rank_members(MEMBERS, 1, nearest=2, farthest=3) == [(4, "typical"), (5, "near")]
    assert rank_members(MEMBERS, 2, nearest=2, farthest=3) == []


def test_all_rows_have_the_same_width(inputs_of, scattered_crops) -> None:
    inputs = inputs_of(scattered_crops)
    for group in (0, 1):
        shown = rank_members(MEMBERS, group, 2, 3)
        image = draw_members(inputs.judged, shown, 5, "Group", inputs.model.skeleton, "full")
        assert image.shape[1] == 4 * 128 + 5 * 4
    hidden = draw_members(inputs.judged, shown, 5, "Group", inputs.model.skeleton, "none")
    assert not np.array_equal(hidden, image)

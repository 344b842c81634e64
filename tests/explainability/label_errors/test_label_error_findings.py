import numpy as np
import pytest

from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.label_errors.label_error_findings import planted_finding
from posescope.explainability.label_errors.planted_recall import PlantedRecall


def finding(found: list[bool], by_distance: list[bool]):
    groups = np.arange(len(found))
    recall = PlantedRecall(np.array(found), np.array(by_distance), groups)
    return planted_finding(recall, resample_images(groups, seed=0, resamples=500), "sheet")


def test_list_that_finds_more_is_supported() -> None:
    found = finding([True] * 30 + [False] * 10, [True] * 4 + [False] * 36)
    assert (found.verdict, found.effect, found.control.value) == ("supported", 0.75, 0.1)
    assert found.low < 0.75 < found.high
    assert found.p_value < 0.001
    assert "75%" in found.statement


def test_list_that_finds_fewer_is_refuted() -> None:
    found = finding([True] * 4 + [False] * 36, [True] * 30 + [False] * 10)
    assert found.verdict == "refuted"
    assert "fewer" in found.statement


def test_list_that_finds_as_many_is_inconclusive() -> None:
    found = finding([True, False] * 20, [False, True] * 20)
    assert found.verdict == "inconclusive"
    assert found.statement == found.unclear
    assert found.p_value > 0.5


@pytest.mark.parametrize("count", [0])
def test_no_planted_errors(count) -> None:
    assert planted_finding(PlantedRecall(*(np.zeros(count, dtype=bool),) * 2, np.zeros(count, np.int64)), None, "sheet") is None

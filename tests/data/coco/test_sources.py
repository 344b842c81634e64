"""Tests of posescope.data.coco.sources: options, folders and skeletons of several data sets."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from posescope.core.errors import DataError
from posescope.core.skeleton import DEFAULT_OKS_SIGMA, Skeleton
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.sources import (
    NamedSource,
    SourceFolders,
    SourceList,
    combine_folders,
    merge_skeletons,
    name_of_source,
    our_joints,
)

FACE = Skeleton(("nose", "left_shoulder", "right_shoulder"), ((0, 1), (0, 2), (1, 2)), (0.026, 0.079, 0.079), category_id=7)
BODY = Skeleton(("neck", "r_sho", "l_sho"), ((0, 1), (0, 2), (2, 1)), (0.05, 0.079, 0.079), guessed_sigmas=("r_sho", "l_sho"))
TO_OURS: dict[str, str | None] = {"r_sho": "right_shoulder", "l_sho": "left_shoulder"}


def source_of(name: str, **options: Any) -> NamedSource:
    return NamedSource(**{"name": name, "raw_dir": name, **options})


def test_joints_are_joined_by_name_in_the_order_of_the_sources() -> None:
    found = merge_skeletons([(source_of("a"), FACE), (source_of("b", joints=TO_OURS), BODY)])
    assert found.joints == ("nose", "left_shoulder", "right_shoulder", "neck")
    # The limb between the shoulders is in both data sets, in the other direction.
    assert found.limbs == ((0, 1), (0, 2), (1, 2), (3, 2), (3, 1))
    assert found.oks_sigmas == (0.026, 0.079, 0.079, 0.05)
    assert found.guessed_sigmas == ()
    assert found.category_id == 7
    assert found.flip_indices == (0, 2, 1, 3)


def test_joint_that_is_left_out_takes_its_limbs_with_it() -> None:
    without_neck = source_of("b", joints={**TO_OURS, "neck": None})
    found = merge_skeletons([(source_of("a"), FACE), (without_neck, BODY)])
    assert (found.joints, found.limbs) == (FACE.joints, FACE.limbs)


def test_sigma_is_guessed_only_if_no_source_knows_it() -> None:
    guessed = Skeleton(("tail",), (), (DEFAULT_OKS_SIGMA,), guessed_sigmas=("tail",))
    known = Skeleton(("tail",), (), (0.03,))
    assert merge_skeletons([(source_of("a"), guessed)]).guessed_sigmas == ("tail",)
    found = merge_skeletons([(source_of("a"), guessed), (source_of("b"), known)])
    assert (found.oks_sigmas, found.guessed_sigmas) == ((0.03,), ())


def test_two_sigmas_of_one_joint_are_an_error() -> None:
    first, second = (Skeleton(("tail",), (), (sigma,)) for sigma in (0.03, 0.04))
    with pytest.raises(DataError, match=r"'tail'.*0\.03.*'a'.*0\.04.*'b'"):
        merge_skeletons([(source_of("a"), first), (source_of("b"), second)])


@pytest.mark.parametrize(
    "joints", [{"chin": "nose"}, {"r_sho": "neck"}, {"neck": None, "r_sho": None, "l_sho": None}, {"neck": ""}]
)
def test_contradictory_joints_name_the_source(joints) -> None:
    with pytest.raises(DataError, match="Source 'b'"):
        merge_skeletons([(source_of("a"), FACE), (source_of("b", joints=joints), BODY)])


def test_joints_without_another_name_keep_theirs() -> None:
    assert our_joints(source_of("b", joints={"r_sho": None}), BODY.joints) == ("neck", None, "l_sho")


@pytest.mark.parametrize(
    "wrong",
    [
        [{"name": "a", "raw_dir": "a"}, {"name": "a", "raw_dir": "b"}],
        [{"name": "a/b", "raw_dir": "a"}],
        [{"name": "a"}],
        [{"name": "a", "raw_dir": "a", "weight": 0}],
        [{"name": "a", "raw_dir": "s3://bucket"}],
    ],
)
def test_wrong_sources_are_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        SourceList.model_validate(wrong)


def test_a_single_data_set_keeps_its_folder() -> None:
    folder = CocoFolder(Path("raw"))
    assert combine_folders(folder, SourceList()) is folder
    assert combine_folders(folder, None) is folder


def test_files_are_found_in_the_folder_of_their_source(tiny_coco, tmp_path) -> None:
    sources = SourceList((source_of("tiny", raw_dir="coco"), source_of("far", raw_dir=str(tiny_coco.root))))
    folder = combine_folders(CocoFolder(tmp_path), sources)
    unread = SourceOptions(train_split="none", images="none")
    folder.check(unread)
    for name in ("tiny", "far"):
        assert folder.image_folder(unread, f"{name}/train2017") == tiny_coco.root / "train2017"
        assert folder.annotation_file(unread, f"{name}/val2017") == tiny_coco.annotation_file("val2017")
        assert folder.options_of(unread, f"{name}/val2017").name == name  # type: ignore[attr-defined]
    assert name_of_source("tiny/a/b") == "tiny"
    assert not folder.is_generated
    assert folder.has_validation_file(unread)


def test_missing_source_is_named(tiny_coco, tmp_path) -> None:
    folder = SourceFolders(tmp_path, (source_of("tiny", raw_dir="coco"), source_of("gone")))
    with pytest.raises(DataError, match="Source 'gone'"):
        folder.check(SourceOptions())
    tiny_coco.annotation_file("val2017").unlink()
    with pytest.raises(DataError, match=r"Source 'tiny'.*person_keypoints_val2017"):
        folder.check(SourceOptions())


def test_persons_of_a_removed_source_are_an_error(tmp_path) -> None:
    folder = SourceFolders(tmp_path, (source_of("a"),))
    with pytest.raises(DataError, match="Run the pipeline data_engineering"):
        folder.image_folder(SourceOptions(), "b/train2017")

"""Generate the sample: plan it, render its images in several processes or on a cluster, write it as a COCO folder.

Image i of split s depends only on `SeedSequence([seed, s, i])`, not on the process or the order.
"""

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from posescope.core.compute import current_cluster, run_in_processes, use_cluster
from posescope.core.errors import DataError
from posescope.core.files import atomic_folder, read_json, write_json
from posescope.core.mirrors import fetch, place_of, remote_of
from posescope.data.coco.folder import SAMPLE_MARKER
from posescope.sample.annotation import CATEGORY, annotate_scene
from posescope.sample.options import SampleOptions
from posescope.sample.scene_layout import ImagePlan, Split, plan_split
from posescope.sample.scene_rendering import compose_scene

__all__ = ["FORMAT_VERSION", "ensure_sample", "generate_sample", "is_current_sample"]

# Increased whenever the same options give other bytes.
FORMAT_VERSION = 1
_logger = logging.getLogger(__name__)
_SPLITS: tuple[Split, ...] = ("train", "val")
# Ids of the validation split start here, so that they differ from all training ids.
_VAL_IDS_FROM = 500_000
_BATCH = 16  # images per task of a process


def generate_sample(folder: Path, options: SampleOptions) -> None:
    """Write the sample in the layout of COCO 2017. The same options give the same bytes.

        train2017/*.jpg  val2017/*.jpg  annotations/person_keypoints_{train,val}2017.json  sample.json

    The sample is written to a temporary folder, which then replaces `folder`.

    Args:
        folder: The folder; it may hold an earlier sample, which is replaced. Hidden files and folders (`.dvc`) are kept.
        options: Size, seed and quality.

    Raises:
        DataError: if `folder` holds any other file.
    """
    kept = _check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as temporary:
        for name in kept:
            if (folder / name).is_dir():
                shutil.copytree(folder / name, temporary / name, symlinks=True)
            else:
                (temporary / name).write_bytes((folder / name).read_bytes())
        for split_index, split in enumerate(_SPLITS):
            _write_split(temporary, split, split_index, options)
        write_json(temporary / SAMPLE_MARKER, _mark(options))
    _logger.info("Generated the sample in %s", folder)


def is_current_sample(folder: Path, options: SampleOptions) -> bool:
    """Return whether a folder already holds a sample; the number of workers does not count.

    Args:
        folder: the folder; it need not exist.
        options: options of the sample.
    """
    mark = folder / SAMPLE_MARKER
    fetch(mark)
    return mark.is_file() and bool(read_json(mark) == _mark(options))


def _mark(options: SampleOptions) -> dict[str, Any]:
    return {"format_version": FORMAT_VERSION, "options": options.model_dump(mode="json", exclude={"workers"})}


def _check_replaceable(folder: Path) -> list[str]:
    """Return the names of the hidden files and folders to keep; other files are an error, since they would be deleted.

    In the mirror of an object store the objects count: none of them need be on this machine.
    """
    here = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    remote = remote_of(folder)
    there = here
    if remote is not None:
        name = remote.name_of(folder)
        objects = [*remote.store.folders(name), *(found.name for found in remote.store.list(name, recursive=False))]
        there = sorted(found.rpartition("/")[2] for found in objects)
    foreign = [name for name in there if not name.startswith(".")]
    if foreign and SAMPLE_MARKER not in there:
        raise DataError(
            f"{place_of(folder)}: expected an empty folder or an earlier sample, found {', '.join(foreign[:5])} and no "
            f"{SAMPLE_MARKER}. Choose another folder, or move the files away."
        )
    # The hidden folder of a mirror describes its former files.
    return [name for name in here if name.startswith(".") and (remote is None or (folder / name).is_file())]


def _write_split(folder: Path, split: Split, split_index: int, options: SampleOptions) -> None:
    plans = plan_split(options.seed, split_index, options.train_persons if split == "train" else options.val_persons)
    images = folder / f"{split}2017"
    images.mkdir()
    # Of a folder in an object store, nothing is uploaded before it is complete, so other machines cannot add to it.
    with use_cluster(current_cluster() if remote_of(folder) is None else None):
        painted = run_in_processes(_paint_image, plans, shared=(images, options), workers=options.workers, batch_size=_BATCH)
        document = _document(split, list(tqdm(painted, total=len(plans), desc=f"sample {split}2017", unit="image")))
    path = folder / "annotations" / f"person_keypoints_{split}2017.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, separators=(",", ":"), allow_nan=False), encoding="utf-8")


def _paint_image(plan: ImagePlan, folder: Path, options: SampleOptions) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write an image; return its record and those of its persons, still without ids."""
    cv2.setNumThreads(1)  # the processes use all cores
    sequence = np.random.SeedSequence([options.seed, plan.split_index, plan.image_index])
    seeds = [int(word) for word in sequence.generate_state(6)]
    scene = compose_scene(seeds[:5], plan, options.image_short_side, options.image_long_side)
    image_id = plan.image_index + 1 + plan.split_index * _VAL_IDS_FROM
    file_name = f"{image_id:012d}.jpg"
    image = scene.image if scene.image.ndim == 2 else np.ascontiguousarray(scene.image[..., ::-1])
    path = folder / file_name
    try:  # OpenCV crashes on file names that are not UTF-8, so it gets none.
        path.write_bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, options.jpeg_quality])[1].tobytes())
    except OSError as error:
        raise DataError(f"{path}: could not be written. Check the free space and the permissions.") from error
    record = {
        "id": image_id,
        "file_name": file_name,
        "height": int(image.shape[0]),
        "width": int(image.shape[1]),
        "license": 1,
        "posescope": {"backdrop": scene.backdrop, "colour": plan.colour_mode},
    }
    return record, annotate_scene(scene, seeds[5])


def _document(split: Split, painted: Sequence[tuple[dict[str, Any], list[dict[str, Any]]]]) -> dict[str, Any]:
    """Return the content of an annotation file, as COCO's `person_keypoints_*.json`."""
    annotations = [{"image_id": image["id"], **annotation} for image, found in painted for annotation in found]
    first_id = 1 + _SPLITS.index(split) * _VAL_IDS_FROM
    return {
        "info": {
            "description": f"posescope sample, {split} split: generated pictures of people who do not exist",
            "version": str(FORMAT_VERSION),
            "year": 2024,
            "contributor": "posescope",
        },
        "licenses": [{"id": 1, "name": "MIT", "url": "https://opensource.org/license/mit"}],
        "images": [image for image, _ in painted],
        "annotations": [{"id": number, **annotation} for number, annotation in enumerate(annotations, start=first_id)],
        "categories": [dict(CATEGORY)],
    }


def ensure_sample(folder: Path, options: SampleOptions) -> None:
    """Generate the sample in `folder`, unless the folder already holds it.

    Args:
        folder: The folder.
        options: Size, seed and quality.

    Raises:
        DataError: if the folder holds other data, which is never overwritten.
    """
    if is_current_sample(folder, options):
        _logger.info("The sample already exists: %s", folder)
        return
    generate_sample(folder, options)

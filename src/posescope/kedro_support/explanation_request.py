"""A model, annotated photographs and options of an explanation, with fingerprints: the same request is computed once.

    <output>/results/explanation.json    fingerprints and options of the request whose results the folder has

It is written after all other files, so a folder whose computation was interrupted has no such file.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from posescope import __version__
from posescope.artifacts.description import model_fingerprint, read_description
from posescope.artifacts.uncertainty import UNCERTAINTY
from posescope.core.errors import DataError
from posescope.core.files import fingerprint, read_json, sha256_of, write_json
from posescope.core.joint_matching import match_joints
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.data.coco.study_folder import (
    AnnotatedImages,
    find_annotated_images,
    fingerprint_of_images,
    keypoint_category,
    make_study_folder,
)
from posescope.explorer.run_places import RunPlaces
from posescope.kedro_support.model_explanation import ExplanationOptions, explain_model
from posescope.runs.project_models import find_model

__all__ = ["ExplanationRequest", "read_request"]

_RECORD = Path("results", "explanation.json")


@dataclass(frozen=True)
class ExplanationRequest:
    """What is explained, and how.

    Attributes:
        model: model folder.
        sources: annotation files and their images.
        options: how the model is explained.
    """

    model: Path
    sources: tuple[AnnotatedImages, ...]
    options: ExplanationOptions

    @cached_property
    def record(self) -> dict[str, Any]:
        """JSON-like fingerprints and options; equal for requests with the same results. The device does not count."""
        radii = self.model / UNCERTAINTY
        options = self.options.model_dump(mode="json", exclude={"device"})
        return {
            "model": model_fingerprint(self.model),
            "uncertainty": sha256_of(radii) if radii.is_file() else None,
            "data": fingerprint([fingerprint_of_images(source) for source in self.sources]),
            "options": {**options, "analyses": list(self.options.selected)},
            "posescope": __version__,
        }

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of `record`."""
        return fingerprint(self.record)

    def is_answered_in(self, output: Path) -> bool:
        """Return whether a folder has the complete results of this request."""
        path = output / _RECORD
        try:
            return path.is_file() and RunPlaces.of_output(output).table.is_file() and read_json(path) == self.record
        except DataError:  # a damaged record: computed again
            return False

    def answer_in(self, output: Path, report_step: Callable[[str], None], allow: Collection[str] = ()) -> tuple[Path, ...]:
        """Compute the explanation; results of another request in the same folder are replaced.

        Args:
            output: folder for pages and results.
            report_step: is called with a description before each step.
            allow: dotted paths of components that the model folder may name.

        Returns:
            The written pages, the one to read first in front.

        Raises:
            PosescopeError: of any step, or if a file cannot be written.
        """
        record = self.record  # of the files as they are now
        output.mkdir(parents=True, exist_ok=True)  # before the work, not after it
        (output / _RECORD).unlink(missing_ok=True)
        with TemporaryDirectory(prefix="posescope-") as work:
            study = make_study_folder(self.sources, Path(work), self.options.max_persons, self.options.seed)
            pages = explain_model(self.model, study, Path(work), output, self.options, report_step, allow)
        write_json(output / _RECORD, record)
        return pages


def read_request(model: Path | None, data: Path, images: Path | None, options: ExplanationOptions) -> ExplanationRequest:
    """Find the model and the photographs of an explanation.

    Args:
        model: a model folder, or a data_dir, whose newest model is taken; None: the newest model of the project.
        data: an annotation file, or a folder in the layout of COCO.
        images: folder of the images; None: it is looked for beside the annotation file.
        options: how the model is explained.

    Raises:
        PosescopeError: if one is not found, or the annotations have other joints than the model.
    """
    folder = find_model(model)
    joints = read_description(folder).skeleton.joints
    sources = find_annotated_images(data, images)
    for source in sources:
        category = keypoint_category(load_annotation_file(source.annotations), source.annotations)
        match_joints(joints, category["keypoints"], model_name=str(folder), data_name=str(source.annotations))
    return ExplanationRequest(folder, sources, options)

"""The commands `posescope labels ...`: labels to and from annotation tools, and what to label next."""

from pathlib import Path
from typing import Any

import click

from posescope.artifacts.description import DESCRIPTION, read_description
from posescope.cli.base import LocalPathType, PosescopeCommand, echo
from posescope.core.errors import pluralise
from posescope.core.files import read_json
from posescope.core.skeleton import Skeleton
from posescope.labelling.coco_labels import read_coco_labels, write_coco_labels
from posescope.labelling.formats import FORMATS, ReadOptions, read_labels, read_skeleton_file, write_labels
from posescope.labelling.label_set import LabelSet
from posescope.labelling.predictions import PreLabelOptions, is_results, read_predictions
from posescope.labelling.restoring import restore
from posescope.labelling.selection import SelectionOptions, select_images, write_ranking
from posescope.runs.project_models import find_model

__all__ = ["labels"]

_FORMAT = click.Choice(list(FORMATS))
_FILE = LocalPathType(exists=True, dir_okay=False)
_FOLDER = LocalPathType(exists=True, file_okay=False)
# Files of all formats in the folder of `--out`.
_WRITTEN = (
    "annotations.json", "annotations.xml", "data.yaml", "interface.xml", "labels.json", "metadata.json", "posescope.json",
    "samples.json", "tasks.json",
)  # fmt: skip
_PRE_LABELS = PreLabelOptions()
_SELECTION = SelectionOptions()


@click.group()
def labels() -> None:
    """Exchange labels with annotation tools.

    Formats: coco (annotation files), cvat (CVAT for images 1.1), fiftyone (FiftyOneDataset), label_studio (JSON), yolo
    (YOLO-pose).
    """


@labels.command("import", cls=PosescopeCommand)
@click.argument("name", metavar="FORMAT", type=_FORMAT)
@click.argument("source", type=LocalPathType(exists=True))
@click.option("--out", required=True, type=LocalPathType(dir_okay=False), help="COCO annotation file to write (.json).")
@click.option("--base", type=_FILE, help="COCO annotation file that the labels came from: they are put back into it.")
@click.option("--keep-missing", is_flag=True, help="With --base: persons that are missing in the export are not removed.")
@click.option("--skeleton", type=_FILE, help="COCO annotation file with the joints, for exports that do not name them.")
@click.option("--images", type=_FOLDER, help="Folder of the images, for exports without their sizes.")
@click.option("--category", default="person", show_default=True, help="Label of the persons.")
def import_labels(name: str, source: Path, out: Path, base: Path | None, **options: Any) -> None:
    """Convert an export of an annotation tool to a COCO annotation file.

    SOURCE: the export as it was downloaded: a file, a folder or a zip archive.

    With --base, images and persons keep their ids and the fields that the tool cannot say. All images of the base are written;
    those of the export have its persons.

    \b
    Examples:
      posescope labels import cvat task.zip --out labels.json
      posescope labels import label_studio export.json --skeleton old.json --out labels.json
      posescope labels import cvat corrected.xml --base old.json --out new.json
    """  # noqa: D301 (\b keeps click from filling the lines)
    if options["keep_missing"] and base is None:
        raise click.UsageError("--keep-missing needs --base.")
    known = None if base is None else read_coco_labels(base, options["category"])
    found = read_labels(source, name, _read_options(options, None if known is None else known.skeleton))
    if known is None:
        _print_notes(found)
        write_coco_labels(found, out)
        echo(f"{out}: {_count(found)}")
        return
    done = restore(found, known, keep_missing=options["keep_missing"])
    _print_notes(done.labels)
    write_coco_labels(done.labels, out, base)
    echo(
        f"{out}: {_count(done.labels)}. Of {pluralise(done.images, 'image')} in the export: {done.changed} persons changed, "
        f"{done.added} added, {done.removed} removed."
    )


@labels.command("export", cls=PosescopeCommand)
@click.argument("name", metavar="FORMAT", type=_FORMAT)
@click.argument("source", type=LocalPathType(exists=True))
@click.option("--out", required=True, type=LocalPathType(file_okay=False), help="Folder for the files that the tool imports.")
@click.option("--images", type=_FOLDER, help="Folder of the images.")
@click.option("--base", type=_FILE, help="COCO annotation file with the images of the predictions.")
@click.option("--model", type=LocalPathType(), help="Model folder or data_dir that made the predictions (default: the newest).")
@click.option("--skeleton", type=_FILE, help="COCO annotation file with the joints of the predictions, in place of a model.")
@click.option("--category", default="person", show_default=True, help="Label of the persons.")
@click.option("--image-prefix", default="", help="Label Studio: address before the names of the images.")
@click.option(
    "--min-score", type=click.FloatRange(0), default=_PRE_LABELS.min_score, show_default=True,
    help="Predicted joints with a lower score are left unlabelled.",
)  # fmt: skip
@click.option(
    "--occluded-below", type=click.FloatRange(0), default=_PRE_LABELS.occluded_below, show_default=True,
    help="Without calibrated radii, predicted joints with a lower score are marked occluded.",
)  # fmt: skip
@click.option(
    "--min-person-score", type=click.FloatRange(0), default=_PRE_LABELS.min_person_score, show_default=True,
    help="Predicted persons with a lower score are left out.",
)  # fmt: skip
def export_labels(name: str, source: Path, out: Path, **options: Any) -> None:
    """Convert labels or predictions to the files that an annotation tool imports.

    SOURCE: a COCO annotation file, or COCO results (poses.json of `posescope predict`), which become pre-labels: a joint that the
    model does not trust is marked occluded.

    \b
    Examples:
      posescope labels export cvat data/annotations.json --out cvat
      posescope labels export label_studio poses/poses.json --images photos --out pre_labels
      posescope labels export yolo data/annotations.json --images data/images --out yolo
    """  # noqa: D301 (\b keeps click from filling the lines)
    _write(_read_source(source, options), name, out, options, source)


@labels.command("convert", cls=PosescopeCommand)
@click.argument("source", type=LocalPathType(exists=True))
@click.option("--from", "source_name", required=True, type=_FORMAT, help="Format of SOURCE.")
@click.option("--to", "name", required=True, type=_FORMAT, help="Format to write.")
@click.option("--out", required=True, type=LocalPathType(file_okay=False), help="Folder for the files.")
@click.option("--skeleton", type=_FILE, help="COCO annotation file with the joints, for exports that do not name them.")
@click.option("--images", type=_FOLDER, help="Folder of the images.")
@click.option("--category", default="person", show_default=True, help="Label of the persons.")
@click.option("--image-prefix", default="", help="Label Studio: address before the names of the images.")
def convert(source: Path, source_name: str, name: str, out: Path, **options: Any) -> None:
    """Convert labels of one annotation tool to those of another.

    \b
    Example:
      posescope labels convert export.zip --from cvat --to yolo --images photos --out yolo
    """  # noqa: D301 (\b keeps click from filling the lines)
    _write(read_labels(source, source_name, _read_options(options, None)), name, out, options, source)


@labels.command("next", cls=PosescopeCommand)
@click.argument("source", metavar="POSES", type=_FILE)
@click.option("--out", required=True, type=LocalPathType(file_okay=False), help="Folder for next.csv and the files to import.")
@click.option("--number", type=click.IntRange(1), default=_SELECTION.number, show_default=True, help="Number of images.")
@click.option("--to", "name", type=_FORMAT, default="coco", show_default=True, help="Format of the files to import.")
@click.option(
    "--labelled", type=_FILE, help="COCO annotation file: its images are left out, and others than these are preferred."
)
@click.option(
    "--candidates", type=click.FloatRange(1), default=_SELECTION.candidates, show_default=True,
    help="The most uncertain images, as a multiple of --number, among which different poses are chosen; 1: no choice.",
)  # fmt: skip
@click.option("--images", type=_FOLDER, help="Folder of the images.")
@click.option("--base", type=_FILE, help="COCO annotation file with the images of the predictions.")
@click.option("--model", type=LocalPathType(), help="Model folder or data_dir that made the predictions (default: the newest).")
@click.option("--skeleton", type=_FILE, help="COCO annotation file with the joints of the predictions, in place of a model.")
@click.option("--category", default="person", show_default=True, help="Label of the persons.")
@click.option("--image-prefix", default="", help="Label Studio: address before the names of the images.")
def next_images(source: Path, out: Path, number: int, name: str, labelled: Path | None, **options: Any) -> None:
    """Choose the images to label next, from the predictions for unlabelled ones.

    POSES: COCO results (poses.json of `posescope predict`). The images of which the model is most uncertain come first; among
    them those whose poses differ most. next.csv ranks them, and the other files are pre-labels of these images.

    \b
    Example:
      posescope labels next poses/poses.json --images photos --number 50 --to cvat --out next
    """  # noqa: D301 (\b keeps click from filling the lines)
    pool = _read_source(source, options)
    known = None if labelled is None else read_coco_labels(labelled, options["category"], pool.skeleton)
    ranked = select_images(pool, SelectionOptions(number=number, candidates=options["candidates"]), known)
    write_ranking(ranked, out / "next.csv")
    by_name = {image.name: image for image in pool.images}
    echo(f"{out / 'next.csv'}: {pluralise(len(ranked), 'image')} of {pluralise(len(pool.images), 'image')}")
    _write(pool.with_images([by_name[one.name] for one in ranked]), name, out, options, source)


def _read_options(options: dict[str, Any], skeleton: Skeleton | None) -> ReadOptions:
    given = options["skeleton"]
    known = skeleton if given is None else read_skeleton_file(given, options["category"])
    return ReadOptions(options["category"], known, options["images"])


def _read_source(source: Path, options: dict[str, Any]) -> LabelSet:
    """Return the labels of a COCO file: annotations, or results with the joints of a model."""
    if not is_results(read_json(source, strict=False)):
        return read_coco_labels(source, options["category"])
    given = options["skeleton"]
    skeleton = _skeleton_of(options["model"]) if given is None else read_skeleton_file(given, options["category"])
    limits = PreLabelOptions(**{field: options[field] for field in PreLabelOptions.model_fields if field in options})
    known = None if options["base"] is None else read_coco_labels(options["base"], options["category"])
    return read_predictions(source, skeleton, limits, options["images"], known, options["category"])


def _skeleton_of(model: Path | None) -> Skeleton:
    folder = model if model is not None and (model / DESCRIPTION).is_file() else find_model(model)
    return read_description(folder).skeleton


def _write(found: LabelSet, name: str, out: Path, options: dict[str, Any], source: Path) -> None:
    inputs = [path.resolve() for path in (source, options.get("base")) if path is not None]
    if any(path in (out.resolve(), *(out.resolve() / written for written in _WRITTEN)) for path in inputs):
        raise click.UsageError(f"--out: expected a folder of its own, found that of {source}, which would be replaced.")
    _print_notes(found)
    files = write_labels(found, name, out, options["images"], options["image_prefix"])
    echo(f"{files[0]}: {_count(found)}")
    for path in files[1:]:
        echo(f"{path}")


def _print_notes(found: LabelSet) -> None:
    for line in found.notes.lines:
        echo(f"note: {line}", err=True)


def _count(found: LabelSet) -> str:
    return f"{pluralise(len(found.images), 'image')}, {pluralise(found.person_count, 'person')}"

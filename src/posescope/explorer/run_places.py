"""Where a finished run, or an explanation by `posescope explain`, has what the explorer opens.

<data_dir>     08_reporting/explorer/persons.parquet; tables, model, crops and features at their places in a data_dir
<output>       results/explorer/persons.parquet, and beside it those files that were kept (`--keep-inputs`)
"""

from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from posescope.artifacts.description import DESCRIPTION
from posescope.core.errors import DataError
from posescope.drawing.photographs import PhotographMode
from posescope.explorer.table_file import PERSONS_FILE

__all__ = ["RunPlaces", "find_places", "opening_command"]


@dataclass(frozen=True)
class RunPlaces:
    """Paths of what a run left; each may be missing.

    Attributes:
        table: the explorer table.
        models: a model folder, or the folder of its versions (`<version>/model`).
        crops, targets, statistics: the crops, their joints and their statistics.
        features, components: features of the persons and their components.
        persons, keypoints, skeleton: the annotations of the persons.
        remedy: what makes the missing ones, as a sentence.
        knows_training: whether persons of the split train are those that the model was trained on. In the output of `posescope
            explain` the splits are the two halves of the explanation.
    """

    table: Path
    models: Path
    crops: Path
    targets: Path
    statistics: Path
    features: Path
    components: Path
    persons: Path
    keypoints: Path
    skeleton: Path
    remedy: str
    knows_training: bool

    @classmethod
    def of_data_dir(cls, data_dir: Path) -> "RunPlaces":
        """Return the places in a data_dir."""
        return cls(
            table=data_dir / "08_reporting" / "explorer" / PERSONS_FILE,
            models=data_dir / "06_models" / "model",
            crops=data_dir / "05_model_input" / "crops",
            targets=data_dir / "05_model_input" / "targets.npz",
            statistics=data_dir / "05_model_input" / "crop_statistics.json",
            features=data_dir / "07_model_output" / "features" / "bottleneck",
            components=data_dir / "07_model_output" / "features" / "components.npz",
            persons=data_dir / "03_primary" / "persons.parquet",
            keypoints=data_dir / "02_intermediate" / "keypoints.parquet",
            skeleton=data_dir / "02_intermediate" / "skeleton.json",
            remedy="Run the pipelines explainability and reporting (posescope run).",
            knows_training=True,
        )

    @classmethod
    def of_output(cls, output: Path) -> "RunPlaces":
        """Return the places in the output folder of `posescope explain`."""
        return cls.of_explanation(output / "results" / "explorer")

    @classmethod
    def of_explanation(cls, folder: Path) -> "RunPlaces":
        """Return the places in the folder `results/explorer` of `posescope explain`."""
        return cls(
            table=folder / PERSONS_FILE,
            models=folder / "model",
            crops=folder / "crops",
            targets=folder / "targets.npz",
            statistics=folder / "crop_statistics.json",
            features=folder / "features",
            components=folder / "components.npz",
            persons=folder / "annotations" / "persons.parquet",
            keypoints=folder / "annotations" / "keypoints.parquet",
            skeleton=folder / "annotations" / "skeleton.json",
            remedy="Run posescope explain again, with --keep-inputs.",
            knows_training=False,
        )

    def with_photographs(self, photographs: PhotographMode) -> "RunPlaces":
        """Return the places with the remedy of a table that shows photographs in this way.

        `posescope explain` refuses `--keep-inputs` unless photographs are shown in full, since crops are kept as they are.
        """
        if self.knows_training or photographs == "full":
            return self
        return replace(
            self,
            remedy=(
                f"With --photographs {photographs} posescope explain keeps no crops, and with them neither model nor features. "
                "Run it again with --photographs full --keep-inputs, for pages that are not passed on."
            ),
        )


def find_places(folder: Path) -> RunPlaces:
    """Return the paths of what a run left.

    Args:
        folder: a data_dir, or the output folder of `posescope explain` or its folder `results`.

    Raises:
        DataError: if there is no explorer table.
    """
    own = RunPlaces.of_data_dir(folder)
    for places in (own, RunPlaces.of_output(folder), RunPlaces.of_explanation(folder / "explorer")):
        if places.table.is_file():
            return places
    if (folder / DESCRIPTION).is_file():
        raise DataError(
            f"{folder}: expected a finished run, found a model folder. Name annotated photographs as well: posescope explore "
            f"{folder} --data FILE.json --images FOLDER."
        )
    raise DataError(
        f"{own.table}: expected the table of the persons of a finished run, found no file. Run the pipeline reporting there, or "
        "give a data_dir, or the output folder of posescope explain."
    )


def opening_command(table_folder: Path, photographs: PhotographMode) -> str:
    """Return the command that opens a run in the explorer, for its pages.

    Pages that do not show photographs in full, and those of `posescope explain`, are passed on, so they name no path outside the
    current folder.

    Args:
        table_folder: folder of the explorer table, in a data_dir or in the output folder of `posescope explain`.
        photographs: how the pages show photographs.

    Example:
        >>> opening_command(Path("data/08_reporting/explorer"), "full")
        'posescope explore data'
        >>> opening_command(Path("/mnt/my data/08_reporting/explorer"), "full")
        "posescope explore '/mnt/my data'"
        >>> opening_command(Path("/mnt/data/08_reporting/explorer"), "blurred")
        'posescope explore DATA_DIR'
    """
    if table_folder.parent.name == "results":
        return "posescope explore OUTPUT"
    data_dir = table_folder.absolute().parents[1]
    if data_dir.is_relative_to(Path.cwd()):
        return f"posescope explore {quote(str(data_dir.relative_to(Path.cwd())))}"
    return f"posescope explore {quote(str(data_dir)) if photographs == 'full' else 'DATA_DIR'}"

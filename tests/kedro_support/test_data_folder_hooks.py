"""Tests of posescope.kedro_support.data_folder_hooks: the lock of a run, and changed files."""

import pickle
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner, ThreadRunner
from kedro.validation.exceptions import DataValidationError
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset, ParquetDataset

from posescope.core.data_folder import DataFolder, FolderInUseError
from posescope.core.errors import DataError
from posescope.datasets import StoreDataset
from posescope.kedro_support.data_folder_hooks import ChecksumCheck, DataFolderLock


@pytest.fixture(scope="module", autouse=True)
def project() -> None:
    """The errors name the pipeline that makes a file."""
    configure_project("posescope")


def double(table: pd.DataFrame) -> pd.DataFrame:
    return table * 2


def join(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    return one + other


PERSONS = Pipeline([node(double, "source", "persons", name="make_persons")])
BOXES = Pipeline([node(double, "persons", "crop_boxes", name="make_boxes")])
SCORES = Pipeline([node(join, ["persons", "crop_boxes"], "scores", name="score")])
REPORT = Pipeline([node(join, ["persons", "crop_boxes"], "scores", name="report", tags="reporting")])


class Project:
    """Runs pipelines with the two hooks on one folder, each time with a catalog of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def catalog(self, value: int = 1) -> DataCatalog:
        return DataCatalog(
            {
                "data_folder": StoreDataset(
                    store="posescope.core.data_folder.DataFolder", filepath=str(self.root), role="workspace"
                ),
                "source": MemoryDataset(pd.DataFrame({"a": [value, 2]})),
                "persons": ParquetDataset(filepath=str(self.root / "persons.parquet")),
                "crop_boxes": CSVDataset(filepath=str(self.root / "crop_boxes.csv"), save_args={"index": False}),
                "scores_of_persons": ParquetDataset(filepath=str(self.root / "scores_of_persons.parquet")),
                "scores": JSONDataset(filepath=str(self.root / "scores.json")),
            }
        )

    def run(self, pipeline: Pipeline, value: int = 1, runner: Any = None) -> pd.DataFrame | None:
        catalog, hooks = self.catalog(value), _create_hook_manager()
        for hook in (DataFolderLock(), ChecksumCheck()):
            hooks.register(hook)
        catalog["scores"] = MemoryDataset()
        arguments = {"run_params": {"pipeline_names": ["evaluation"]}, "pipeline": pipeline, "catalog": catalog}
        hooks.hook.before_pipeline_run(**arguments)
        try:
            (runner or SequentialRunner()).run(pipeline, catalog, hooks)
        except Exception as error:
            hooks.hook.on_pipeline_error(error=error, **arguments)
            raise
        hooks.hook.after_pipeline_run(run_result={}, **arguments)
        return catalog.load("scores") if "scores" in pipeline.all_outputs() else None


@pytest.fixture
def made(tmp_path: Path) -> Project:
    """A folder with persons and crop boxes."""
    project = Project(tmp_path / "data")
    project.run(PERSONS + BOXES)
    return project


@pytest.mark.parametrize("runner", [SequentialRunner, ThreadRunner])
def test_unchanged_file_is_loaded(made: Project, runner: Any) -> None:
    scores = made.run(SCORES, runner=runner())
    assert scores is not None
    assert scores["a"].tolist() == [6, 12]


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(bytes(len(path.read_bytes()))),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"[]"),
        lambda path: pd.DataFrame({"a": [9, 9]}).to_parquet(path),
    ],
    ids=["cut", "zeros", "empty", "list", "other"],
)
def test_changed_file_is_refused_with_its_pipeline(made: Project, harm: Any) -> None:
    harm(made.root / "persons.parquet")
    with pytest.raises(DataError, match=r"persons\.parquet: persons .* --pipelines data_engineering") as caught:
        made.run(SCORES)
    assert "\n" not in str(caught.value)
    made.run(PERSONS)
    assert made.run(SCORES) is not None


def test_edited_file_is_accepted_without_its_checksum(made: Project) -> None:
    (made.root / "crop_boxes.csv").write_text("a\n5\n5\n")
    with pytest.raises(DataError, match="remove ") as caught:
        made.run(SCORES)
    Path(str(caught.value).split("remove ")[1].rstrip(".")).unlink()
    scores = made.run(SCORES)
    assert scores is not None
    assert scores["a"].tolist() == [7, 9]


def test_broken_file_without_checksum_is_a_data_error(made: Project) -> None:
    path = made.root / "persons.parquet"
    DataFolder(made.root).checksum_path(path).unlink()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"persons\.parquet: persons cannot be read \(.* Run the pipeline data_engineering"):
        made.run(SCORES)


def test_damaged_checksum_record_is_an_error_with_its_pipeline(made: Project) -> None:
    DataFolder(made.root).checksum_path(made.root / "persons.parquet").write_text("[]")
    with pytest.raises(DataError, match=r"persons\.parquet\.json: .* --pipelines data_engineering"):
        made.run(SCORES)


def test_files_of_two_runs_are_not_used_together(made: Project) -> None:
    made.run(PERSONS, value=3)
    with pytest.raises(DataError, match=r"crop_boxes\.csv: crop_boxes .* data_engineering"):
        made.run(SCORES)
    assert made.run(REPORT) is not None, "the report leaves out what does not belong"
    made.run(PERSONS)  # the same bytes as at first
    assert made.run(SCORES) is not None


def test_files_that_were_made_from_two_contents_are_not_used_together(made: Project) -> None:
    """Neither of the two is read with the persons that they were made from."""
    sheets = Pipeline([node(double, "persons", "scores_of_persons", name="make_sheets")])
    both = Pipeline([node(join, ["crop_boxes", "scores_of_persons"], "scores", name="score")])
    made.run(PERSONS + sheets, value=3)
    with pytest.raises(DataError, match=r"crop_boxes .*made from different contents of persons"):
        made.run(both)
    made.run(BOXES)
    assert made.run(both) is not None


def test_readers_without_hooks_read_and_take_no_lock(made: Project) -> None:
    held = DataFolder(made.root).acquire_lock("a run")
    assert made.catalog().load("persons")["a"].tolist() == [2, 4]
    held.release()


def test_checksum_check_is_pickled_with_its_dataset(made: Project) -> None:
    catalog = made.catalog()
    ChecksumCheck().before_pipeline_run(SCORES, catalog)
    sent = pickle.loads(pickle.dumps(catalog.get("persons")))
    assert sent.load()["a"].tolist() == [2, 4]
    (made.root / "persons.parquet").write_bytes(b"")
    with pytest.raises(DataError):
        sent.load()


def test_a_table_that_fails_validation_is_an_error_of_the_data() -> None:
    error = DataValidationError("Validation of 'persons' failed:\n two", dataset_name="persons", mode="load")
    with pytest.raises(DataError, match=r"'persons' failed: two Run the pipeline data_engineering"):
        ChecksumCheck().on_pipeline_error(error)
    ChecksumCheck().on_pipeline_error(DatasetError("another"))


class Refuse:
    """A check that fails after the lock was taken."""

    @hook_impl
    def before_pipeline_run(self) -> None:
        raise DataError("an input is missing")


def test_lock_is_released_after_failed_checks_failed_nodes_and_runs(made: Project) -> None:
    hooks = _create_hook_manager()
    for hook in (DataFolderLock(), Refuse()):
        hooks.register(hook)
    with pytest.raises(DataError, match="an input is missing"):
        hooks.hook.before_pipeline_run(run_params={}, pipeline=SCORES, catalog=made.catalog())
    DataFolder(made.root).acquire_lock("test").release()
    (made.root / "persons.parquet").write_bytes(b"")
    with pytest.raises(DataError):
        made.run(SCORES)
    DataFolder(made.root).acquire_lock("test").release()


def test_concurrent_run_is_refused_and_an_interrupted_one_is_forgotten(made: Project) -> None:
    lock, refused = DataFolderLock(), []
    hooks = _create_hook_manager()
    hooks.register(lock)
    arguments = {"run_params": {"pipeline_names": ["modelling"]}, "pipeline": SCORES, "catalog": made.catalog()}
    hooks.hook.before_pipeline_run(**arguments)

    def begin() -> None:
        try:
            hooks.hook.before_pipeline_run(**arguments)
        except FolderInUseError as error:
            refused.append(str(error))

    other = threading.Thread(target=begin)
    other.start()
    other.join()
    assert len(refused) == 1
    assert "pipelines modelling" in refused[0]
    hooks.hook.before_pipeline_run(**arguments)  # the first run of this thread was interrupted: no hook said so
    hooks.hook.after_pipeline_run(run_result={}, **arguments)
    DataFolder(made.root).acquire_lock("test").release()


def test_catalog_without_data_folder_is_not_locked() -> None:
    hooks = _create_hook_manager()
    hooks.register(DataFolderLock())
    hooks.register(ChecksumCheck())
    catalog = DataCatalog({"source": MemoryDataset(1)})
    hooks.hook.before_pipeline_run(run_params={}, pipeline=PERSONS, catalog=catalog)
    hooks.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=PERSONS, catalog=catalog)

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
    """Configure the project, because errors name the pipeline of a file."""
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
    """Runner of pipelines with both hooks on one folder, with a new catalog per run."""

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
def project_with_data(tmp_path: Path) -> Project:
    """Return a project with persons and crop boxes."""
    project = Project(tmp_path / "data")
    project.run(PERSONS + BOXES)
    return project


@pytest.mark.parametrize("runner", [SequentialRunner, ThreadRunner])
def test_unchanged_file_is_loaded(project_with_data: Project, runner: Any) -> None:
    scores = project_with_data.run(SCORES, runner=runner())
    assert scores is not None
    assert scores["a"].tolist() == [6, 12]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(bytes(len(path.read_bytes()))),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"[]"),
        lambda path: pd.DataFrame({"a": [9, 9]}).to_parquet(path),
    ],
    ids=["cut", "zeros", "empty", "list", "other"],
)
def test_changed_file_is_refused_with_its_pipeline(project_with_data: Project, damage: Any) -> None:
    damage(project_with_data.root / "persons.parquet")
    with pytest.raises(DataError, match=r"persons\.parquet: persons .* --pipelines data_engineering") as caught:
        project_with_data.run(SCORES)
    assert "\n" not in str(caught.value)
    project_with_data.run(PERSONS)
    assert project_with_data.run(SCORES) is not None


def test_edited_file_is_accepted_without_its_checksum(project_with_data: Project) -> None:
    (project_with_data.root / "crop_boxes.csv").write_text("a\n5\n5\n")
    with pytest.raises(DataError, match="remove ") as caught:
        project_with_data.run(SCORES)
    Path(str(caught.value).split("remove ")[1].rstrip(".")).unlink()
    scores = project_with_data.run(SCORES)
    assert scores is not None
    assert scores["a"].tolist() == [7, 9]


def test_broken_file_without_checksum_is_a_data_error(project_with_data: Project) -> None:
    path = project_with_data.root / "persons.parquet"
    DataFolder(project_with_data.root).checksum_path(path).unlink()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"persons\.parquet: persons cannot be read \(.* Run the pipeline data_engineering"):
        project_with_data.run(SCORES)


def test_damaged_checksum_record_is_an_error_with_its_pipeline(project_with_data: Project) -> None:
    DataFolder(project_with_data.root).checksum_path(project_with_data.root / "persons.parquet").write_text("[]")
    with pytest.raises(DataError, match=r"persons\.parquet\.json: .* --pipelines data_engineering"):
        project_with_data.run(SCORES)


def test_files_of_two_runs_are_not_used_together(project_with_data: Project) -> None:
    project_with_data.run(PERSONS, value=3)
    with pytest.raises(DataError, match=r"crop_boxes\.csv: crop_boxes .* data_engineering"):
        project_with_data.run(SCORES)
    assert project_with_data.run(REPORT) is not None, "the report omits results of other data"
    project_with_data.run(PERSONS)  # the first content again
    assert project_with_data.run(SCORES) is not None


def test_files_of_two_versions_of_persons_are_not_used_together(project_with_data: Project) -> None:
    """The two files were written from different contents of `persons`."""
    others = Pipeline([node(double, "persons", "scores_of_persons", name="make_sheets")])
    both = Pipeline([node(join, ["crop_boxes", "scores_of_persons"], "scores", name="score")])
    project_with_data.run(PERSONS + others, value=3)
    with pytest.raises(DataError, match=r"crop_boxes .*made from different contents of persons"):
        project_with_data.run(both)
    project_with_data.run(BOXES)
    assert project_with_data.run(both) is not None


def test_readers_without_hooks_read_and_take_no_lock(project_with_data: Project) -> None:
    lock = DataFolder(project_with_data.root).acquire_lock("a run")
    assert project_with_data.catalog().load("persons")["a"].tolist() == [2, 4]
    lock.release()


def test_checksum_check_is_pickled_with_its_dataset(project_with_data: Project) -> None:
    catalog = project_with_data.catalog()
    ChecksumCheck().before_pipeline_run(SCORES, catalog)
    sent = pickle.loads(pickle.dumps(catalog.get("persons")))
    assert sent.load()["a"].tolist() == [2, 4]
    (project_with_data.root / "persons.parquet").write_bytes(b"")
    with pytest.raises(DataError):
        sent.load()


def test_table_that_fails_validation_is_a_data_error() -> None:
    error = DataValidationError("Validation of 'persons' failed:\n two", dataset_name="persons", mode="load")
    with pytest.raises(DataError, match=r"'persons' failed: two Run the pipeline data_engineering"):
        ChecksumCheck().on_pipeline_error(error)
    ChecksumCheck().on_pipeline_error(DatasetError("another"))


class Refuse:
    """Hook whose check fails after the lock was acquired."""

    @hook_impl
    def before_pipeline_run(self) -> None:
        raise DataError("an input is missing")


def test_lock_is_released_after_failed_checks_failed_nodes_and_runs(project_with_data: Project) -> None:
    hooks = _create_hook_manager()
    for hook in (DataFolderLock(), Refuse()):
        hooks.register(hook)
    with pytest.raises(DataError, match="an input is missing"):
        hooks.hook.before_pipeline_run(run_params={}, pipeline=SCORES, catalog=project_with_data.catalog())
    DataFolder(project_with_data.root).acquire_lock("test").release()
    (project_with_data.root / "persons.parquet").write_bytes(b"")
    with pytest.raises(DataError):
        project_with_data.run(SCORES)
    DataFolder(project_with_data.root).acquire_lock("test").release()


def test_concurrent_run_is_refused_and_an_interrupted_one_is_replaced(project_with_data: Project) -> None:
    lock, refused = DataFolderLock(), []
    hooks = _create_hook_manager()
    hooks.register(lock)
    arguments = {"run_params": {"pipeline_names": ["modelling"]}, "pipeline": SCORES, "catalog": project_with_data.catalog()}
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
    hooks.hook.before_pipeline_run(**arguments)  # the first run of this thread was interrupted without a hook call
    hooks.hook.after_pipeline_run(run_result={}, **arguments)
    DataFolder(project_with_data.root).acquire_lock("test").release()


def test_catalog_without_data_folder_is_not_locked() -> None:
    hooks = _create_hook_manager()
    hooks.register(DataFolderLock())
    hooks.register(ChecksumCheck())
    catalog = DataCatalog({"source": MemoryDataset(1)})
    hooks.hook.before_pipeline_run(run_params={}, pipeline=PERSONS, catalog=catalog)
    hooks.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=PERSONS, catalog=catalog)

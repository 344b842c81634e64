"""Tests of an opened run: order of the persons, missing files, and model, data or features of another run."""

import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.explorer.conftest import JOINTS
from tests.explorer.hand_made_table import table_of, thumbnails_of

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.core.errors import DataError
from posescope.explorer.opened_run import open_run
from posescope.explorer.table_file import ExplorerStore

OTHER = "0" * 16
STATISTICS, FEATURES = "05_model_input/crop_statistics.json", "07_model_output/features/bottleneck/features.json"


def test_shared_network_is_run_and_copied_by_one_thread_at_a_time(run) -> None:
    """A pass may put hooks on the network, as the encoder `module` does; another pass, or a copy, would get them."""
    run.export()
    opened, in_use, seen = open_run(run.data_dir), threading.Lock(), []

    def use() -> None:
        seen.append(in_use.acquire(blocking=False))
        time.sleep(0.02)
        in_use.release()

    class Network:
        def __deepcopy__(self, _: object) -> "Network":
            use()
            return Network()

    model = replace(opened.model(), network=Network())
    vars(opened)["_model"] = model
    vars(opened)["_crops"] = SimpleNamespace(read_images=lambda rows: np.zeros((len(rows), 4, 4, 3), np.uint8))
    object.__setattr__(model, "heatmaps", lambda images: use() or torch.zeros(len(images), 3, 1, 1))
    threads = [threading.Thread(target=opened.heatmaps, args=[np.array([0])]) for _ in range(3)]
    threads += [threading.Thread(target=opened.copy_model) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 5


def test_everything_is_in_row_order(run) -> None:
    run.export()
    opened = open_run(run.data_dir)
    assert (len(opened), opened.person_ids.tolist()) == (7, list(range(7)))
    assert opened.joints_true.shape == opened.joints_predicted.shape == (7, 3, 3)
    assert opened.component_scores.shape == (7, 4)
    crops = opened.crops()
    assert crops.targets.joint_names == JOINTS
    np.testing.assert_array_equal(crops.targets.joints, opened.joints_true[..., :2])
    np.testing.assert_array_equal(opened.features().person_ids, opened.person_ids)
    np.testing.assert_allclose(opened.components().project(opened.features().values), opened.component_scores, rtol=1e-4)
    assert fingerprint_of_model(opened.model()) == opened.about.model
    assert opened.model() is opened.model()
    rows = np.array([2, 0])
    expected = opened.model().heatmaps(torch.from_numpy(opened.crops().read_images(rows))).numpy()
    assert np.array_equal(opened.heatmaps(rows), expected)
    own = opened.copy_model()
    assert own.network is not opened.model().network
    assert fingerprint_of_model(own) == opened.about.model
    assert opened.uncertainty() == run.uncertainty
    assert len(opened.thumbnails(np.array([6, 0]))) == 2


def test_images_of_two_splits_with_one_id_are_two_photographs(tmp_path: Path) -> None:
    ExplorerStore(tmp_path / "08_reporting" / "explorer").write(table_of(5), thumbnails_of)
    opened = open_run(tmp_path)
    assert opened.image_groups.tolist() == [0, 0, 1, 1, 2]
    moved = replace(opened, persons=opened.persons.assign(source_split=["a", "b", "a", "a", "a"]))
    assert moved.image_groups.tolist() == [0, 1, 2, 2, 3]


def test_rows_of_persons_and_slices(tmp_path: Path) -> None:
    store = ExplorerStore(tmp_path / "08_reporting" / "explorer")
    store.write(table_of(4), thumbnails_of)
    opened = open_run(tmp_path)
    assert opened.rows_of([13, 10]).tolist() == [3, 0]
    assert opened.rows_of([]).tolist() == []
    assert opened.rows_in_slice("slice-1").tolist() == [0]
    assert opened.rows_in_slice("slice-2").tolist() == []
    assert opened.thumbnails(opened.rows_of([12])) == [b"jpeg 2"]
    with pytest.raises(DataError, match="14"):
        opened.rows_of([10, 14])


def test_table_alone_is_opened_without_torch(tmp_path: Path) -> None:
    """The first view needs neither the network nor Kedro; what needs more says what to run."""
    ExplorerStore(tmp_path / "08_reporting" / "explorer").write(table_of(4), thumbnails_of)
    code = (
        "import sys; from pathlib import Path; from posescope.explorer.opened_run import open_run\n"
        f"opened = open_run(Path({str(tmp_path)!r})); opened.joints_true; opened.thumbnails(opened.rows_of([10]))\n"
        "print(sorted({'torch', 'kedro', 'dash', 'sklearn', 'pandera'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    opened = open_run(tmp_path)
    for member in (opened.model, opened.crops, opened.components, opened.features, opened.uncertainty):
        with pytest.raises(DataError, match="explainability"):
            member()


@pytest.mark.parametrize("folder", ["", "results"])
def test_output_of_an_explanation(run, tmp_path: Path, folder: str) -> None:
    """The same files in the layout of `posescope explain --keep-inputs`."""
    path = run.export()
    explorer = tmp_path / "explained" / "results" / "explorer"
    explorer.mkdir(parents=True)
    shutil.copy(path, explorer)
    for source in ("05_model_input/crops", "07_model_output/features/bottleneck"):
        shutil.copytree(run.data_dir / source, explorer / {"crops": "crops", "bottleneck": "features"}[Path(source).name])
    for source in (
        "05_model_input/targets.npz",
        STATISTICS,
        "07_model_output/features/components.npz",
    ):
        shutil.copy(run.data_dir / source, explorer)
    (model,) = (run.data_dir / "06_models" / "model").glob("*/model")
    shutil.copytree(model, explorer / "model")
    opened = open_run(tmp_path / "explained" / folder)
    assert len(opened.crops()) == len(opened.features()) == 7
    assert fingerprint_of_model(opened.model()) == opened.about.model
    assert opened.uncertainty() is not None
    shutil.rmtree(explorer / "crops")
    with pytest.raises(DataError):
        open_run(tmp_path / "explained" / folder).crops()


def test_folder_without_a_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pipeline reporting"):
        open_run(tmp_path)


def test_table_without_persons(tmp_path: Path) -> None:
    ExplorerStore(tmp_path / "explorer").write(table_of(0, note="Run the pipeline explainability."), thumbnails_of)
    with pytest.raises(DataError, match="Run the pipeline explainability"):
        open_run(tmp_path)


def change(path: Path, name: str) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, name: OTHER}))


@pytest.mark.parametrize(
    ("file", "field"),
    [
        (STATISTICS, "data_fingerprint"),
        (FEATURES, "fingerprint"),
    ],
)
def test_data_or_features_of_another_run(run, file: str, field: str) -> None:
    run.export()
    change(run.data_dir / file, field)
    with pytest.raises(DataError, match=OTHER) as caught:
        open_run(run.data_dir)
    assert "reporting" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_components_of_other_features(run) -> None:
    run.export()
    opened = open_run(run.data_dir)
    path = run.data_dir / "07_model_output" / "features" / "components.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **{**arrays, "features_fingerprint": np.array(OTHER)})
    with pytest.raises(DataError, match=OTHER):
        opened.components()


def test_only_models_of_other_runs(run) -> None:
    run.export()
    (model,) = (run.data_dir / "06_models" / "model").glob("*/model")
    older = model.parents[1] / "2025-01-01T00.00.00.000Z" / "model"
    shutil.copytree(model, older)
    (model / "model.json").write_text("{}")
    assert open_run(run.data_dir).model_folder() == older  # a damaged version is passed over
    shutil.rmtree(older)
    with pytest.raises(DataError, match="expected the model"):
        open_run(run.data_dir)

"""Shared fixtures: the folder of real data, a tiny data set, one thread per process, the files of conf/ parsed once."""

import copy
import io
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import omegaconf.base
import pytest
import torch
from numpy.typing import NDArray
from omegaconf import OmegaConf

os.environ.setdefault("DO_NOT_TRACK", "1")
# With pytest-xdist each process has one core.
torch.set_num_threads(int(os.environ.get("POSESCOPE_TEST_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")))

REPOSITORY = Path(__file__).resolve().parents[1]

# Test files of 20 s or more, the longest first: at the end of a run with several processes none is left with a long file alone.
_LONGEST_FILES = (
    "integration/test_end_to_end.py",
    "training/distributed/test_launch.py",
    "extension/test_extension.py",
    "pipelines/final_test/test_pipeline.py",
    "cli/test_cli.py",
    "training/test_acceleration.py",
    "training/test_trainer.py",
    "training/test_killed_runs.py",
    "data/crops/test_cropping_interrupted.py",
    "data/coco/test_reader_fuzzing.py",
    "models/encoders/test_trained_folders.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first; the order within a file stays."""
    ranks = {REPOSITORY / "tests" / name: rank for rank, name in enumerate(_LONGEST_FILES)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images and labels (`POSESCOPE_REAL_DATA`, default `../shared/data`); skips where it is absent."""
    folder = Path(os.environ.get("POSESCOPE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: the folder {folder} (POSESCOPE_REAL_DATA) does not exist")
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Run torch on one thread: fastest for small networks, and the order of sums depends on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def configuration_parsed_once() -> Iterator[None]:
    """Keep what OmegaConf parsed, by its text: half of the time of a Kedro session, and the tests open some hundred of them."""
    load = OmegaConf.load

    @cache
    def parsed(text: str) -> Any:
        return load(io.StringIO(text))

    def load_once(file: Any) -> Any:
        text = file.read() if hasattr(file, "read") else Path(file).read_text(encoding="utf-8")
        return copy.deepcopy(parsed(text))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", staticmethod(load_once))
        patch.setattr(omegaconf.base, "parse", cache(omegaconf.base.parse))  # of `${...}`; the tree is only read
        yield


JOINTS = ("nose", "left_hand", "right_hand")


class TinyCoco:
    """A COCO-format data set of five noisy images and seven persons with three joints; tests may corrupt its files.

    train2017: one.png (60 x 80 px, annotations 1 and 2), two.png (50 x 70, annotation 3), three.png (100 x 90, annotation 4).
    val2017: one.png (60 x 80; image 1 and annotation 1 again), two.png (50 x 70, annotations 2 and 3).
    The person's category is 7; category 3 is a dog.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        sizes = {"one.png": (60, 80), "two.png": (50, 70), "three.png": (100, 90)}
        rng = np.random.default_rng(0)
        for split, names in {"train2017": list(sizes), "val2017": ["one.png", "two.png"]}.items():
            for name in names:
                self.write_image(split, name, rng.integers(0, 256, (*sizes[name], 3)).astype(np.uint8))
            images = [
                {"id": i, "file_name": name, "height": sizes[name][0], "width": sizes[name][1]} for i, name in enumerate(names, 1)
            ]
            self.write(split, {"images": images, "annotations": self._annotations(split), "categories": self._categories()})

    def _annotations(self, split: str) -> list[dict[str, Any]]:
        if split == "train2017":
            return [
                self.person(1, 1, (10, 10, 20, 30), [(20, 14, 2), (14, 30, 2), (26.5, 36.25, 1)]),
                self.person(2, 1, (45, 12, 24, 40), [(57, 20, 2), (0, 0, 0), (60, 44, 2)]),
                self.person(3, 2, (20, 5, 30, 40), [(35, 10, 1), (25, 40, 2), (0, 0, 0)]),
                self.person(4, 3, (20, 10, 50, 80), [(45, 20, 2), (30, 50, 2), (60, 80, 2)]),
            ]
        return [
            self.person(1, 1, (30, 10, 20, 40), [(40, 15, 2), (34, 30, 1), (47, 44, 2)]),
            self.person(2, 2, (8, 8, 24, 30), [(20, 12, 2), (12, 30, 2), (28, 33, 2)]),
            self.person(3, 2, (40, 6, 20, 36), [(0, 0, 0), (44, 20, 2), (56, 38, 2)]),
        ]

    @staticmethod
    def _categories() -> list[dict[str, Any]]:
        return [
            {"id": 3, "name": "dog"},
            {"id": 7, "name": "person", "keypoints": list(JOINTS), "skeleton": [[1, 2], [1, 3]]},
        ]

    @staticmethod
    def person(number: int, image: int, box: tuple[float, ...], joints: list[tuple[float, ...]]) -> dict[str, Any]:
        """Return an annotation record; its area is half of its box."""
        return {
            "id": number,
            "image_id": image,
            "category_id": 7,
            "iscrowd": 0,
            "bbox": list(box),
            "area": box[2] * box[3] / 2,
            "keypoints": [value for joint in joints for value in joint],
            "num_keypoints": sum(joint[2] > 0 for joint in joints),
        }

    def annotation_file(self, split: str) -> Path:
        return self.root / "annotations" / f"person_keypoints_{split}.json"

    def read(self, split: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.annotation_file(split).read_text())
        return content

    def write(self, split: str, content: object) -> None:
        self.annotation_file(split).parent.mkdir(parents=True, exist_ok=True)
        self.annotation_file(split).write_text(json.dumps(content))

    def change(self, split: str, edit: Callable[[dict[str, Any]], object]) -> None:
        """Edit the content of the annotation file of a split in place."""
        content = self.read(split)
        edit(content)
        self.write(split, content)

    def image_file(self, split: str, name: str) -> Path:
        return self.root / split / name

    def write_image(self, split: str, name: str, rgb: NDArray[np.uint8]) -> None:
        self.image_file(split, name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(self.image_file(split, name)), rgb[..., ::-1])


@pytest.fixture
def tiny_coco(tmp_path: Path) -> TinyCoco:
    """Return a new tiny data set for the default `SourceOptions`."""
    return TinyCoco(tmp_path / "coco")


@pytest.fixture(scope="session")
def untrained_model() -> Any:
    """Return an hourglass with random weights for three joints and crops of 32 px, as `PoseModel`."""
    from posescope.artifacts.pose_model import PoseModel  # noqa: PLC0415  (few tests need it)
    from posescope.core.plugins import ComponentSpec, build  # noqa: PLC0415
    from posescope.core.skeleton import Skeleton  # noqa: PLC0415
    from posescope.geometry.crop_recipe import CropRecipe  # noqa: PLC0415

    model = ComponentSpec(name="hourglass", options={"channels": 8, "depth": 1, "bottleneck_residuals": 1})
    codec, context = ComponentSpec(name="gaussian"), {"crop_size": (32, 32), "joint_count": len(JOINTS)}
    torch.manual_seed(0)
    return PoseModel(
        network=build("models", model, **context).eval(),
        codec=build("codecs", codec, **context),
        skeleton=Skeleton(JOINTS, limbs=((0, 1), (0, 2)), oks_sigmas=(0.026, 0.079, 0.079), category_id=7),
        crop_size=(32, 32),
        mean_rgb=(0.4, 0.5, 0.6),
        model_spec=model,
        codec_spec=codec,
        crop=CropRecipe(rule=ComponentSpec(name="padded_square")),
        provenance={"epochs": 3, "generated_sample": True},
    )


@pytest.fixture(scope="session")
def model_folders(untrained_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the model folder and its export: paths `torch` and `onnx`, and the check of the export (`check`)."""
    from types import SimpleNamespace  # noqa: PLC0415

    from posescope.artifacts.model_folder import save_model  # noqa: PLC0415
    from posescope.artifacts.onnx_export import export_onnx  # noqa: PLC0415

    root = tmp_path_factory.mktemp("models")
    save_model(root / "torch", untrained_model)
    crops = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    return SimpleNamespace(torch=root / "torch", onnx=root / "onnx", check=export_onnx(root / "torch", root / "onnx", crops))

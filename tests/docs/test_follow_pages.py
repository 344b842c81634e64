"""Run every command of the README and the how-to pages in a small copy of the project.

A page runs from its beginning to its end; the files that it names must exist then. `NOT_RUN` in conftest.py lists commands that
are not run.
"""

import json
import re
import shutil
import sqlite3
import zipfile
from contextlib import closing
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.cli.untrained_models import save_untrained

from posescope.data.images.decoding import read_image
from posescope.labelling.coco_labels import read_coco_labels
from posescope.labelling.formats import write_labels
from posescope.prediction.image_io.video import open_video_writer

# Body joints only, with two joints that COCO does not have, as in data sets of sports images.
BODY = [
    f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
]  # fmt: skip
CATEGORY = {
    "id": 1,
    "name": "person",
    "keypoints": ["head_top", "neck", *BODY],
    "skeleton": [[1, 2], [2, 3], [2, 4], [3, 5], [5, 7], [4, 6], [6, 8], [9, 11], [11, 13], [10, 12], [12, 14]],
}
# Outputs of `--env test`, which the README mentions.
OF_TESTS = {"data/test"}


def other_skeleton(keypoints: list[float], names: list[str]) -> list[float]:
    """Map COCO's joints to these: the nose is the top of the head, the middle of the shoulders is the neck."""
    of = {name: keypoints[3 * i : 3 * i + 3] for i, name in enumerate(names)}
    left, right = of["left_shoulder"], of["right_shoulder"]
    middle = [(left[0] + right[0]) / 2, (left[1] + right[1]) / 2, min(left[2], right[2])]
    neck = middle if middle[2] else [0, 0, 0]
    return [value for joint in (of["nose"], neck, *(of[name] for name in BODY)) for value in joint]


def make_my_data(source: Path, target: Path) -> None:
    """Return data as in your-own-data.md: another skeleton, splits `train` and `val`, no `num_keypoints`."""
    for split in ("train", "val"):
        content = json.loads((source / "annotations" / f"person_keypoints_{split}2017.json").read_text())
        names = content["categories"][0]["keypoints"]
        for record in content["annotations"]:
            record["keypoints"] = other_skeleton(record["keypoints"], names)
            del record["num_keypoints"], record["segmentation"]
        shutil.copytree(source / f"{split}2017", target / split)
        write_annotations(target, split, {**content, "categories": [CATEGORY]})


def make_export(source: Path, target: Path) -> None:
    """Return data as a labelling tool exports it: one folder of images and one file."""
    labels = source / "annotations" / "person_keypoints_train2017.json"
    shutil.copytree(source / "train2017", target / "images")
    shutil.copy(labels, target / "labels.json")


def take_some(source: Path, target: Path, images_of: dict[str, int]) -> None:
    """Write the first images of each split with their persons."""
    for split, count in images_of.items():
        content = json.loads((source / "annotations" / f"person_keypoints_{split}.json").read_text())
        content["images"] = content["images"][:count]
        ids = {image["id"] for image in content["images"]}
        content["annotations"] = [record for record in content["annotations"] if record["image_id"] in ids]
        (target / split).mkdir(parents=True)
        for image in content["images"]:
            shutil.copy(source / split / image["file_name"], target / split)  # links that leave the folder are rejected
        write_annotations(target, split, content)


def write_annotations(folder: Path, split: str, content: dict[str, Any]) -> None:
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "annotations" / f"person_keypoints_{split}.json").write_text(json.dumps(content))


def follow(checkout, page) -> None:
    """Run a page; every path below `data/` that it names exists afterwards."""
    checkout.follow(page)
    named = {re.sub(r"<\w+>", "*", word) for word in page.words() if re.fullmatch(r"data/\S+", word)} - OF_TESTS
    missing = [place for place in named if not list(checkout.root.glob(place.rstrip("/")))]
    assert missing == []
    pages = list(checkout.root.glob("data/**/report.html"))
    assert pages
    assert all(path.stat().st_size > 100_000 for path in pages)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def records(checkout, data_dir: str) -> list[dict[str, Any]]:
    """Return the records of all runs with this `data_dir`, oldest first."""
    paths = sorted((checkout.root / data_dir / "08_reporting" / "runs").glob("*/run.json"))
    return [read(path) for path in paths]


def follow_your_own_data(checkout, page, joints: list[str]) -> None:
    """Run the page on the data set in `my_data`."""
    follow(checkout, page)
    data = checkout.root / "data" / "my_data"
    skeleton = read(data / "02_intermediate" / "skeleton.json")
    assert (skeleton["joints"], skeleton["guessed_sigmas"]) == (joints, [])
    for name in ("crop_grid.png", "target_grid.png", "data_distribution.csv", "issues.csv"):
        assert (data / "08_reporting" / name).stat().st_size > 0
    assert [record["pipelines"] for record in records(checkout, "data/my_data")] == [
        ["data_engineering"], ["__default__"], ["__default__"], ["inference"], ["inference"]
    ]  # fmt: skip
    # The last command reads the boxes of the annotations: all persons except crowds.
    truth = read(checkout.root / "my_data" / "annotations" / "person_keypoints_val.json")
    names = {image["id"]: image["file_name"] for image in truth["images"]}
    boxes = [(names[item["image_id"]], item["bbox"]) for item in truth["annotations"] if not item["iscrowd"]]
    posed = read(data / "07_model_output" / "inference" / "coco_results.json")
    assert len(posed) == len(boxes)
    for name, box in boxes:
        predicted = [item["bbox"] for item in posed if item["file_name"] == name]
        assert any(found == pytest.approx(box, abs=0.01) for found in predicted), name
    assert all(len(item["keypoints"]) == 3 * len(joints) for item in posed)
    assert {path.name for path in (data / "07_model_output" / "inference" / "overlays").glob("*.png")} == {
        f"{name}.png" for name, _ in boxes
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/your-own-data.md"], indirect=True)
def test_your_own_data(page, checkout, painted) -> None:
    make_my_data(painted, checkout.root / "my_data")
    make_export(painted, checkout.root / "export")
    follow_your_own_data(checkout, page, CATEGORY["keypoints"])
    export = checkout.root / "data" / "export"
    drawn = pd.read_parquet(export / "02_intermediate" / "persons_read.parquet")
    final = pd.read_parquet(export / "03_primary" / "persons.parquet")
    assert (drawn["split"] == "val").sum() == round(0.15 * len(drawn))
    assert (final["split"] == "test").sum() == round(0.1 * len(final))


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("page", ["docs/how-to/your-own-data.md"], indirect=True)
def test_your_own_data_with_sports_photographs(page, checkout, real_data) -> None:
    """LSPET: 14 joints in another order, image names that are not numbers."""
    take_some(real_data / "lspet", checkout.root / "my_data", {"train": 60, "val": 30})
    make_export(real_data / "coco_subset", checkout.root / "export")
    category = read(real_data / "lspet" / "annotations" / "person_keypoints_val.json")["categories"][0]
    follow_your_own_data(checkout, page, category["keypoints"])


def make_both(source: Path, target: Path) -> None:
    """Return the two data sets of several-data-sets.md; the second has other names of the shoulders."""
    shutil.copytree(source, target / "street")
    make_my_data(source, target / "sport")
    for path in (target / "sport" / "annotations").glob("*.json"):
        text = path.read_text().replace('"left_shoulder"', '"l_shoulder"').replace('"right_shoulder"', '"r_shoulder"')
        path.write_text(text)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/several-data-sets.md"], indirect=True)
def test_several_data_sets(page, checkout, painted) -> None:
    make_both(painted, checkout.root / "both")
    follow(checkout, page)
    data = checkout.root / "data" / "both"
    joints = read(data / "02_intermediate" / "skeleton.json")["joints"]
    assert (len(joints), joints[0], joints[-2:]) == (19, "nose", ["head_top", "neck"])
    persons = pd.read_parquet(data / "03_primary" / "persons.parquet")
    assert not persons.duplicated("image_id").all()
    assert (persons.groupby("image_id")["source"].nunique() == 1).all()
    labels = pd.read_csv(data / "08_reporting" / "joint_labels.csv", index_col="joint")["not_annotated"]
    counts = persons["source"].value_counts()
    assert (labels["nose"], labels["neck"], labels["left_knee"]) == (counts["sport"], counts["street"], 0)
    strata = pd.read_csv(data / "08_reporting" / "strata.csv").set_index(["stratum", "group"])["persons"]
    assert strata["source"].to_dict() == persons[persons["split"] == "val"]["source"].value_counts().to_dict()
    metrics = pd.read_csv(data / "08_reporting" / "metrics.csv").set_index("metric")
    persons_of = metrics["persons"][[f"oks_ap/{source}" for source in counts.index]]
    assert persons_of.sum() == metrics.loc["oks_ap", "persons"]
    assert metrics["source"].dropna().value_counts().to_dict() == {"street": 4, "sport": 4}


def follow_run_on_coco(checkout, page) -> None:
    """Run the page on the data set in `data/01_raw/coco`."""
    raw = checkout.root / "data" / "01_raw" / "coco"
    shutil.copytree(raw / "val2017", checkout.root / "photos")
    persons = read(raw / "annotations" / "person_keypoints_val2017.json")["annotations"]
    boxes = [{name: person[name] for name in ("image_id", "category_id", "bbox")} | {"score": 0.9} for person in persons]
    (checkout.root / "detections.json").write_text(json.dumps(boxes))
    follow(checkout, page)
    for recipe, codec, stacks in (("coco", "gaussian", 2), ("thesis", "thesis_256", 2), ("thesis_final", "thesis", 2)):
        models = sorted((checkout.root / "data" / recipe / "06_models" / "model").glob("*/model/model.json"))
        assert len(models) == {"coco": 3, "thesis": 1, "thesis_final": 1}[recipe], (
            "several processes, and then the stages, trained one more each"
        )
        model = read(models[-1])
        assert (model["codec"]["name"], model["architecture"]["options"]["stacks"]) == (codec, stacks)
    # The padded square rejects no person: all labelled persons of the validation images are in the results.
    truth = read(raw / "annotations" / "person_keypoints_val2017.json")["annotations"]
    labelled = [item for item in truth if any(item["keypoints"][2::3]) and not item["iscrowd"]]
    assert len(read(checkout.root / "data" / "coco" / "07_model_output" / "val" / "coco_results.json")) == len(labelled)
    # The last command predicts all annotated persons of the validation images.
    posed = read(checkout.root / "data" / "coco" / "07_model_output" / "inference" / "coco_results.json")
    assert len(posed) == sum(not item["iscrowd"] for item in truth)
    distribution = pd.read_csv(checkout.root / "data" / "coco" / "08_reporting" / "data_distribution.csv", index_col="split")
    assert distribution.loc["val", "persons"] == len(labelled)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/run-on-coco.md"], indirect=True)
def test_run_on_coco(page, checkout, painted) -> None:
    shutil.copytree(painted, checkout.root / "data" / "01_raw" / "coco")
    follow_run_on_coco(checkout, page)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("page", ["docs/how-to/run-on-coco.md"], indirect=True)
def test_run_on_coco_with_its_photographs(page, checkout, real_data) -> None:
    raw = checkout.root / "data" / "01_raw"
    raw.mkdir(parents=True)
    (raw / "coco").symlink_to(real_data / "coco_subset")
    follow_run_on_coco(checkout, page)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/swap-an-environment.md"], indirect=True)
def test_swap_an_environment(page, checkout, painted) -> None:
    shutil.copytree(painted, checkout.root / "data" / "01_raw" / "coco")
    make_my_data(painted, checkout.root / "data" / "01_raw" / "yoga")
    follow(checkout, page)
    runs = records(checkout, "data")
    assert [record["env"] for record in runs[:2]] == ["local", "coco"]
    assert [record["parameters"]["modelling"]["training"]["epochs"] for record in runs] == [2, 2, 5, 2]
    assert [item["name"] for item in runs[-1]["parameters"]["modelling"]["training"]["augmentations"]] == ["flip", "rotate_scale"]
    checked, trained, posed, swapped = records(checkout, "data/yoga")
    assert (checked["pipelines"], posed["pipelines"]) == (["__default__"], ["inference"])
    assert trained["parameters"]["modelling"]["training"]["epochs"] == 40
    assert swapped["parameters"]["data_engineering"]["codec"] == {"name": "thesis"}
    assert swapped["parameters"]["data_engineering"]["crop"]["rule"] == "padded_square"


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/add-a-plugin.md"], indirect=True)
def test_add_a_plugin(page, readme, checkout) -> None:
    for step in readme.steps():  # the page names the configured loss
        checkout.write(step)
    follow(checkout, page)
    assert "[my-poses 0.1.0, my_poses.huber:Huber]" in checkout.outputs["posescope plugins losses"]
    losses = [record["parameters"]["modelling"]["training"]["loss"] for record in records(checkout, "data")]
    assert losses[:2] == [{"name": "my_poses.huber:Huber"}, {"name": "huber", "options": {"delta": 0.05}}]
    assert "persons are at least 10 px wide and high" in checkout.outputs["kedro run --pipelines extension"]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/your-own-network.md"], indirect=True)
def test_your_own_network(page, checkout) -> None:
    follow(checkout, page)
    trained, explained = records(checkout, "data")
    assert trained["parameters"]["modelling"]["model"] == {"name": "small_net:SmallNet", "options": {"channels": 8}}
    assert explained["parameters"]["explainability"]["persons"]["layer"] == "encoder.1"
    pages = ["data/08_reporting/report.html", "explained/report.html", "explained/summary.html", "mine/summary.html"]
    # Plotly's script names a marker "hourglass".
    scripts = re.compile("<script.*?</script>", re.DOTALL)
    texts = {name: scripts.sub("", (checkout.root / name).read_text()).lower() for name in pages}
    assert not [name for name, text in texts.items() if "hourglass" in text or "side path" in text]
    assert "the network names no skip connections" in texts["data/08_reporting/report.html"]
    assert "encoder.1" in texts["data/08_reporting/report.html"]
    assert (checkout.root / "poses" / "poses.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/vitpose.md"], indirect=True)
def test_vitpose(page, checkout) -> None:
    checkout.follow(page)
    made = read(checkout.root / "vitpose_model" / "model.json")
    (trained,) = (checkout.root / "data" / "06_models" / "model").glob("*/model/model.json")
    for model in (made, read(trained)):
        assert (model["architecture"]["name"], model["crop_size"]) == ("vitpose", [256, 192])
        assert model["codec"]["options"]["alignment"] == "corners"
        assert (model["crop"]["rule"]["name"], model["mean_rgb"]) == ("top_down", [0.485, 0.456, 0.406])
    assert (checkout.root / "poses" / "poses.json").is_file()
    summary = (checkout.root / "data" / "08_reporting" / "summary.html").read_text().lower()
    assert "hourglass" not in summary


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/backbones.md"], indirect=True)
def test_backbones(page, checkout) -> None:
    follow(checkout, page)
    (trained,) = records(checkout, "data")
    assert (trained["env"], trained["parameters"]["modelling"]["model"]) == ("backbone", {"name": "encoder_decoder"})
    (model,) = (checkout.root / "data" / "06_models" / "model").glob("*/model/model.json")
    assert read(model)["provenance"]["initial_weights"]["name"].startswith("efficientnet-lite0")
    assert (checkout.root / "poses" / "poses.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/use-a-model.md"], indirect=True)
def test_use_a_model(page, checkout, painted) -> None:
    shutil.copytree(painted / "val2017", checkout.root / "photos")
    follow(checkout, page)
    images = {path.name for path in (checkout.root / "photos").iterdir()}
    assert {record["file_name"] for record in read(checkout.root / "poses" / "poses.json")} == images
    assert {path.name for path in (checkout.root / "poses" / "overlays").glob("*.png")} == {f"{name}.png" for name in images}
    assert "trained_on_generated_sample: True" in checkout.outputs["posescope info"]
    assert "differences from PyTorch are" in checkout.outputs["posescope export --out model_onnx"]
    lines = checkout.outputs["python pose.py"].splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["(1, 17, 2) (1, 17)", "(2, 17, 2) (2, 17)"]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/formats.md"], indirect=True)
def test_formats(page, checkout, painted) -> None:
    shutil.copytree(painted / "val2017", checkout.root / "photos")
    follow(checkout, page)
    assert (checkout.root / "poses_openvino" / "poses.json").exists()
    table = checkout.outputs["posescope benchmark data model_onnx model_openvino --rounds 2 --seconds 0.2"]
    assert [line.split()[0] for line in table.splitlines()[3:]] == ["torch", "onnx", "openvino"]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/label.md"], indirect=True)
def test_label(page, checkout, painted) -> None:
    source = painted / "annotations" / "person_keypoints_val2017.json"
    shutil.copytree(painted / "val2017", checkout.root / "photos")
    (checkout.root / "my_data").mkdir()
    for name in ("my_data/labels.json", "boxes.json"):
        shutil.copy(source, checkout.root / name)
    save_untrained(checkout.root / "data" / "06_models" / "model" / "1" / "model")
    labels = read_coco_labels(source)
    write_labels(labels, "cvat", checkout.root / "made")
    for name in ("task", "corrected"):
        with zipfile.ZipFile(checkout.root / f"{name}.zip", "w") as archive:
            archive.write(checkout.root / "made" / "annotations.xml", "annotations.xml")
    checkout.follow(page)
    old, new = (read(checkout.root / name) for name in ("my_data/labels.json", "corrected.json"))
    assert new["images"] == old["images"]
    assert sorted(new["annotations"], key=itemgetter("id")) == sorted(old["annotations"], key=itemgetter("id"))
    for name in ("pre_labels/annotations.xml", "next/tasks.json", "yolo/labels", "yolo/images"):
        assert (checkout.root / name).exists()
    assert len((checkout.root / "next" / "next.csv").read_text().splitlines()) > 2


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/video.md"], indirect=True)
def test_video(page, checkout, painted) -> None:
    image = read_image(next((painted / "val2017").iterdir()), frame="upright")
    with open_video_writer(checkout.root / "clip.mp4", 25, image.shape[:2]) as append:
        for index in range(12):
            append(np.roll(image, index, axis=1))
    follow(checkout, page)
    named = {word for word in page.words() if re.fullmatch(r"poses/\S+", word)}
    assert len(named) == 4
    assert [place for place in named if not (checkout.root / place).exists()] == []
    records = read(checkout.root / "poses" / "poses.json")
    assert [(record["frame"], record["track_id"]) for record in records] == [(index, 1) for index in range(12)]
    assert len(checkout.outputs["python follow.py"].splitlines()) == 12


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/explain-a-model.md"], indirect=True)
def test_explain_a_model(page, checkout, painted) -> None:
    shutil.copytree(painted, checkout.root / "my_data")
    checkout.follow(page)
    named = {word for word in page.words() if re.fullmatch(r"explained/\S+", word)}
    assert named
    # The 20 validation persons of the small sample are too few to rank their annotations; the second command explains 80.
    places = {place.replace("explained/", "blurred/", 1) if "doubtful" in place else place for place in named}
    assert [place for place in places if not (checkout.root / place).exists()] == []
    assert (checkout.root / "blurred" / "summary.html").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md"], indirect=True)
def test_readme(page, checkout, painted) -> None:
    shutil.copytree(painted, checkout.root / "data" / "01_raw" / "coco")
    shutil.copytree(painted / "val2017", checkout.root / "photos")
    follow(checkout, page)
    photos = read(checkout.root / "data" / "photos" / "07_model_output" / "inference" / "coco_results.json")
    assert len(photos) == len(list((checkout.root / "photos").iterdir())), "one pose an image"
    folder = checkout.root / "data" / "08_reporting" / "explainability"
    assert isinstance(read(folder / "findings.json"), list)
    assert {path.name for path in folder.iterdir() if path.is_dir()} >= {"latent_traversal", "clusters", "skip_ablation"}


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/start-from-a-model.md"], indirect=True)
def test_start_from_a_model(page, checkout, painted) -> None:
    make_my_data(painted, checkout.root / "my_data")
    follow(checkout, page)
    (source,) = (checkout.root / "data" / "06_models" / "model").glob("*/model/model.json")
    trained, frozen, scaled, stacked, stopped = (
        read(path) for path in sorted((checkout.root / "data" / "my_data" / "06_models" / "model").glob("*/model/model.json"))
    )
    start = trained["provenance"]["start"]
    assert (start["joints_new"], len(start["joints_taken"])) == (["head_top", "neck"], len(BODY))
    assert start["train_persons"] == read(source)["provenance"]["train_persons"]
    assert "  joints: taken left_shoulder" in checkout.outputs["kedro run --env poses"]
    assert frozen["provenance"]["trained_parts"] == {"freeze": ["stem"]}
    assert scaled["provenance"]["trained_parts"] == {"learning_rate_scale": {"stem": 0.1}}
    status = {row["module"]: row["status"] for row in stacked["provenance"]["start"]["modules"]}
    assert (status["hourglasses.1"], status["hourglasses.2"]) == ("taken", "new")
    assert stopped["provenance"]["epochs"] - stopped["provenance"]["best_epoch"] in (0, 1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/tune.md"], indirect=True)
def test_tune(page, checkout) -> None:
    follow(checkout, page)
    cut, searched, more, wider, trained = records(checkout, "data")
    assert cut["pipelines"] == ["data_engineering"]
    assert [record["pipelines"] for record in (searched, more, wider)] == [["tune"]] * 3
    assert "Continuing after 3 of 5 trials" in checkout.outputs["kedro run --pipelines tune --params tune.trials=5"]
    trials = pd.read_csv(checkout.root / "data" / "08_reporting" / "tune" / "trials.csv")
    assert {"data_engineering.codec", "modelling.training.augmentations"} <= set(trials.columns)
    best = trials[trials["state"] == "completed"].sort_values("value", kind="stable", ascending=False).iloc[0]
    training = trained["parameters"]["modelling"]["training"]
    assert trained["env"] == "tuned"
    assert training["learning_rate"] == pytest.approx(best["modelling.training.learning_rate"])
    assert trained["parameters"]["data_engineering"]["codec"]["name"] == json.loads(best["data_engineering.codec"])["name"]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/track.md"], indirect=True)
def test_track(page, checkout) -> None:
    pytest.importorskip("mlflow", reason="needs the extra track")
    follow(checkout, page)
    whole, trained = records(checkout, "data")
    reports = checkout.root / "data" / "08_reporting"
    assert sorted(path.name for path in (reports / "tensorboard").iterdir()) == [whole["run_id"], trained["run_id"]]
    with closing(sqlite3.connect(reports / "mlflow" / "mlflow.db")) as database:
        assert database.execute("select name, status from runs").fetchall() == [(trained["run_id"], "FINISHED")]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/train.md"], indirect=True)
def test_train(page, checkout) -> None:
    follow(checkout, page)
    models = sorted((checkout.root / "data" / "06_models" / "model").glob("*/model/model.json"))
    trainings = [read(model)["provenance"]["training"] for model in models]
    assert [training["optimiser"]["name"] for training in trainings] == ["adamw", "adamw", "rmsprop"]
    assert [training["loss"]["name"] for training in trainings] == ["mse", "mse", "integral"]
    assert trainings[1]["batch_size"] in (2, 4, 8, 16, 32, 64)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/improve.md"], indirect=True)
def test_improve(page, checkout) -> None:
    follow(checkout, page)
    trained, improved, other, posed = records(checkout, "data")
    assert [record["pipelines"] for record in (trained, improved, other, posed)] == [
        ["__default__"], ["improve"], ["improve"], ["inference"]
    ]  # fmt: skip
    found = read(checkout.root / "data" / "08_reporting" / "improve" / "improvement.json")
    assert found["code_size"]["dimensions"] == 8
    assert list(found["scores"]) == ["original", "mean_ablated", "inserted", "continued", "improved"]
    assert all(claim["command"] == "kedro run --pipelines improve" for claim in found["findings"])
    model = read(checkout.root / "data" / "06_models" / "improve" / "improved" / "model.json")
    assert model["architecture"]["options"]["autoencoder"]["code_size"] == 8


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/final-test.md"], indirect=True)
def test_final_test(page, checkout) -> None:
    follow(checkout, page)
    trained, tested, again, overridden = records(checkout, "data")
    assert [record["pipelines"] for record in (trained, tested, again, overridden)] == [
        ["__default__"], ["final_test"], ["modelling"], ["final_test"]
    ]  # fmt: skip
    accesses = read(checkout.root / "data" / "08_reporting" / "test_access_log.json")
    assert [(use["kind"], use["state"]) for use in accesses] == [("first", "completed"), ("override", "completed")]
    assert [use["run_id"] for use in accesses] == [tested["run_id"], overridden["run_id"]]
    assert accesses[0]["model_fingerprint"] != accesses[1]["model_fingerprint"]
    assert set(accesses[1]) >= {"opened_utc", "completed_utc", "data_fingerprint", "metric_values"}


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/compare-runs.md"], indirect=True)
def test_compare_runs(page, checkout) -> None:
    follow(checkout, page)
    folders = checkout.outputs["posescope compare data/plain data/seeded"]
    (plain,), (seeded,) = records(checkout, "data/plain"), records(checkout, "data/seeded")
    for record in (plain, seeded):
        assert record["run_id"] in folders
    agreement = checkout.outputs["posescope similarity data/plain data/seeded"]
    assert "persons in common" in agreement
    assert all(part in agreement for part in ("Features (linear CKA", "Components of A", "Attributes: R2"))
    first, second = records(checkout, "data")
    ids = checkout.outputs["posescope compare <first> <second>"]
    assert ids.index(first["run_id"]) < ids.index(second["run_id"])
    for output, parameter in ((folders, "modelling.training.seed"), (ids, "modelling.training.batch_size")):
        assert all(f"\n{name} " in output for name in ("pck_thesis", "pck@0.2", "oks"))
        assert f"\n  {parameter} " in output
    content = json.loads(checkout.outputs["posescope compare <first> <second> --json --seed 1 --resamples 5000"])
    assert (content["seed"], content["resamples"], content["persons"] > 0) == (1, 5000, True)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/no-skips.md"], indirect=True)
def test_no_skips(page, checkout) -> None:
    follow(checkout, page)
    with_skips, without, explained, again = records(checkout, "data")
    # Kedro passes the names of several pipelines in any order.
    assert [set(record["pipelines"]) for record in (with_skips, without, explained, again)] == [
        {"__default__"}, {"modelling", "evaluation"}, {"explainability"}, {"explainability"}
    ]  # fmt: skip
    models = sorted((checkout.root / "data" / "06_models" / "model").glob("*/model/model.json"))
    skips = [read(model)["architecture"]["options"]["skip"] for model in models]
    assert (skips[0] != "none", skips[1]) == (True, "none")
    output = checkout.outputs["posescope compare <first> <second>"]
    assert output.index(with_skips["run_id"]) < output.index(without["run_id"])
    # The last command analyses the first model, which has skips.
    result = read(checkout.root / "data" / "08_reporting" / "explainability" / "skip_ablation" / "result.json")
    assert result["facts"]["skips"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/how-to/schedulers.md"], indirect=True)
def test_schedulers(page, checkout) -> None:
    follow(checkout, page)
    chain = [[name] for name in ("data_engineering", "modelling", "evaluation", "explainability", "reporting")]
    assert [record["pipelines"] for record in records(checkout, "data")] == chain
    report = checkout.root / "data" / "08_reporting" / "report.html"
    before = report.read_bytes()
    checkout.follow(page)
    assert report.read_bytes() == before
    assert [record["pipelines"] for record in records(checkout, "data")] == chain * 2
    assert len(list((checkout.root / "data" / "06_models" / "model").glob("*/model"))) == 1

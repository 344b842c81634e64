"""The pipeline `download`, from a local server to the tables of persons."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from posescope.core.errors import DataError, OptionsError
from posescope.kedro_support.config_loader import ComponentConfigLoader
from posescope.pipeline_registry import DEFAULT_PIPELINES
from posescope.pipelines.download import PARAMETERS, create_pipeline
from posescope.settings import CONFIG_LOADER_ARGS

REPOSITORY = Path(__file__).resolve().parents[3]
PATHS = {
    "annotations_trainval2017": "/annotations/annotations_trainval2017.zip",
    "val2017": "/zips/val2017.zip",
    "train2017": "/zips/train2017.zip",
}


@pytest.fixture
def places(tmp_path):
    return {"raw_dir": str(tmp_path / "coco"), "data_dir": str(tmp_path / "data")}


@pytest.fixture
def mirror(server, tiny_coco, make_zip):
    """The tiny data set in COCO's own archives, on a mirror; the parameters that name them."""
    files = {
        path.relative_to(tiny_coco.root).as_posix(): path.read_bytes() for path in tiny_coco.root.rglob("*") if path.is_file()
    }
    archives = {}
    for name, path in PATHS.items():
        folder = name.partition("_")[0]
        content = make_zip({file: raw for file, raw in files.items() if file.startswith(f"{folder}/")})
        server.put(path, content)
        archives[name] = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "md5": None}
        if folder != "annotations":
            archives[name]["members"] = f"{folder}/*.png"
    tiny_coco.root.rename(tiny_coco.root.with_name("original"))  # the pipeline is to make its like
    return {"mirror": server.url, "archives": archives, "min_free_bytes": 0}


def run(*names, env="coco", to_nodes=None, **params):
    bootstrap_project(REPOSITORY)
    with KedroSession.create(project_path=REPOSITORY, env=env, runtime_params=params, save_on_close=False) as session:
        return session.run(pipeline_names=list(names), to_nodes=to_nodes)


def on_the_command_line(places, mirror):
    values = {**places, "download.mirror": mirror["mirror"], "download.min_free_bytes": 0}
    for name, archive in mirror["archives"].items():
        values |= {f"download.archives.{name}.{key}": "null" if value is None else value for key, value in archive.items()}
    return ",".join(f"{key}={value}" for key, value in values.items())


def test_from_the_command_line_to_the_persons(server, places, mirror):
    command = ["-m", "kedro", "run", "--pipelines", "download", "--env", "coco", "--params", on_the_command_line(places, mirror)]
    # Kedro, once started in a process, hands its children PYTHONPATH=src: they would read src/*.egg-info of an earlier build.
    quiet = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"DO_NOT_TRACK": "1", "no_proxy": "*"}
    ended = subprocess.run([sys.executable, *command], cwd=REPOSITORY, env=quiet, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert "Archives in" in ended.stderr
    assert sorted(asked.path for asked in server.log) == sorted(PATHS.values())
    raw = Path(places["raw_dir"])
    assert {path.name for path in raw.iterdir()} == {"annotations", "archives", "train2017", "val2017"}
    (record,) = (Path(places["data_dir"]) / "08_reporting" / "runs").glob("*/run.json")
    assert json.loads(record.read_text())["pipelines"] == ["download"]

    run("data_engineering", to_nodes=["data_engineering.annotations.read_persons"], **places)
    persons = pd.read_parquet(Path(places["data_dir"]) / "02_intermediate" / "persons_read.parquet")
    assert persons["source_split"].value_counts().to_dict() == {"train2017": 4, "val2017": 3}

    server.log.clear()
    again = run("download", **places, download=mirror)["fetched_archives"].load()
    assert [archive.state for archive in again] == ["present"] * 3
    assert server.log == []


def test_a_dry_run_leaves_nothing_but_its_record(server, places, mirror):
    planned = run("download", **places, download={**mirror, "dry_run": True})["fetched_archives"].load()
    assert [archive.state for archive in planned] == ["not downloaded"] * 3
    assert server.log == []
    assert not Path(places["raw_dir"]).exists()
    left = [path.name for path in Path(places["data_dir"]).rglob("*") if path.is_file() and not path.name.startswith(".lock")]
    assert left == ["run.json"]


def test_one_archive_may_be_enough(server, places, mirror):
    archives = {**mirror["archives"], "train2017": None, "val2017": None}
    (fetched,) = run("download", **places, download={**mirror, "archives": archives})["fetched_archives"].load()
    assert (fetched.name, fetched.files) == ("annotations_trainval2017", 2)


@pytest.mark.parametrize("env", ["base", "test"])
def test_an_environment_with_a_generated_sample_downloads_nothing(server, places, mirror, env):
    with pytest.raises(DataError, match="coco"):
        run("download", env=env, **places, download=mirror)
    assert server.log == []
    assert not Path(places["raw_dir"]).exists()


def test_a_wrong_parameter_is_refused_before_the_run(places):
    with pytest.raises(OptionsError, match=r"download\.mirror"):
        run("download", **places, download={"mirror": "/a/folder"})


def test_the_default_downloads_nothing():
    assert "download" not in DEFAULT_PIPELINES
    assert {node.name for node in create_pipeline().nodes} == {"download.plan_download", "download.fetch_archives"}


@pytest.mark.parametrize("env", ["coco", "thesis", "thesis_final"])
def test_the_official_addresses_are_the_parameters(env):
    loader = ComponentConfigLoader(conf_source=str(REPOSITORY / "conf"), env=env, **CONFIG_LOADER_ARGS)
    options = PARAMETERS["download"].model_validate(loader["parameters"]["download"])
    wanted = options.wanted()
    assert {name: archive.url for name, archive in wanted.items()} == {
        name: f"http://images.cocodataset.org{path}" for name, path in PATHS.items()
    }
    assert all(archive.sha256 and archive.md5 and archive.size_bytes for archive in wanted.values())
    assert wanted["annotations_trainval2017"].wants("annotations/person_keypoints_train2017.json")
    assert not wanted["annotations_trainval2017"].wants("annotations/instances_train2017.json")
    assert wanted["val2017"].wants("val2017/000000000139.jpg")
    assert not wanted["train2017"].wants("val2017/000000000139.jpg")
    assert options.mirror is None
    assert not options.dry_run

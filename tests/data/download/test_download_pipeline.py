"""The pipeline `download`, from a local server to the tables of persons."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tests.kedro_sessions import REPOSITORY, open_session

from posescope.core.errors import DataError, OptionsError
from posescope.kedro_support.config_loader import ComponentConfigLoader
from posescope.pipeline_registry import DEFAULT_PIPELINES
from posescope.pipelines.download import PARAMETERS, create_pipeline
from posescope.settings import CONFIG_LOADER_ARGS

PATHS = {
    "annotations_trainval2017": "/annotations/annotations_trainval2017.zip",
    "val2017": "/zips/val2017.zip",
    "train2017": "/zips/train2017.zip",
}


@pytest.fixture
def paths(tmp_path):
    return {"raw_dir": str(tmp_path / "coco"), "data_dir": str(tmp_path / "data")}


@pytest.fixture
def mirror(server, tiny_coco, make_zip):
    """Serve the tiny data set as COCO's archives on a mirror and return the parameters for it."""
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
    tiny_coco.root.rename(tiny_coco.root.with_name("original"))  # the pipeline must restore it
    return {"mirror": server.url, "archives": archives, "min_free_bytes": 0}


def run(*names, env="coco", to_nodes=None, **params):
    with open_session(env, **params) as session:
        return session.run(pipeline_names=list(names), to_nodes=to_nodes)


def command_line_params(paths, mirror):
    values = {**paths, "download.mirror": mirror["mirror"], "download.min_free_bytes": 0}
    for name, archive in mirror["archives"].items():
        values |= {f"download.archives.{name}.{key}": "null" if value is None else value for key, value in archive.items()}
    return ",".join(f"{key}={value}" for key, value in values.items())


def test_download_by_command_line_gives_the_persons(server, paths, mirror):
    command = ["-m", "kedro", "run", "--pipelines", "download", "--env", "coco", "--params", command_line_params(paths, mirror)]
    # Once started, Kedro sets PYTHONPATH=src for child processes, which would read src/*.egg-info of an earlier build.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {
        "DO_NOT_TRACK": "1",
        "no_proxy": "*",
    }
    process = subprocess.run(
        [sys.executable, *command], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr[-4000:]
    assert "Archives in" in process.stderr
    assert sorted(request.path for request in server.log) == sorted(PATHS.values())
    raw = Path(paths["raw_dir"])
    assert {path.name for path in raw.iterdir()} == {"annotations", "archives", "train2017", "val2017"}
    (record,) = (Path(paths["data_dir"]) / "08_reporting" / "runs").glob("*/run.json")
    assert json.loads(record.read_text())["pipelines"] == ["download"]

    run("data_engineering", to_nodes=["data_engineering.annotations.read_persons"], **paths)
    persons = pd.read_parquet(Path(paths["data_dir"]) / "02_intermediate" / "persons_read.parquet")
    assert persons["source_split"].value_counts().to_dict() == {"train2017": 4, "val2017": 3}

    server.log.clear()
    archives = run("download", **paths, download=mirror)["fetched_archives"].load()
    assert [archive.state for archive in archives] == ["present"] * 3
    assert server.log == []


def test_dry_run_writes_only_its_record(server, paths, mirror):
    planned = run("download", **paths, download={**mirror, "dry_run": True})["fetched_archives"].load()
    assert [archive.state for archive in planned] == ["not downloaded"] * 3
    assert server.log == []
    assert not Path(paths["raw_dir"]).exists()
    written = [path.name for path in Path(paths["data_dir"]).rglob("*") if path.is_file() and not path.name.startswith(".lock")]
    assert written == ["run.json"]


def test_single_archive_can_be_downloaded(server, paths, mirror):
    archives = {**mirror["archives"], "train2017": None, "val2017": None}
    (fetched,) = run("download", **paths, download={**mirror, "archives": archives})["fetched_archives"].load()
    assert (fetched.name, len(fetched.record.members)) == ("annotations_trainval2017", 2)


@pytest.mark.parametrize("env", ["base", "test"])
def test_environment_with_a_generated_sample_downloads_nothing(server, paths, mirror, env):
    with pytest.raises(DataError, match="coco"):
        run("download", env=env, **paths, download=mirror)
    assert server.log == []
    assert not Path(paths["raw_dir"]).exists()


def test_invalid_parameter_is_refused_before_the_run(paths):
    with pytest.raises(OptionsError, match=r"download\.mirror"):
        run("download", **paths, download={"mirror": "/a/folder"})


def test_default_pipelines_do_not_download():
    assert "download" not in DEFAULT_PIPELINES
    assert {node.name for node in create_pipeline().nodes} == {"download.plan_download", "download.fetch_archives"}


@pytest.mark.parametrize("env", ["coco", "thesis", "thesis_final"])
def test_parameters_contain_the_official_addresses(env):
    loader = ComponentConfigLoader(conf_source=str(REPOSITORY / "conf"), env=env, **CONFIG_LOADER_ARGS)
    options = PARAMETERS["download"].model_validate(loader["parameters"]["download"])
    archives = options.wanted()
    assert {name: archive.url for name, archive in archives.items()} == {
        name: f"http://images.cocodataset.org{path}" for name, path in PATHS.items()
    }
    assert all(archive.sha256 and archive.md5 and archive.size_bytes for archive in archives.values())
    assert archives["annotations_trainval2017"].wants("annotations/person_keypoints_train2017.json")
    assert not archives["annotations_trainval2017"].wants("annotations/instances_train2017.json")
    assert archives["val2017"].wants("val2017/000000000139.jpg")
    assert not archives["train2017"].wants("val2017/000000000139.jpg")
    assert options.mirror is None
    assert not options.dry_run

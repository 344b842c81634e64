"""The commands `posescope labels`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.labelling.label_examples import example_labels

from posescope.cli import cli
from posescope.labelling.coco_labels import read_coco_labels, write_coco_labels
from posescope.labelling.cvat_xml import read_cvat


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["labels", *map(str, words)])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return an annotation file with a second category."""
    write_coco_labels(example_labels(), tmp_path / "base.json")
    content = json.loads((tmp_path / "base.json").read_text())
    content["categories"].append({"id": 8, "name": "car"})
    content["annotations"].append({"id": 99, "image_id": 101, "category_id": 8, "bbox": [1, 1, 2, 2]})
    content["licenses"] = [{"id": 1}]
    (tmp_path / "base.json").write_text(json.dumps(content))
    return tmp_path / "base.json"


@pytest.fixture
def poses(tmp_path: Path) -> Path:
    record = {"category_id": 3, "score": 0.5, "bbox": [1, 2, 30, 40], "keypoints": [10, 11, 0.9, 20, 21, 0.1, 30.5, 31, 0.3]}
    records = [
        {**record, "image_id": 101, "file_name": "a.png"},
        {**record, "image_id": 7, "file_name": "sub/b.png", "keypoints": [10, 11, 0.1, 9, 8, 0.1, 3, 3, 0.1]},
    ]
    (tmp_path / "poses.json").write_text(json.dumps(records))
    return tmp_path / "poses.json"


def test_export_and_import_with_the_base_is_the_identity(base: Path, tmp_path: Path) -> None:
    result = run("export", "cvat", base, "--out", tmp_path / "cvat")
    assert result.exit_code == 0, result.output
    assert "2 images, 4 persons" in result.output
    assert {path.name for path in (tmp_path / "cvat").iterdir()} == {"annotations.xml", "labels.json"}
    result = run("import", "cvat", tmp_path / "cvat", "--base", base, "--out", tmp_path / "new.json")
    assert result.exit_code == 0, result.output
    new, old = (json.loads(path.read_text()) for path in (tmp_path / "new.json", base))
    assert new == old


def test_persons_of_a_part_are_put_back(base: Path, tmp_path: Path) -> None:
    content = json.loads(base.read_text())
    (tmp_path / "part.json").write_text(json.dumps({**content, "annotations": content["annotations"][:1]}))
    run("export", "cvat", tmp_path / "part.json", "--out", tmp_path / "cvat")
    words = ("import", "cvat", tmp_path / "cvat", "--out", tmp_path / "new.json", "--keep-missing")
    assert run(*words).exit_code == 2
    assert run(*words, "--base", base).exit_code == 0
    assert json.loads((tmp_path / "new.json").read_text()) == content


def test_convert_writes_the_files_of_another_tool(base: Path, tmp_path: Path) -> None:
    run("export", "label_studio", base, "--out", tmp_path / "ls", "--image-prefix", "s3://photos/")
    assert "s3://photos/a.png" in (tmp_path / "ls" / "tasks.json").read_text()
    words = ("--from", "label_studio", "--to", "cvat", "--skeleton", base, "--out", tmp_path / "cvat")
    result = run("convert", tmp_path / "ls", *words)
    assert result.exit_code == 0, result.output
    assert read_cvat(tmp_path / "cvat" / "annotations.xml").person_count == 4


def test_predictions_become_pre_labels(base: Path, poses: Path, tmp_path: Path) -> None:
    words = ("--skeleton", base, "--base", base, "--out", tmp_path / "pre")
    result = run("export", "coco", poses, *words, "--min-score", "0.2", "--occluded-below", "0.5")
    assert result.exit_code == 0, result.output
    first, second = read_coco_labels(tmp_path / "pre" / "annotations.json").images
    assert [joint.visibility for joint in first.persons[0].joints] == [2, 0, 1]
    assert second.persons[0].labelled_count == 0


def test_next_images_are_ranked_and_exported(base: Path, poses: Path, tmp_path: Path) -> None:
    words = ("--skeleton", base, "--base", base, "--out", tmp_path / "next", "--number", "1", "--candidates", "1", "--to", "cvat")
    result = run("next", poses, *words)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "next" / "next.csv").read_text().splitlines()[1].startswith("1,sub/b.png,1,0.9000")
    assert [image.name for image in read_cvat(tmp_path / "next" / "annotations.xml").images] == ["sub/b.png"]


@pytest.mark.parametrize("source", ["../a.png", "b.png"])
def test_errors_are_one_line(source: str, poses: Path, base: Path, tmp_path: Path) -> None:
    poses.write_text(poses.read_text().replace("a.png", source))
    result = run("export", "cvat", poses, "--skeleton", base, "--base", base, "--out", tmp_path / "out")
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert not (tmp_path / "out").exists()


def test_files_of_the_user_are_not_replaced(base: Path, tmp_path: Path) -> None:
    source = base.rename(tmp_path / "annotations.json")
    before = source.read_text()
    result = run("convert", source, "--from", "coco", "--to", "coco", "--out", tmp_path)
    assert (result.exit_code, source.read_text()) == (2, before)
    other = tmp_path / "other"
    other.mkdir()
    theirs = before.replace("by posescope", "by hand")
    (other / "annotations.json").write_text(theirs)
    assert run("convert", source, "--from", "coco", "--to", "coco", "--out", other).exit_code == 1
    assert (other / "annotations.json").read_text() == theirs
    for _ in range(2):  # its own file is replaced
        assert run("convert", source, "--from", "coco", "--to", "coco", "--out", tmp_path / "own").exit_code == 0


def test_category_ids_as_text_are_read(base: Path, tmp_path: Path) -> None:
    content = json.loads(base.read_text())
    for record in content["annotations"]:
        record["category_id"] = str(record["category_id"])
    base.write_text(json.dumps(content))
    result = run("export", "cvat", base, "--out", tmp_path / "cvat")
    assert result.exit_code == 0, result.output
    assert read_cvat(tmp_path / "cvat" / "annotations.xml").person_count == 4

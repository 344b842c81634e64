"""The README and the how-to pages contain only known commands, valid parameters, existing names and links.

`test_follow_pages.py` runs the commands.
"""

import json
import re
import shlex
from fnmatch import filter as filter_names
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from click import Context
from click.testing import CliRunner
from tests.kedro_sessions import REPOSITORY, configure_once

from posescope.cli import COMMANDS, cli
from posescope.cli.run_command import run
from posescope.core.extras import MODULES
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.kedro_support.config_loader import ComponentConfigLoader
from posescope.kedro_support.parameter_checks import check_parameters
from posescope.pipeline_registry import parameter_models, register_pipelines
from posescope.settings import CONFIG_LOADER_ARGS

HOW_TO = sorted(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "docs" / "how-to").glob("*.md"))
PAGES = ["README.md", *HOW_TO]

every_page = pytest.mark.parametrize("page", PAGES, indirect=True)
# Names of packages that a page creates.
PAGE_PACKAGES = ("huber", "extension")
NAME_ONLY = re.compile(r"posescope [a-z]+")  # a command without its arguments: not run
OF_KEDRO = {"kedro registry list"}


@pytest.fixture(autouse=True)
def project() -> None:
    configure_once()


def read_options(command: str) -> Context:
    """Parse a `kedro run` or `python -m posescope` command."""
    words = shlex.split(command.replace("<version>", "1"))
    first = words.index("run" if "run" in words else "posescope") + 1
    return run.make_context("run", [word for word in words[first:] if not word.startswith("--conf-source=")])


def check_run(command: str, conf: Path) -> None:
    """Check that pipelines and environment exist and that the parameters are valid."""
    options = read_options(command).params
    known = register_pipelines()
    assert set(options["pipelines"] or ()) <= set(known), command
    assert set(options["node_names"] or ()) <= {node.name for node in known["__default__"].nodes}, command
    env = options["env"] or "local"
    assert (conf / env).is_dir(), command
    loader = ComponentConfigLoader(str(conf), env=env, runtime_params=dict(options["params"]), **CONFIG_LOADER_ARGS)
    check_parameters(loader["parameters"], parameter_models(), env=env)


def check_command(command: str, conf: Path) -> None:
    """Fail if a command is unknown."""
    if command.startswith("posescope plugins"):
        result = CliRunner().invoke(cli, command.split()[1:])
        assert result.exit_code == 0, result.output
    elif command.startswith("posescope "):  # of runs, images and models that a page creates
        name, *words = shlex.split(command)[1:]
        known = cli.get_command(Context(cli), name)
        assert known is not None, command
        known.make_parser(Context(known)).parse_args(list(words))
    elif command.startswith("make "):
        targets = re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
        assert command.split()[1] in targets
    elif command.startswith("pip install --no-deps --require-hashes -r "):
        assert (REPOSITORY / command.rsplit(maxsplit=1)[-1]).is_file(), command
    elif command.startswith("pip install ") and "posescope.whl" in command:
        assert set(re.findall(r"\[(\w+)\]", command)) <= {*MODULES, "all"}, command
    elif command.startswith("pip install ./"):
        assert (conf.parent / command.rpartition(" ")[2] / "pyproject.toml").is_file(), command
    elif command.startswith("mkdir conf/"):
        (conf.parent / command.rpartition(" ")[2]).mkdir()
    elif command.startswith("cp data/"):  # an output of a run, into an environment
        assert (conf.parent / command.rpartition(" ")[2]).parent.is_dir(), command
    elif re.match(r"python \w+\.py\b", command):  # a file that the page writes
        assert (conf.parent / command.split()[1]).is_file(), command
    elif "kedro run" in command or command.startswith("python -m posescope "):
        check_run(command, conf)
    else:
        assert command in OF_KEDRO | {"source .venv/bin/activate"}


def test_pages_are_found() -> None:
    assert len(HOW_TO) >= 4


@every_page
def test_every_command_is_known_and_its_parameters_are_valid(page, readme, checkout, monkeypatch) -> None:
    if page.path != readme.path:  # a page may use what the README defines
        for step in readme.steps():
            checkout.write(step)
    page_packages = ()
    for step in page.steps():
        checkout.write(step)
        for folder in re.findall(r"^PYTHONPATH=(\S+)", step.text):
            monkeypatch.syspath_prepend(checkout.root / folder)
        if step.text.startswith("pip install"):
            page_packages = PAGE_PACKAGES
        if not step.file and not any(name in step.text for name in page_packages):
            check_command(re.sub(r"^PYTHONPATH=\S+ ", "", step.text), checkout.root / "conf")


@every_page
def test_brackets_in_commands_are_quoted(page) -> None:
    """zsh, the default shell of macOS, expands them as a pattern of file names, and refuses the command."""
    commands = [step.text for step in page.steps() if not step.file]
    assert [text for text in commands if re.search(r"[\[\]*?]", re.sub(r"'[^']*'|\"[^\"]*\"", "", text))] == []


@pytest.fixture(scope="module")
def complete() -> dict[str, Any]:
    """Return all parameters of the project with their defaults."""
    configure_once()
    merged = ComponentConfigLoader(str(REPOSITORY / "conf"), env="test", **CONFIG_LOADER_ARGS)["parameters"]
    return {name: model.model_validate(merged[name]).model_dump() for name, model in parameter_models().items()}


@every_page
def test_every_parameter_in_the_text_exists(page, checkout, complete) -> None:
    """`a.b=1,c.d=2` is valid; `a.b` exists (options of components are checked when they are given)."""
    conf = checkout.root / "conf"
    for word in page.words():
        if re.fullmatch(r"[\w.]+=\S+", word):
            check_run(f"kedro run --params {word}", conf)
        elif re.fullmatch(r"\w+(\.\w+)+\.?", word) and word.partition(".")[0] in complete:
            assert is_there(word.rstrip(".").split("."), complete), word


@every_page
def test_every_command_named_in_the_text_exists(page) -> None:
    named = {word.removeprefix("posescope ") for word in page.words() if NAME_ONLY.fullmatch(word)}
    assert named - COMMANDS.keys() == set()


def is_there(names: list[str], values: Any) -> bool:
    return not names or names[0] == "options" or (names[0] in values and is_there(names[1:], values[names[0]]))


def test_every_exempted_command_is_on_a_page(not_run, read_page) -> None:
    commands = [step.text for name in PAGES for step in read_page(name).steps()]
    assert [pattern for pattern in not_run if not filter_names(commands, pattern)] == []


def test_make_run_is_replaced_by_its_recipe() -> None:
    assert "\nrun: $(INSTALLED)\n\t$(BIN)/kedro run\n" in (REPOSITORY / "Makefile").read_text()


@every_page
def test_every_path_of_the_project_exists(page) -> None:
    written = " ".join(step.file for step in page.steps())
    for word in page.words():
        if re.fullmatch(r"(conf|src|docs|tests|benchmarks)/[\w./-]+", word) and "/local" not in word:
            assert (REPOSITORY / word).exists() or word in written, word


@pytest.mark.parametrize("page", [*PAGES, "docs/architecture.md", "conf/README.md"], indirect=True)
def test_every_link_target_exists(page) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.text) + re.findall(r'src="([^"]+)"', page.text)
    assert targets
    for target in targets:
        if not target.startswith("https://"):
            file, _, heading = target.partition("#")
            path = page.path.parent / file if file else page.path
            assert path.exists(), target
            assert not heading or heading in anchors(path), target


def anchors(path: Path) -> set[str]:
    """Return GitHub's anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _written(default: Any) -> str:
    """Return a default as the page writes it: a group of options as in YAML."""
    if default and isinstance(default, dict):
        default = yaml.safe_dump(default, default_flow_style=True).strip()
    return f"`{default}`" if default else "none"


def test_names_of_a_data_set_are_those_of_the_source_options(read_page) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| ", read_page("docs/how-to/your-own-data.md").text, re.MULTILINE)
    defaults = {name: _written(default) for name, default in SourceOptions().model_dump().items()}
    assert dict(rows) == defaults


def test_example_of_an_annotation_file_has_no_issues(read_page, tmp_path) -> None:
    (example,) = [text for language, text in read_page("docs/how-to/your-own-data.md").blocks() if language == "json"]
    content = json.loads(example)
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / "annotations" / f"person_keypoints_{split}.json").write_text(example)
        for image in content["images"]:
            cv2.imwrite(str(tmp_path / split / image["file_name"]), np.zeros((image["height"], image["width"], 3), np.uint8))
    read = read_annotations(CocoFolder(tmp_path), SourceOptions(train_split="train", val_split="val"))
    assert len(read.persons) == 2
    # Both splits are the same example, which is the only finding.
    assert set(read.issues["detail"]) == {"persons_in_two_splits"}
    assert read.skeleton.joints == ("head_top", "neck", "left_shoulder", "right_shoulder")
    assert read.skeleton.flip_indices == (0, 1, 3, 2)
    (x, y, width, height) = content["annotations"][0]["bbox"]
    labelled = read.keypoints.dropna()
    assert labelled["x"].between(x, x + width).all()
    assert labelled["y"].between(y, y + height).all()

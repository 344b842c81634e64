"""Commands of the documentation pages, and a small copy of the project to run them in."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from posescope.kedro_support.config_loader import merge_parameters
from posescope.sample import SampleOptions, generate_sample

REPOSITORY = Path(__file__).resolve().parents[2]

# Commands that the page tests do not run, as patterns, with the reason.
NOT_RUN: Mapping[str, str] = {
    "make test": "it is what runs this test",
    "make install *": "it makes the environment that runs this test",
    "make locks": "needs the package index",
    "make check-locks": "needs the package index",
    "make sbom": "needs the package index",
    "pip install *posescope.whl*": "tests/integration/test_installs.py installs the wheel and its extras",
    "pip install --no-deps --require-hashes *": "tests/conventions/test_locks.py, and `make check-locks`",
    "make package": "tests/integration/test_package.py builds the wheel",
    "make viz": "a server: it never ends",
    "make explore": "a server: it never ends",
    "posescope export --format int8 *": "the test's network is hardly trained: tests/prediction/exporters",
    "posescope export --format openvino --set precision=int8 *": "as for int8: tests/prediction/exporters",
    "posescope serve *": "a server: it never ends; tests/cluster/test_server_process.py",
    "posescope explore *": "a server: it never ends; tests/cli/test_explore.py",
    "make viz-site": "needs the extra `viz`, and a minute",
    "python -m posescope --conf-source=*": "needs the installed wheel: tests/integration/test_package.py",
    "kedro run --pipelines download *": "20 GB from the network: tests/data/download uses a local server",
    "source .venv/bin/activate": "the tests have the environment on their PATH",
    "python make_vitpose.py usyd-community/*": "weights of the Hugging Face hub",
    "posescope predict photos --model vitpose_model *": "needs these weights; the page predicts with random ones",
    "kedro run --pipelines download --env coco": "20 GB from COCO's own server",
    "posescope compare * --peer *": "needs a public network: tests/prediction/peers and tests/cli/test_compare.py",
    "kedro run *data_dir=s3://*": "needs an object store: tests/cluster/test_flow_on_s3.py",
    "posescope * s3://*": "needs an object store: tests/cluster/test_flow_on_s3.py",
    "kedro run *model=s3://*": "needs an object store: tests/cluster/test_flow_on_s3.py",
    "kedro run *modelling.training.nodes=2*": "needs two nodes: tests/cluster/test_nodes.py",
    "kedro run *compute.backend=dask,compute.scheduler=*": "needs a scheduler: tests/cluster/test_dask.py",
    "kedro run --env coco --params raw_dir=../shared/*": "real photographs: tests/integration/test_real_data.py, with one epoch",
}
# Replacements of commands: recipes of the Makefile, and placeholders of the pages.
STAND_INS = {
    "make run": "kedro run",
    "<version>": "$(ls -t data/06_models/model | head -n 1)",
    "<first>": "$(ls data/08_reporting/runs | head -n 1)",
    "<second>": "$(ls data/08_reporting/runs | tail -n 1)",
}

_COMMANDS = ("kedro", "posescope", "make", "pip", "python", "source", "git")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\S+\.(?:yml|toml|py))\n")
NAME_ONLY = re.compile(r"posescope [a-z]+")  # the name of a command in a sentence, without the arguments that it needs
_INLINE = re.compile(r"`([^`]+)`")
_BARE = ("", "json", "mermaid")  # blocks without commands or files: folder trees, examples


@dataclass(frozen=True)
class Step:
    """One step of a page: a command or a file."""

    text: str
    file: str = ""

    @property
    def why_not_run(self) -> str:
        return next((reason for pattern, reason in NOT_RUN.items() if fnmatchcase(self.text, pattern)), "")


@dataclass(frozen=True)
class Page:
    """A Markdown page."""

    path: Path
    text: str

    def blocks(self) -> list[tuple[str, str]]:
        """Return language and content of every fenced block."""
        return [(found[1], found[2]) for found in _FENCE.finditer(self.text)]

    def words(self) -> list[str]:
        """Return the inline code spans outside of the fenced blocks."""
        return _words_of(_FENCE.sub("", self.text))

    def steps(self) -> list[Step]:
        """Return files and commands in the order of the page; inline commands once, and only if they are in no block."""
        blocks = [step for language, content in self.blocks() for step in _steps_of_block(language, content, self.path.name)]
        steps: list[Step] = []
        place = 0
        for fence in _FENCE.finditer(self.text + "\n```\n```\n"):
            words = dict.fromkeys(_words_of(self.text[place : fence.start()]))
            mentioned = [Step(word) for word in words if _is_command(word) and not NAME_ONLY.fullmatch(word)]
            steps += [step for step in mentioned if step not in blocks and step not in steps]
            steps += _steps_of_block(fence[1], fence[2], self.path.name)
            place = fence.end()
        return steps


def _words_of(prose: str) -> list[str]:
    return [" ".join(word.split()) for word in _INLINE.findall(prose)]  # a command may span two lines


def _is_command(text: str) -> bool:
    return text.partition(" ")[0] in _COMMANDS and " " in text


def _steps_of_block(language: str, content: str, page: str) -> Iterator[Step]:
    lines = [re.sub(r"\s+#.*$", "", line).strip() for line in content.replace("\\\n", " ").splitlines()]
    if language == "bash":
        yield from (Step(line) for line in lines if line and not line.startswith("#"))
    elif language in ("yaml", "toml", "python"):
        named = _FILE.match(content)
        if named is None:
            pytest.fail(f"{page}: a block of {language} must say in its first line which file it is: '# path/of/file'")
        yield Step(content, named[1])
    elif language not in _BARE or any(map(_is_command, lines)):
        pytest.fail(f"{page}: a block of commands must be called bash; found '{language}':\n{content}")


@dataclass
class Checkout:
    """A copy of the project whose runs take seconds: recipes keep their components, with the sizes of `conf/test`."""

    root: Path
    outputs: dict[str, str] = field(default_factory=dict)

    def write(self, step: Step) -> None:
        """Write the file of a step."""
        if step.file:
            path = self.root / step.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, encoding="utf-8")

    def type(self, command: str) -> None:
        """Run a command, which must succeed. `outputs` holds its output (the last one of repeated commands)."""
        typed = command
        for words, others in STAND_INS.items():
            typed = typed.replace(words, others)
        shell = ["bash", "-c", typed]
        ended = subprocess.run(shell, cwd=self.root, env=self._environment(), capture_output=True, text=True, check=False)
        self.outputs[command] = ended.stdout + ended.stderr
        assert ended.returncode == 0, f"{typed}\n{self.outputs[command][-4000:]}"

    def follow(self, page: Page) -> None:
        """Run all steps of a page."""
        for step in page.steps():
            self.write(step)
            if not step.file and not step.why_not_run:
                self.type(step.text)

    def _environment(self) -> dict[str, str]:
        installed = str(self.root.parent / "installed")
        pip = {"TARGET": installed, "UPGRADE": "1", "NO_DEPS": "1", "NO_INDEX": "1", "NO_BUILD_ISOLATION": "0"}
        return {
            **os.environ,
            **{f"PIP_{name}": value for name, value in pip.items()},
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "PYTHONPATH": os.pathsep.join([installed, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            "CUDA_VISIBLE_DEVICES": "",
            "DO_NOT_TRACK": "1",
            "OMP_NUM_THREADS": "1",
        }


def _shrink(conf: Path) -> None:
    """Merge the sizes of `conf/test` into the base and into the recipes for COCO."""
    small: dict[str, Any] = yaml.safe_load((conf / "test" / "parameters.yml").read_text())
    for namespace, values in small.items():
        _merge_into(conf / "base" / namespace / "parameters.yml", {namespace: values})
    del small["data_engineering"]["sample"]  # null in these recipes: real data
    for recipe in ("coco", "thesis", "thesis_final"):
        _merge_into(conf / recipe / "parameters.yml", small)


def _merge_into(path: Path, values: dict[str, Any]) -> None:
    merged = merge_parameters(yaml.safe_load(path.read_text()), values)
    path.write_text(yaml.safe_dump(merged, sort_keys=False))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a small copy of the project with empty `data` and `conf/local`."""
    root = tmp_path / "posescope"
    shutil.copytree(REPOSITORY / "conf", root / "conf", ignore=shutil.ignore_patterns("local"))
    (root / "conf" / "local").mkdir()
    _shrink(root / "conf")
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    (root / "src").mkdir()
    (root / "src" / "posescope").symlink_to(REPOSITORY / "src" / "posescope")  # Kedro needs `src` inside the project
    example = Path("tests", "extension", "package")
    shutil.copytree(REPOSITORY / example, root / example, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    return Checkout(root)


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small data set in the layout of COCO 2017."""
    folder = tmp_path_factory.mktemp("painted") / "coco"
    generate_sample(folder, SampleOptions(train_persons=60, val_persons=20, workers=1))
    return folder


@pytest.fixture(scope="session")
def read_page() -> Callable[[str], Page]:
    """Return a function that reads a page of the repository."""
    return lambda name: Page(REPOSITORY / name, (REPOSITORY / name).read_text(encoding="utf-8"))


@pytest.fixture
def page(request: pytest.FixtureRequest, read_page: Callable[[str], Page]) -> Page:
    """Return the page of the parameter."""
    return read_page(request.param)


@pytest.fixture
def readme(read_page: Callable[[str], Page]) -> Page:
    return read_page("README.md")


@pytest.fixture
def not_run() -> Mapping[str, str]:
    return NOT_RUN

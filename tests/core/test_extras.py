"""Tests of the extras: their tables agree with pyproject.toml and with the imports of the source; errors name them."""

import ast
import importlib.metadata
import pickle
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import accumulate
from pathlib import Path

import pytest

from posescope.cli import COMMANDS
from posescope.core.errors import OptionsError
from posescope.core.extras import (
    APART,
    BASE,
    COMES_WITH,
    INCLUDED,
    MODULES,
    MissingPackageError,
    distribution_of,
    find_extra,
    find_missing_package,
    install_command,
    translate_missing,
)

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Names of other extras, and what is no part of the package for users.
OTHER_NAMES = {"all", "dev", "kedro", "onnx"}


def name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def own_packages(requirements: list[str]) -> set[str]:
    return {name_of(item) for item in requirements} - {"posescope"}


def included_extras(requirements: list[str]) -> set[str]:
    return {extra for item in requirements if name_of(item) == "posescope" for extra in re.findall(r"[\w-]+", item)[1:]}


def with_included(extra: str) -> set[str]:
    return {extra}.union(*(with_included(other) for other in INCLUDED.get(extra, ())))


@cache
def imports_of(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return what a module imports: at its top, and within functions. Imports for type checkers are left out."""
    top, inner = set(), set()

    def visit(nodes: list[ast.stmt], found: set[str]) -> None:
        for node in nodes:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.update({node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)})
            elif isinstance(node, ast.FunctionDef):
                visit(node.body, inner)
            elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
                for field in ("body", "orelse", "handlers", "finalbody"):
                    visit(getattr(node, field, []), found)

    path = file_of(name)
    visit(ast.parse(path.read_text(encoding="utf-8")).body if path else [], top)
    return frozenset(top), frozenset(inner)


@cache
def distributions_by_module() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def file_of(module: str) -> Path | None:
    places = (SOURCE.joinpath(*module.split(".")).with_suffix(".py"), SOURCE.joinpath(*module.split("."), "__init__.py"))
    return next((path for path in places if path.is_file()), None)


def packages_of(names: frozenset[str]) -> set[str]:
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"posescope", "", "__future__"}


def reached_at_import(module: str) -> set[str]:
    """Return the third-party packages that the import of a module imports."""
    waiting, seen, packages = [module], set(), set()
    while waiting:
        for name in accumulate(waiting.pop().split("."), "{}.{}".format):
            if name in seen or file_of(name) is None:
                continue
            seen.add(name)
            packages |= packages_of(imports_of(name)[0])
            waiting += [other for other in imports_of(name)[0] if other.startswith("posescope.")]
    return packages


def modules() -> Iterator[str]:
    for path in sorted((SOURCE / "posescope").rglob("*.py")):
        yield ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def test_base_is_the_dependencies_of_the_project() -> None:
    assert {distribution_of(module) for module in MODULES[BASE]} == own_packages(PROJECT["dependencies"])


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - OTHER_NAMES))
def test_extra_is_that_of_the_project(extra: str) -> None:
    assert {distribution_of(module) for module in MODULES[extra]} == own_packages(EXTRAS[extra])
    assert set(INCLUDED.get(extra, ())) == included_extras(EXTRAS[extra])


def test_all_tables_have_the_same_extras() -> None:
    assert set(MODULES) - {BASE} == set(EXTRAS) - OTHER_NAMES
    assert set(INCLUDED) <= set(MODULES)


def test_all_contains_every_extra() -> None:
    reached = set().union(*(with_included(extra) for extra in included_extras(EXTRAS["all"])))
    assert reached == set(MODULES) - {BASE}
    assert "all" in included_extras(EXTRAS["dev"])


def test_no_module_is_in_two_extras() -> None:
    listed = [module for names in MODULES.values() for module in names]
    assert len(listed) == len(set(listed))
    assert not {*COMES_WITH, *APART} & set(listed)


@pytest.mark.parametrize("module", sorted(COMES_WITH))
def test_module_comes_with_its_package(module: str) -> None:
    needed = {name_of(item) for item in importlib.metadata.requires(distribution_of(COMES_WITH[module])) or ()}
    assert distribution_of(module).replace("_", "-") in needed


@pytest.mark.parametrize("module", sorted({module for names in MODULES.values() for module in names}))
def test_distribution_has_this_module(module: str) -> None:
    found = distributions_by_module().get(module, [])
    assert distribution_of(module) in {name.lower().replace("_", "-") for name in found}


def test_every_import_is_in_an_extra() -> None:
    imported = {package: module for module in modules() for names in imports_of(module) for package in packages_of(names)}
    unknown = {package: module for package, module in imported.items() if find_extra(package) is None and package not in APART}
    assert unknown == {}
    assert {"torch", "kedro", "distributed", "onnxscript"} <= set(imported)


def test_every_package_is_imported() -> None:
    """A package that nothing imports is not declared, but for drivers that another package imports."""
    imported = {package for module in modules() for names in imports_of(module) for package in packages_of(names)}
    unused = (
        {module for names in MODULES.values() for module in names} - imported - {"s3fs", "kedro_viz", "alembic", "sqlalchemy"}
    )
    assert unused == set()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_imports_packages_of_its_extra_only(name: str) -> None:
    allowed = {BASE, *with_included(COMMANDS[name].extra)}
    assert {package for package in reached_at_import(COMMANDS[name].module) if find_extra(package) not in allowed} == set()


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("posescope.prediction.estimator", BASE),
        ("posescope.prediction.detectors.onnx_detector", BASE),
        ("posescope.artifacts.onnx_model", BASE),
        ("posescope.core.remote_folder", BASE),
        ("posescope.training.trainer", "train"),
        ("posescope.evaluation.metric_evaluation", "train"),
        ("posescope.explainability.study", "train"),
        ("posescope.models.vitpose", "train"),
        ("posescope.artifacts.onnx_export", "train"),
        ("posescope.settings", "pipelines"),
        ("posescope.tuning.search", "pipelines"),
        ("posescope.explorer.app.page", "explore"),
    ],
)
def test_module_imports_packages_of_its_extra_only(module: str, extra: str) -> None:
    assert file_of(module) is not None
    reached = reached_at_import(module)
    assert len(reached) > 1
    assert {package for package in reached if find_extra(package) not in {BASE, *with_included(extra)}} == set()


@pytest.mark.parametrize(
    ("module", "extra", "expected"),
    [
        ("torch", "", "pip install 'posescope[train]'"),
        ("torch", "explore", "pip install 'posescope[explore]'"),
        ("kedro", "explore", "pip install 'posescope[explore]'"),
        ("optuna", "explore", "pip install 'posescope[tune]'"),
        ("dask", "", "pip install 'posescope[cluster]'"),
        ("cv2", "", "pip install posescope"),
        ("umap", "explore", "pip install umap-learn"),
    ],
)
def test_command_names_the_extra_of_the_work_if_it_includes_the_package(module: str, extra: str, expected: str) -> None:
    assert install_command(module, extra) == expected


def test_missing_package_is_one_line() -> None:
    with pytest.raises(MissingPackageError) as caught, translate_missing("posescope run", "pipelines"):
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
    error = caught.value
    assert str(error) == (
        "posescope run needs the package scikit-learn, which is not installed. Install it: pip install 'posescope[pipelines]'"
    )
    assert (error.module, isinstance(error, OptionsError), type(error.__cause__)) == ("sklearn", True, ModuleNotFoundError)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.module) == (str(error), error.module)


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'my_nets'", name="my_nets"),
        ModuleNotFoundError("No module named 'torch.new'", name="torch.new"),
        ImportError("cannot import name 'x' from 'torch'", name="torch"),
        ValueError("torch"),
    ],
)
def test_other_errors_are_unchanged(error: Exception) -> None:
    assert find_missing_package(error, "this") is None
    with pytest.raises(type(error), match=re.escape(str(error))), translate_missing("this"):
        raise error


def test_public_name_without_its_package_names_the_extra() -> None:
    code = (
        "import sys, posescope\n"
        "sys.modules |= {'torch': None, 'pandas': None, 'kedro': None}\n"
        "for name in ('load_model', 'export_onnx', 'read_coco', 'PoseEstimator'):\n"
        "    try:\n"
        "        getattr(posescope, name)\n"
        "    except posescope.PosescopeError as error:\n"
        "        print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.findall(r"^(posescope\.\w+) needs .*'(.*)'$", done.stdout, re.MULTILINE) == [
        ("posescope.load_model", "posescope[train]"),
        ("posescope.export_onnx", "posescope[export]"),
        ("posescope.read_coco", "posescope[train]"),
    ]


def test_entry_points_without_their_packages_end_with_one_line() -> None:
    block = (
        "import sys; sys.argv[0] = 'posescope'\n"
        "class NoKedro:\n"
        "    def find_spec(self, name, *more):\n"
        "        if name == 'kedro':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, NoKedro())\n"
    )
    calls = {
        "posescope run": "from posescope.cli import cli; cli(['run'])",
        "python -m posescope": "import runpy; runpy.run_module('posescope', run_name='__main__')",
    }
    for name, code in calls.items():
        done = subprocess.run([sys.executable, "-c", block + code], capture_output=True, text=True, check=False)
        expected = (
            f"Error: {name} needs the package kedro, which is not installed. Install it: pip install 'posescope[pipelines]'"
        )
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{expected}\n")

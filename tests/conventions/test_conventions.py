"""The conventions of CONTRIBUTING.md, checked on the source code."""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "posescope"
FILES = sorted(SOURCE.rglob("*.py"))
NODES = [*sorted(SOURCE.glob("pipelines/*/nodes.py")), SOURCE / "pipelines" / "split_scoring_nodes.py"]
MOST_LINES = 350

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def places(path: Path, *kinds: type[ast.AST]) -> list[str]:
    """Return `file:line` of every node of these kinds."""
    return [f"{name_of(path)}:{item.lineno}" for item in ast.walk(tree_of(path)) if isinstance(item, kinds)]  # type: ignore[attr-defined]


def calls_of(path: Path, *names: str) -> list[str]:
    """Return `file:line` of every call of these names."""
    return [
        f"{name_of(path)}:{item.lineno}"
        for item in ast.walk(tree_of(path))
        if isinstance(item, ast.Call) and isinstance(item.func, ast.Name) and item.func.id in names
    ]


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    found: set[str] = set()
    for item in ast.walk(tree_of(path)):
        if isinstance(item, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in item.names}
        elif isinstance(item, ast.ImportFrom) and item.module:
            found.add(item.module.partition(".")[0])
    return found


def public_definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield public functions, classes and their public methods."""
    for item in body:
        if isinstance(item, Definition) and not item.name.startswith("_"):
            yield prefix + item.name, item
            if isinstance(item, ast.ClassDef):
                yield from public_definitions(item.body, f"{prefix}{item.name}.")


def test_source_files_are_found() -> None:
    assert len(FILES) > 50
    assert len(NODES) == 11


@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_nodes_have_no_loops_no_paths_and_open_nothing(path: Path) -> None:
    assert places(path, ast.For, ast.AsyncFor, ast.While) == []
    assert calls_of(path, "open", "Path", "PurePath", "PurePosixPath") == []
    assert imported(path).isdisjoint({"pathlib", "os", "shutil", "glob", "io", "tempfile", "kedro", "kedro_datasets"})


@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_nodes_keep_no_state(path: Path) -> None:
    assert places(path, ast.Global, ast.Nonlocal) == []


def test_nothing_is_asserted_in_the_source() -> None:
    assert [place for path in FILES for place in places(path, ast.Assert)] == []


def test_nothing_is_pickled() -> None:
    """Only training processes exchange an object, in memory."""
    forbidden = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal"}
    assert {name_of(path): imported(path) & forbidden for path in FILES if imported(path) & forbidden} == {
        "training/distributed/worker.py": {"pickle"}
    }


def test_modules_are_imported_by_name_in_known_places_only() -> None:
    """Names from files are never imported: `plugins` imports components, the others import fixed names."""
    loaders = {"import_module", "__import__", "load_obj", "load_object"}
    found = {
        name_of(path)
        for path in FILES
        for item in ast.walk(tree_of(path))
        if isinstance(item, ast.Name | ast.Attribute) and (item.id if isinstance(item, ast.Name) else item.attr) in loaders
    }
    assert found == {
        "__init__.py",
        "cli/__init__.py",
        "cli/run_command.py",
        "core/plugins.py",
        "training/acceleration.py",
        "datasets/stores.py",
        "datasets/records.py",
    }


def test_components_named_by_files_are_built_only_if_trusted() -> None:
    """`build` takes a `ComponentSpec`, made of parameters, of code or by `trust_component`; files give a `StoredComponent`."""
    made = {
        name_of(path)
        for path in FILES
        for item in ast.walk(tree_of(path))
        if isinstance(item, ast.Call)
        and isinstance(item.func, ast.Name)
        and item.func.id == "ComponentSpec"
        and not all(isinstance(keyword.value, ast.Constant) for keyword in item.keywords)
    }
    # From parameters; from --backend, --detector, --format, --set, --analysis and --device; a network with autoencoder, from
    # those of a trusted one.
    assert made == {
        "core/plugins.py",
        "data/crops/options.py",
        "cli/export.py",
        "cli/predict.py",
        "cli/serve.py",
        "prediction/backends/backend.py",
        "kedro_support/model_explanation.py",
        "artifacts/model_assembly.py",
        "evaluation/scoring_options.py",
    }
    parsed = [
        f"{name_of(path)}:{item.lineno}"
        for path in FILES
        for item in ast.walk(tree_of(path))
        if isinstance(item, ast.Attribute)
        and item.attr in ("model_validate", "model_validate_json", "model_construct", "parse_obj")
        and isinstance(item.value, ast.Name)
        and item.value.id == "ComponentSpec"
    ]
    assert parsed == []


def test_torch_load_reads_tensors_only() -> None:
    """`torch.load` unpickles; models and checkpoints are safetensors and JSON. Weights of others are read as tensors only."""
    found = {
        name_of(path): "weights_only=True" in ast.get_source_segment(path.read_text(), item, padded=False)
        for path in FILES
        for item in ast.walk(tree_of(path))
        if isinstance(item, ast.Call)
        and isinstance(item.func, ast.Attribute)
        and item.func.attr in ("load", "save")
        and isinstance(item.func.value, ast.Name)
        and item.func.value.id == "torch"
    }
    assert found == {"models/encoders/weights_files.py": True}


def test_only_the_command_line_prints() -> None:
    assert [place for path in FILES if not name_of(path).startswith("cli/") for place in calls_of(path, "print")] == []


def test_no_exception_is_swallowed() -> None:
    """No bare `except`, no `except Exception` without raise, no handler that only passes."""

    def always_raises(handler: ast.ExceptHandler) -> bool:
        return isinstance(handler.body[-1], ast.Raise) and not any(isinstance(item, ast.Return) for item in ast.walk(handler))

    found = [
        f"{name_of(path)}:{item.lineno}"
        for path in FILES
        for item in ast.walk(tree_of(path))
        if isinstance(item, ast.ExceptHandler)
        and (
            item.type is None
            or (isinstance(item.type, ast.Name) and item.type.id in ("Exception", "BaseException") and not always_raises(item))
            or all(isinstance(line, ast.Pass) for line in item.body)
        )
    ]
    # A worker sends the error to the process of the run, which raises it. The thread of the network gives it to the requests of
    # its batch, a thread that decodes to its request, and the server logs it and answers with status 500. An experiment logger
    # may raise anything, and is warned of.
    expected = [
        "core/worker_tasks.py",
        "kedro_support/tracking_hooks.py",
        "serving/batching.py",
        "serving/decoding_pool.py",
        "serving/request_guard.py",
        "tracking/guarded_logger.py",
        "training/epoch_loop.py",
    ]
    assert [place.partition(":")[0] for place in found] == expected


def test_files_are_short() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_every_file_has_a_docstring() -> None:
    assert [name_of(path) for path in FILES if not ast.get_docstring(tree_of(path))] == []


def test_everything_public_has_a_docstring() -> None:
    silent = [
        f"{name_of(path)}:{item.lineno} {name}"
        for path in FILES
        for name, item in public_definitions(tree_of(path).body)
        if not ast.get_docstring(item)
    ]
    # Documented by the method that they override; pandera's `Config` has switches only.
    exempt = ("forward", "invoke", "Config")
    assert [place for place in silent if place.rpartition(".")[2] not in exempt] == []


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "__main__.py"], ids=name_of)
def test_every_name_in_all_exists(path: Path) -> None:
    module_name = ".".join(("posescope", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    module = importlib.import_module(module_name)
    names = getattr(module, "__all__", [])
    assert [name for name in names if not hasattr(module, name)] == []
    assert len(set(names)) == len(names)


def test_public_definitions_are_in_all() -> None:
    """A module with public functions or classes lists them in `__all__`."""
    silent = [
        name_of(path) for path in FILES if list(public_definitions(tree_of(path).body)) and "__all__" not in path.read_text()
    ]
    assert silent == []


def test_no_module_assumes_seventeen_joints() -> None:
    """The number of joints comes from the data. Only COCO's skeleton contains 17."""
    # 17 is a height in px here, and the number of a surface.
    exempt = ("core/skeleton.py", "drawing/image_grids.py", "sample/solids.py")
    found = [
        f"{name_of(path)}:{item.lineno}"
        for path in FILES
        if name_of(path) not in exempt
        for item in ast.walk(tree_of(path))
        if isinstance(item, ast.Constant) and type(item.value) is int and item.value == 17
    ]
    assert found == []


def test_only_datasets_pipelines_kedro_support_and_cli_import_kedro() -> None:
    wiring = {"datasets", "pipelines", "kedro_support", "cli", "settings.py", "pipeline_registry.py", "__main__.py"}
    found = {
        name_of(path) for path in FILES
        if imported(path) & {"kedro", "kedro_datasets"} and path.relative_to(SOURCE).parts[0] not in wiring
    }  # fmt: skip
    assert found == set()


def test_relative_imports_are_not_used() -> None:
    found = [
        f"{name_of(path)}:{item.lineno}"
        for path in FILES
        for item in ast.walk(tree_of(path))
        if isinstance(item, ast.ImportFrom) and item.level
    ]
    assert found == []

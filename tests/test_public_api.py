"""The public API of the package: all names resolve, lazily, and editors see the same ones."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import posescope


def names_for_editors() -> set[str]:
    """The names that the TYPE_CHECKING block of the package imports."""
    tree = ast.parse(Path(posescope.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")
    return {alias.asname or alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}


@pytest.mark.parametrize("name", posescope.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(posescope, name) is not None
    assert name in dir(posescope)


def test_editors_see_the_public_names() -> None:
    assert names_for_editors() == set(posescope.__all__)
    assert Path(posescope.__file__).with_name("py.typed").is_file()


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = posescope.no_such_name


def test_estimator_is_imported_without_heavy_libraries() -> None:
    code = (
        "import sys, posescope; before = set(sys.modules); posescope.PoseEstimator\n"
        "print(sorted({'numpy', 'pydantic'} & before))\n"
        "print(sorted({'torch', 'kedro', 'pandas', 'scipy', 'sklearn', 'joblib', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]

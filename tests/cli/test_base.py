"""Tests of posescope.cli.base."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from posescope.cli.base import LocalPathType, PosescopeCommand
from posescope.core.dask_cluster import ClusterError, ClusterUnavailableError
from posescope.core.data_folder import FolderInUseError
from posescope.core.errors import DataError
from posescope.core.remote_lease import LeaseLostError
from posescope.core.storage_retries import ObjectStoreError, StoreUnavailableError
from posescope.training.distributed.worker import LostProcessError, MissingNodeError, TrainingProcessError


@click.command()
@click.option("--out", type=LocalPathType(file_okay=False))
def write(out: Path) -> None:
    click.echo(f"<{out}>")


def invoke(text: str, home: Path) -> Result:
    return CliRunner().invoke(write, [f"--out={text}"], env={"HOME": str(home)})


def test_home_folder_is_expanded(tmp_path: Path) -> None:
    assert invoke("~/poses", tmp_path).output == f"<{tmp_path}/poses>\n"
    assert invoke("~", tmp_path).output == f"<{tmp_path}>\n"


@pytest.mark.parametrize("text", ["", "s3://bucket/x", "file:///x", "~unknown_user/x"])
def test_invalid_path_is_a_usage_error(text: str, tmp_path: Path) -> None:
    result = invoke(text, tmp_path)
    assert result.exit_code == 2
    assert text in result.output


@pytest.mark.parametrize("name", ["a [b]", "run #2", "ü 日", "a=b", "50%", "$x", "*", "it's"])
def test_special_characters_of_names_are_kept(name: str, tmp_path: Path) -> None:
    assert invoke(f"{tmp_path}/{name}", tmp_path).output == f"<{tmp_path}/{name}>\n"


def test_existing_path_with_a_colon_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("a:b", tmp_path).exit_code == 2
    (tmp_path / "a:b").mkdir()
    assert invoke("a:b", tmp_path).output == "<a:b>\n"


MAY_PASS = (
    FolderInUseError, StoreUnavailableError, LeaseLostError, ClusterUnavailableError, LostProcessError, MissingNodeError,
)  # fmt: skip
STAY = (DataError, ObjectStoreError, ClusterError, TrainingProcessError)


@pytest.mark.parametrize(
    ("error", "code"), [(OSError(28, "x"), 1), *((kind("x"), 75) for kind in MAY_PASS), *((kind("x"), 1) for kind in STAY)]
)
def test_an_error_that_may_pass_has_an_exit_code_of_its_own(error: Exception, code: int) -> None:
    def fail() -> None:
        raise error

    result = CliRunner().invoke(PosescopeCommand("fail", callback=fail))
    assert (result.exit_code, result.output) == (code, "Error: x\n")

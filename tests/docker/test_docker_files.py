"""Tests of the Dockerfiles, the compose file and the script that builds the images. No image is built: that needs a builder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Group

from posescope.cli import cli

PROJECT = Path(__file__).resolve().parents[2]
DOCKER = PROJECT / "docker"
DOCKERFILES = ("Dockerfile", "Dockerfile.train")


def call(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, env=os.environ | environment
    )


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yml").read_text())
    return content


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_finds_nothing(name: str) -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program is not None, "hadolint is missing: make install"
    done = call(program, DOCKER / name)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("name", "signal"), [("Dockerfile", "SIGTERM"), ("Dockerfile.train", "SIGINT")])
def test_stop_signal_is_one_that_the_program_handles(name: str, signal: str) -> None:
    """The server handles SIGTERM; Python handles SIGINT for all commands, also in the first process of a container."""
    assert f"STOPSIGNAL {signal}" in (DOCKER / name).read_text().splitlines()


@pytest.mark.parametrize("name", DOCKERFILES)
def test_image_runs_as_another_user_and_copies_what_is_there(name: str) -> None:
    lines = (DOCKER / name).read_text().splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER 10001"]
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert copied
    allowed = (PROJECT / ".dockerignore").read_text().splitlines()
    for word in copied:
        assert (PROJECT / word).exists()
        assert f"!{word}" in allowed


def test_compose_file_follows_the_specification() -> None:
    done = call(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", DOCKER / "compose.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_services_have_an_image_and_listen_on_loopback(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"serve", "explore", "train"}
    for service in compose["services"].values():
        assert (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert service["cap_drop"] == ["ALL"]


def test_commands_of_the_services_are_those_of_the_command_line(compose: dict[str, Any]) -> None:
    assert isinstance(cli, Group)
    for service in compose["services"].values():
        command = cli.commands.get(service["command"][0]) or cli.get_command(None, service["command"][0])  # type: ignore[arg-type]
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in service["command"] if word.startswith("--")} <= known


def test_script_says_that_there_is_no_builder(tmp_path: Path) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    done = call(tmp_path / "bash", DOCKER / "build.sh", PATH=str(tmp_path))
    assert done.returncode == 69
    assert "docker, podman and buildah" in done.stderr


@pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
def test_script_builds_both_images_with_the_builder_that_works(tmp_path: Path, name: str) -> None:
    for program in ("bash", "dirname"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    (tmp_path / name).write_text(f'#!{tmp_path}/bash\n[ "$1" = info ] || echo "built: $*"\n')
    (tmp_path / name).chmod(0o755)
    done = call(tmp_path / "bash", DOCKER / "build.sh", "1.2", PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "built: build --file docker/Dockerfile --tag posescope-serve:1.2 .",
        "posescope-serve:1.2",
        "built: build --file docker/Dockerfile.train --tag posescope-train:1.2 .",
        "posescope-train:1.2",
    ]

"""Tests of the locks: hashes, versions and packages. `make check-locks` resolves them."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from posescope.core.extras import BASE, INCLUDED, MODULES, distribution_of

REPOSITORY = Path(__file__).resolve().parents[2]
LOCKS = sorted((REPOSITORY / "locks").glob("*.txt"))
# Packages that are installed before, from an index that is chosen.
OF_TORCH = re.compile(r"(torch|triton|cuda-.*|nvidia-.*)")


def versions_of(path: Path) -> Mapping[str, str]:
    return {
        name.lower().replace("_", "-"): version for name, version in re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", path.read_text())
    }


def extras_of(lock: Path) -> set[str]:
    names = {"inference": {BASE}, "all": set(MODULES)}.get(lock.stem, {BASE, lock.stem})
    while more := {other for name in names for other in INCLUDED.get(name, ())} - names:
        names |= more
    return names


def test_locks_are_those_of_the_makefile() -> None:
    (names,) = re.findall(r"(?m)^LOCKS := (.*)$", (REPOSITORY / "Makefile").read_text())
    assert [path.stem for path in LOCKS] == sorted(names.split())


@pytest.mark.parametrize("lock", LOCKS, ids=[path.stem for path in LOCKS])
def test_every_package_has_hashes(lock: Path) -> None:
    entries = re.split(r"\n(?! )", lock.read_text().strip())
    assert [
        entry for entry in entries if not re.fullmatch(r"\S+==\S+( ; .*?)? \\\n(    --hash=sha256:\w{64}( \\\n|$))+", entry)
    ] == []
    assert [name for name in versions_of(lock) if OF_TORCH.fullmatch(name)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=[path.stem for path in LOCKS])
def test_versions_are_those_of_the_environment(lock: Path) -> None:
    locked, installed = versions_of(lock), versions_of(REPOSITORY / "requirements.lock")
    assert {name: version for name, version in locked.items() if installed.get(name, version) != version} == {}


@pytest.mark.parametrize("lock", LOCKS, ids=[path.stem for path in LOCKS])
def test_lock_has_the_packages_of_its_extras(lock: Path) -> None:
    needed = {distribution_of(module) for extra in extras_of(lock) for module in MODULES[extra]} - {"torch"}
    assert needed <= set(versions_of(lock))

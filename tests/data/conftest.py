"""A data set in an object store."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from posescope.core.mirrors import open_mirror
from posescope.core.object_store import ObjectStore


@pytest.fixture
def stored(tiny_coco: Any, tmp_path: Path) -> tuple[ObjectStore, Path]:
    """The tiny data set in an object store: the store, and the mirror, in which nothing is fetched."""
    store = ObjectStore(f"memory://{uuid.uuid4().hex}/raw")
    for path in tiny_coco.root.rglob("*.*"):
        store.upload(path, path.relative_to(tiny_coco.root).as_posix())
    return store, open_mirror(store.address, tmp_path / "cache").root

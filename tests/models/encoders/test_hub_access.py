"""Tests of weights of transformers in several files, from a local folder without a network, and from a hub on loopback."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from posescope.core.errors import DataError
from posescope.core.plugins import ComponentSpec, build

transformers = pytest.importorskip("transformers")

RESNET = {"embedding_size": 8, "hidden_sizes": [8, 12, 16, 20], "depths": [1] * 4, "layer_type": "basic"}
VITPOSE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}
CROP, JOINTS = (64, 48), 5
INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return folders of a classifier and of a ViTPose with several files of weights; `whole`: the classifier with one file."""
    torch.manual_seed(1)
    root = tmp_path_factory.mktemp("tiny")
    config = transformers.AutoConfig.for_model("resnet", **RESNET)
    backbone = transformers.VitPoseBackboneConfig(image_size=list(CROP), out_indices=[2], **VITPOSE)
    models = {
        "resnet": transformers.AutoModelForImageClassification.from_config(config),
        "vitpose": transformers.VitPoseForPoseEstimation(transformers.VitPoseConfig(backbone_config=backbone, num_labels=JOINTS)),
    }
    for name, model in models.items():
        model.save_pretrained(root / name, max_shard_size="10KB")
    models["resnet"].save_pretrained(root / "whole")
    return {name: root / name for name in (*models, "whole")}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Refuse every connection and every look-up of a name; return those that were tried."""
    tried: list[Any] = []

    def refuse(*arguments: Any, **_named: Any) -> None:
        tried.append(arguments)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried


def encoder_of(**options: Any) -> Any:
    return build("encoders", ComponentSpec(name="transformers", options=options))


def vitpose_of(**options: Any) -> Any:
    return build("models", ComponentSpec(name="vitpose", options=options), crop_size=CROP, joint_count=JOINTS)


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    files = sorted(folder.glob("model-*.safetensors"))
    assert len(files) > 1
    assert not (folder / "model.safetensors").exists()
    return {name: value for file in files for name, value in load_file(file).items()}


def test_encoder_of_several_files_without_a_network(folders: dict[str, Path], no_network: list[Any]) -> None:
    encoder = encoder_of(folder=folders["resnet"])
    origin = encoder.load_initial_weights()
    expected = {name.removeprefix("resnet."): value for name, value in tensors_of(folders["resnet"]).items()}
    assert all(torch.equal(value, expected[name]) for name, value in encoder.backbone.state_dict().items())
    assert (origin["name"], len(origin["sha256_of_tensors"])) == (folders["resnet"].as_posix(), 64)
    assert no_network == []


def test_vitpose_of_several_files_without_a_network(folders: dict[str, Path], no_network: list[Any]) -> None:
    network = vitpose_of(folder=folders["vitpose"])
    origin = network.load_initial_weights()
    found = network.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in tensors_of(folders["vitpose"]).items())
    assert (origin["name"], len(origin["sha256_of_tensors"])) == (str(folders["vitpose"]), 64)
    assert no_network == []


def test_a_missing_file_of_several_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    for file in folders["vitpose"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    last = max(tmp_path.glob("model-*.safetensors"))
    last.unlink()
    with pytest.raises(DataError, match=re.escape(last.name)):
        vitpose_of(folder=tmp_path).load_initial_weights()


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"a": 1}}', '{"weight_map": {"a": "a.bin"}}']
    + [json.dumps({"weight_map": {"a": name}}) for name in ("../a.safetensors", "/a.safetensors", "b/a.safetensors", "")],
)
def test_an_index_of_other_files_is_refused(folders: dict[str, Path], tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_bytes((folders["vitpose"] / "config.json").read_bytes())
    (tmp_path / INDEX).write_text(content)
    with pytest.raises(DataError, match=re.escape(INDEX)):
        vitpose_of(folder=tmp_path).load_initial_weights()


@pytest.mark.parametrize("make", [encoder_of, vitpose_of])
def test_a_hub_id_without_a_network_is_one_line(
    make: Any, no_network: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r"tiny/absent.*`folder`") as error:
        make(hub_id="tiny/absent")
    assert "\n" not in str(error.value)
    assert no_network == []


class _Hub(BaseHTTPRequestHandler):
    """The two requests by which a file of a hub is found and read: /tiny/<folder>/resolve/main/<name>."""

    folders: dict[str, Path]

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def _answer(self, with_content: bool) -> None:
        parts = self.path.partition("?")[0].split("/")
        file = self.folders[parts[2]] / parts[-1] if parts[1] == "tiny" and parts[3] == "resolve" else None
        content = file.read_bytes() if file and file.is_file() else None
        self.send_response(404 if content is None else 200)
        self.send_header("X-Repo-Commit", "0" * 40)
        if content is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            self.send_header("ETag", f'"{parts[-1]}"')
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if content and with_content:
            self.wfile.write(content)

    def log_message(self, *_args: Any) -> None:
        """Print nothing."""


@pytest.fixture
def endpoint(folders: dict[str, Path]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (_Hub,), {"folders": folders}))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


SCRIPT = """
import json
from posescope.core.plugins import ComponentSpec, build

vitpose = ComponentSpec(name="vitpose", options={"hub_id": "tiny/vitpose"})
encoder = ComponentSpec(name="transformers", options={"hub_id": "tiny/whole"})
networks = build("models", vitpose, crop_size=(64, 48), joint_count=5), build("encoders", encoder)
print(json.dumps([network.load_initial_weights() for network in networks]))
"""


@pytest.mark.slow
def test_a_hub_is_read_once_and_then_from_its_cache(folders: dict[str, Path], endpoint: str, tmp_path: Path) -> None:
    expected = [vitpose_of(folder=folders["vitpose"]), encoder_of(folder=folders["whole"])]
    checksums = [network.load_initial_weights()["sha256_of_tensors"] for network in expected]
    for offline in ("0", "1"):
        names = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": offline, "HF_HUB_DISABLE_XET": "1"}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env={**os.environ, **names}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        origins = json.loads(done.stdout.splitlines()[-1])
        assert [origin["name"] for origin in origins] == ["tiny/vitpose", "tiny/whole"]
        assert [origin["sha256_of_tensors"] for origin in origins] == checksums

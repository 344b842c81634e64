from dataclasses import replace

import numpy as np
import pytest
import torch

from posescope.core.plugins import ComponentSpec, build
from posescope.explainability.components.pca import Components
from posescope.explainability.features.activation_patching import constant_patch
from posescope.explainability.features.activations import mean_colour_image, read_activations
from posescope.explainability.traversal.traversal_steps import decode_features, traversal_points


def test_traversal_points_equal_the_hand_computed_ones() -> None:
    components = Components(mean=np.array([1.0, 1.0]), axes=np.eye(2), variances=np.array([4.0, 0.25]), layer="t", shape=(2,))
    # Steps of -1 and 2 deviations: 2 and 0.5 along the two axes.
    points = traversal_points(components, 2, np.array([-1.0, 2.0]))
    np.testing.assert_array_equal(points, [[-1, 1], [5, 1], [1, 0.5], [1, 2]])


def test_decoded_joint_is_in_the_quarter_of_the_feature(model) -> None:
    points = np.zeros((2, 3, 2, 2))
    points[0, 0, 1, 0] = 1.0  # red, lower left quarter: rows 4..7, columns 0..3
    points[1, 2, 0, 1] = 1.0  # blue, upper right
    settings = {"model": model, "layer": "bottleneck", "shape": (3, 2, 2), "image": mean_colour_image(model)}
    found = decode_features(points.reshape(2, 12), **settings, interventions={}, batch_size=1)
    joints_only = decode_features(points.reshape(2, 12), **settings, interventions={}, batch_size=2, keep_heatmaps=False)
    np.testing.assert_array_equal(joints_only.joints, found.joints)
    assert joints_only.heatmaps.shape == (0, 2, 8, 8)
    assert found.heatmaps.shape == (2, 2, 8, 8)
    assert found.scores[0].tolist() == [16.0, 0.0]
    assert (found.heatmaps[0, 0, 4:, :4] == 16).all()
    assert found.heatmaps[0, 0].sum() == 16 * 16
    assert found.joints[1, 1].tolist() == [(4 + 0.5) * 4 - 0.5, 1.5]  # the first of equal heatmap px: column 4, row 0


@pytest.mark.parametrize("component", ["hourglass", "hourglass_autoencoder"])
def test_paused_network_decodes_like_whole_passes(component, model) -> None:
    torch.manual_seed(0)
    spec = ComponentSpec(name=component, options={"channels": 8, "depth": 2, "bottleneck_residuals": 1, "stacks": 2})
    network = build("models", spec, crop_size=(32, 32), joint_count=2)
    stacked = replace(model, network=network)
    interventions = {**dict.fromkeys(network.skip_layers[:1], torch.zeros_like), "stack2.up2": torch.neg}
    image = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8)
    names = list(network.short_names)
    for layer in names[names.index(network.bottleneck_layer) : -1]:
        shape = tuple(read_activations(stacked, image, [layer])[layer].shape[1:])
        points = np.random.default_rng(0).normal(size=(5, int(np.prod(shape))))
        settings = {"model": stacked, "layer": layer, "shape": shape, "image": image, "interventions": interventions}
        paused = decode_features(points, **settings, batch_size=2)
        values = torch.from_numpy(points.astype(np.float32)).reshape(5, *shape)
        whole = stacked.heatmaps(image.expand(5, *image.shape[1:]), {**interventions, layer: constant_patch(values)})
        np.testing.assert_allclose(paused.heatmaps, whole.numpy(), rtol=1e-4, atol=1e-5, err_msg=layer)

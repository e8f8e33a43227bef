"""Explanations of networks of any layout and of one image size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deepdream.explaining import ExplainConfig, explain, grad_cam
from deepdream.explaining.config import METHODS
from deepdream.models import Network
from tests.architectures import FULL_SIZE, SMALL, hooks, network
from tests.explaining.networks import scene
from tests.slow import slow_but

QUICK = ExplainConfig.preset(
    lime_samples=12,
    kernel_shap_samples=12,
    smoothgrad_samples=2,
    gradient_shap_samples=2,
    score_cam_share=0.02,
    integrated_gradients_steps=2,
    completeness=1e9,
    occlusion_window=0.5,
    occlusion_stride=0.5,
    superpixels=6,
)


def methods_for(made: Network) -> list[str]:
    """All; without guided backpropagation, which is one of ReLUs, where the network has none."""
    has_relu = any(isinstance(module, nn.ReLU) for module in made.model.modules())
    return [name for name in METHODS if has_relu or name != "guided_gradcam"]


@pytest.mark.parametrize("size", slow_but([48], [32, 48]))
@pytest.mark.parametrize("name", SMALL)
def test_every_method_explains_every_layout_at_any_size(name: str, size: int) -> None:
    made = network(SMALL[name])
    for found in explain(made, scene(size)[:, :40], methods_for(made), config=QUICK):
        assert found.heatmap.shape == found.attribution.shape == (min(size, 40), size)
        assert found.heatmap.isfinite().all()
        assert found.method not in ("gradcam", "saliency") or found.attribution.std() > 0
    assert hooks(made.model) == 0


def test_grad_cam_of_tokens_equals_the_grad_cam_package() -> None:
    """With its reshape_transform, at the layer that its documentation recommends."""
    package = pytest.importorskip("pytorch_grad_cam")
    made, image = network(SMALL["small_vit"]), scene(32)
    layer = "encoder.layers.encoder_layer_2.ln_1"

    def to_map(tokens: torch.Tensor) -> torch.Tensor:
        return tokens[:, 1:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2)

    with package.GradCAM(made.model, [made.model.get_submodule(layer)], reshape_transform=to_map) as theirs:
        expected = theirs(made.model_input(image), [package.utils.model_targets.ClassifierOutputTarget(2)])[0]
    found = grad_cam(made, image, 2, layer=layer)
    assert found.std() > 0.01
    correlation = torch.corrcoef(torch.stack([found.flatten(), torch.from_numpy(expected).flatten()]))[0, 1]
    assert correlation > 0.97  # it enlarges the map with another interpolation


def test_grad_cam_of_a_vit_reads_a_layer_on_which_the_class_token_still_depends() -> None:
    made = network(SMALL["small_vit"])
    assert torch.equal(
        grad_cam(made, scene(32), 1), grad_cam(made, scene(32), 1, layer="encoder.layers.encoder_layer_1")
    )
    assert not grad_cam(made, scene(32), 1, layer="encoder.layers.encoder_layer_2").any()


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL_SIZE)
def test_every_method_explains_the_networks_that_people_use(name: str) -> None:
    make, side, _ = FULL_SIZE[name]
    made = network(make, side)
    for found in explain(made, scene(128), methods_for(made), config=QUICK):
        assert found.attribution.isfinite().all()
    assert hooks(made.model) == 0

"""Layers of any layout, found by their shapes alone."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torchvision
from torch import Tensor, nn

from deepdream.models import Network
from deepdream.models.layers import NCHW, NHWC, TOKENS, layer_at
from deepdream.models.probing import InputSizes
from deepdream.models.taps import Taps
from tests.architectures import FULL_SIZE, SMALL, hooks, network

# name -> (layer, channels, stride, layout, extra tokens), and the only size of image
KNOWN = {
    "small_vit": (
        32,
        ("conv_proj", 16, 8, NCHW, 0),
        ("encoder.layers.encoder_layer_1", 16, 8, TOKENS, 1),
        ("encoder.layers.encoder_layer_1.mlp.0", 32, 8, TOKENS, 1),
    ),
    "small_timm_vit": (32, ("patch_embed", 16, 8, TOKENS, 0), ("blocks.1.mlp.fc1", 64, 8, TOKENS, 4)),
    "small_dynamic_vit": (None, ("patch_embed", 16, 8, NHWC, 0), ("blocks.2", 16, 8, TOKENS, 4)),
    "small_swin": (
        None,
        ("features.0.0", 12, 4, NCHW, 0),
        ("features.1", 12, 4, NHWC, 0),
        ("features.3.1.mlp.0", 96, 8, NHWC, 0),
        ("permute", 24, 8, NCHW, 0),
    ),
    "small_convnext": (
        None,
        ("features.1.0.block.0", 12, 4, NCHW, 0),
        ("features.1.0.block.3", 48, 4, NHWC, 0),
        ("features.3", 24, 8, NCHW, 0),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_channels_strides_and_layouts_are_found(name: str) -> None:
    found = network(SMALL[name])
    only_size, *rows = KNOWN[name]
    layers = {layer.name: layer for layer in found.layers()}
    assert found.input_sizes.only == only_size
    for row in rows:
        layer = layers[row[0]]
        assert (layer.name, layer.channels, layer.stride, layer.layout, layer.extra_tokens) == row
    assert hooks(found.model) == 0


@pytest.mark.parametrize("name", KNOWN)
def test_a_position_of_a_map_is_where_the_image_was_changed(name: str) -> None:
    """Independent of shapes: with the patches' own layers tapped, a change of one square changes one corner."""
    made = network(SMALL[name])
    first = next(layer for layer in made.layers() if layer.stride > 1)
    size = (32, 32) if made.input_sizes.only else (32, 64)
    image = torch.rand(1, 3, *size)
    changed = image.clone()
    changed[..., :8, -8:] += 1
    with torch.no_grad(), Taps(made.model, [first]) as taps:
        difference = (taps.run(changed)[first.name] - taps.run(image)[first.name]).abs().sum(dim=1)[0]
    share = 8 // first.stride
    assert difference.shape == (size[0] // first.stride, size[1] // first.stride)
    assert difference[:share, -share:].min() > 0
    assert difference.sum() == pytest.approx(float(difference[:share, -share:].sum()))


class Mixing(nn.Module):
    """Tokens whose number does not follow the image, and matrices of attention between tokens: neither is a map."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.pool = nn.Conv2d(3, 8, 8, stride=8), nn.AdaptiveAvgPool2d(4)
        self.latents, self.attention, self.queries = nn.Identity(), nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        maps = self.patches(x)
        tokens = maps.flatten(2).transpose(1, 2)  # (N, T, 8)
        self.latents(self.pool(maps).flatten(2).transpose(1, 2))
        heads = self.queries(tokens.unflatten(2, (2, 4)).transpose(1, 2))  # (N, 2, T, 4)
        return self.attention(heads @ heads.transpose(2, 3)).mean(dim=(2, 3))  # (N, 2, T, T)


def test_what_does_not_follow_the_image_is_no_map() -> None:
    assert [(layer.name, layer.stride) for layer in network(Mixing).layers()] == [("patches", 8), ("pool", 0)]


def test_tokens_are_laid_out_by_the_proportions_of_the_image() -> None:
    layer = next(layer for layer in network(SMALL["small_dynamic_vit"]).layers() if layer.name == "blocks.2")
    tokens = torch.arange(4 + 3 * 8.0).view(1, -1, 1)  # 4 class and register tokens, then 3 rows of 8 patches
    assert torch.equal(layer.as_map(tokens, (24, 64)), 4 + torch.arange(24.0).view(1, 1, 3, 8))


def test_gradients_of_logits_are_maps_too() -> None:
    made, x = network(SMALL["small_vit"]), torch.rand(1, 3, 32, 32)
    (layer,) = (layer for layer in made.layers() if layer.name == "encoder.layers.encoder_layer_0")
    with Taps(made.model, [layer], logits=True) as taps:
        found = taps.gradients(taps.run(x)["logits"][0, 1])[layer.name]
    kept: list[Tensor] = []
    handle = made.model.get_submodule(layer.name).register_forward_hook(lambda m, i, output: kept.append(output))
    logit = made.model(x)[0, 1]
    handle.remove()
    (expected,) = torch.autograd.grad(logit, kept[0])  # (1, 1 + 4 * 4, 16)
    assert torch.allclose(found[0, :, 2, 3], expected[0, 1 + 2 * 4 + 3])
    assert found.any()


def test_an_image_of_another_size_is_resized_for_a_network_of_one() -> None:
    made, images = network(SMALL["small_vit"]), torch.rand(2, 3, 48, 40)
    assert made.model_input(images).shape == (2, 3, 32, 32)
    assert made.predict(images).shape == (2, 4)
    assert network(SMALL["small_convnext"]).model_input(images[..., 1:]).shape == (2, 3, 48, 39)
    assert InputSizes(only=32).fitted(images.half()).dtype == torch.float16
    in_patches = network(SMALL["small_dynamic_vit"])  # which asserts that its patches of 8 pixels divide the image
    assert in_patches.input_sizes == InputSizes(multiple=8)
    assert in_patches.model_input(torch.rand(3, 41, 48)).shape == (1, 3, 48, 48)
    assert in_patches.predict(torch.rand(3, 41, 50)).shape == (4,)


def test_a_small_image_is_enlarged_for_a_network_that_refuses_it() -> None:
    unpadded = nn.Sequential(nn.Conv2d(3, 3, 15), nn.Conv2d(3, 4, 7, 4), nn.Conv2d(4, 4, 7, 2))
    model = nn.Sequential(unpadded, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    made = Network(model, list("abcd"), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 96, "mine")
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        model(torch.zeros(1, 3, 32, 32))
    assert made.input_sizes == InputSizes(least=48)
    assert made.input_sizes.fitted(torch.zeros(1, 3, 20, 90)).shape[2:] == (48, 90)
    assert made.input_sizes.fitted(torch.zeros(1, 3, 50, 90)).shape[2:] == (50, 90)


def test_a_depth_is_the_block_that_ends_there() -> None:
    layers = network(torchvision.models.resnet18, 64).layers()
    assert [layer_at(depth, layers).name for depth in (0.25, 0.5, 0.75, 1.0)] == [
        "layer1",
        "layer2",
        "layer3",
        "layer4",
    ]
    blocks = network(SMALL["small_vit"]).layers()
    assert layer_at(0.7, blocks).name == "encoder.layers.encoder_layer_1"
    assert layer_at(1.0, blocks).name == "encoder.layers.encoder_layer_2"  # not the normalisation behind it


@pytest.mark.medium
def test_vgg_has_the_names_of_the_papers() -> None:
    """As pytorch-deepdream counts them: features.3, 8, 15 and 22."""
    names = {layer.alias: layer.name for layer in network(torchvision.models.vgg16, 224).layers()}
    assert [names[f"relu{i}"] for i in ("1_2", "2_2", "3_3", "4_3", "5_1")] == [
        "features.3", "features.8", "features.15", "features.22", "features.25",
    ]  # fmt: skip


def note(numbers: list[int], module: nn.Module, inputs: object, output: Tensor) -> None:
    numbers.append(output.numel())


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL_SIZE)
def test_known_modules_have_their_channels_and_strides(name: str) -> None:
    """Cross-checked with the shapes that hooks of PyTorch's own see."""
    make, side, known = FULL_SIZE[name]
    made = network(make, side)
    layers = {layer.name: layer for layer in made.layers()}
    for module, (channels, stride) in known.items():
        layer = layers[module]
        assert (layer.channels, layer.stride) == (channels, stride)
        numbers: list[int] = []
        handle = made.model.get_submodule(module).register_forward_hook(partial(note, numbers))
        with torch.no_grad(), Taps(made.model, [layer], logits=True) as taps:
            _, c, height, width = taps.run(torch.zeros(1, 3, side, side))[module].shape
        handle.remove()
        assert c == channels
        assert c * height * width <= numbers[-1] <= c * (height * width + 16)
        assert abs(height - side / stride) <= 3
    assert hooks(made.model) == 0

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from deepdream.models.layers import Layer
from deepdream.models.probing import probe
from deepdream.models.replacing import output_and_logits, passes_all, run_replaced


def layer_of(model: nn.Module, name: str) -> Layer:
    return next(layer for layer in probe(model, 64).layers if layer.name == name)


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.resnet18().eval()


@pytest.mark.parametrize(
    ("name", "passed"), [("layer3", True), ("layer4.1", True), ("layer3.1.conv1", False), ("conv1", True)]
)
def test_a_shortcut_is_a_way_around_its_convolutions_but_not_around_its_block(
    resnet: nn.Module, name: str, passed: bool
) -> None:
    images = torch.rand(3, 3, 64, 64)
    layer = layer_of(resnet, name)
    output, logits = output_and_logits(resnet, layer, images)
    assert passes_all(resnet, layer, images, output, logits) == passed
    assert passes_all(resnet, layer, images[:1], output[:1], logits[:1]) == passed


def test_a_branch_of_a_concatenation_is_passed_by_some() -> None:
    torch.manual_seed(0)
    model = torchvision.models.squeezenet1_1().eval()
    images = torch.rand(2, 3, 64, 64)
    for name, passed in (("features.9", True), ("features.9.expand1x1", False)):
        layer = layer_of(model, name)
        assert passes_all(model, layer, images, *output_and_logits(model, layer, images)) == passed


@torch.no_grad()
def test_the_part_behind_a_layer_gives_the_logits_of_the_whole_network(resnet: nn.Module) -> None:
    images = torch.rand(3, 3, 64, 64)
    layer = layer_of(resnet, "layer2")
    output, logits = output_and_logits(resnet, layer, images)
    torch.testing.assert_close(run_replaced(resnet, layer, output, torch.zeros(1, 3, 64, 64)), logits)
    handle = resnet.layer2.register_forward_hook(lambda module, inputs, own: own * 0.5)
    halved = resnet(images)
    handle.remove()
    torch.testing.assert_close(run_replaced(resnet, layer, output * 0.5, images), halved)
    torch.testing.assert_close(resnet(images), logits)  # no hook is left

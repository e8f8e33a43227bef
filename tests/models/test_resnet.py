import pytest
import torch
import torchvision
from torch import nn

from deepdream.models import DEPTHS, ResNet
from deepdream.models.resnet import BasicBlock, Bottleneck


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_logits_are_torchvisions_to_the_bit_under_its_weights(depth: int) -> None:
    torch.manual_seed(depth)
    theirs = getattr(torchvision.models, f"resnet{depth}")(num_classes=67)
    for module in theirs.modules():  # statistics that tell the normalisations apart
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    ours = ResNet(depth)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(2, 3, 80, 64)
    with torch.inference_mode():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))


@pytest.mark.parametrize("depth", sorted(DEPTHS))
def test_depth_counts_the_weighted_layers(depth: int) -> None:
    with torch.device("meta"):
        model = ResNet(depth)
    weighted = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear) and "downsample" not in n]
    assert len(weighted) == depth


def test_gradients_are_torchvisions_in_training() -> None:
    torch.manual_seed(0)
    theirs, ours = torchvision.models.resnet18(num_classes=5), ResNet(18, 5)
    ours.load_state_dict(theirs.state_dict())
    images, labels = torch.randn(4, 3, 64, 64), torch.tensor([0, 1, 2, 3])
    for model in (theirs, ours):
        nn.functional.cross_entropy(model(images), labels).backward()
    for (name, a), b in zip(theirs.named_parameters(), ours.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-6), name


def test_blocks_in_place_of_depth() -> None:
    assert [len(stage) for stage in _stages(ResNet(18, blocks=[1, 2, 3, 1]))] == [1, 2, 3, 1]
    assert isinstance(ResNet(18, blocks=[1, 1, 1, 1]).layer1[0], BasicBlock)
    assert isinstance(ResNet(50, blocks=[1, 1, 1, 1]).layer1[0], Bottleneck)
    assert isinstance(ResNet(50, blocks=[1, 1, 1, 1], block="basic").layer1[0], BasicBlock)


def test_each_activation_is_a_module_of_its_own() -> None:
    model = ResNet(26, 10).eval()
    calls: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
    model(torch.randn(1, 3, 64, 64))
    assert len(calls) == len(set(calls)) == 1 + 3 * 8


def test_zero_init_residual_starts_each_block_as_the_identity() -> None:
    block = ResNet(50, 10, zero_init_residual=True).layer1[1]
    x = torch.rand(2, 256, 8, 8)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 19}, "known depths are 10, 14, 18"),
        ({"blocks": [3, 4, 6]}, "four numbers"),
        ({"blocks": [3, 4, 0, 3]}, "four numbers"),
        ({"block": "wide"}, "basic, bottleneck"),
    ],
)
def test_impossible_architectures_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNet(**arguments)


def _stages(model: ResNet) -> list[nn.Sequential]:
    return [model.layer1, model.layer2, model.layer3, model.layer4]

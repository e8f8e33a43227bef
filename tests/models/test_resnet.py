from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from deepdream.models import DEPTHS, ResNet
from deepdream.models.blocks import BasicBlock, Bottleneck
from tests.slow import slow_but

VARIANTS = [
    {"stem": "deep"},
    {"blur": True},
    {"stem": "deep", "blur": True, "stochastic_depth": 0.3, "dropout": 0.2},
    {"width": 0.5},
    {"head": "wise", "head_size": 2},
]


@pytest.mark.parametrize("depth", slow_but([18, 50], [18, 34, 50, 101, 152]))
def test_logits_are_bit_equal_to_torchvisions_with_its_weights(depth: int) -> None:
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


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_the_classic_variant_has_torchvisions_names(depth: int) -> None:
    with torch.device("meta"):
        theirs, ours = getattr(torchvision.models, f"resnet{depth}")(), ResNet(depth, 1000)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_parts_shared_with_torchvision_have_its_names_and_shapes(depth: int, variant: dict[str, Any]) -> None:
    with torch.device("meta"):
        theirs, ours = getattr(torchvision.models, f"resnet{depth}")(), ResNet(depth, 1000, **variant)
    shapes = {key: value.shape for key, value in ours.state_dict().items()}
    others = {"conv1.weight"} if variant.get("stem") == "deep" else set()
    shared = {key: value.shape for key, value in theirs.state_dict().items()}
    for key, shape in shared.items():
        if key not in others and "width" not in variant:
            assert shapes[key] == shape, key
        assert key in shapes or key in others
    assert all(key in shared or key.startswith(("conv1.", "spatial.")) for key in shapes)


@pytest.mark.parametrize("size", slow_but([(33, 80)], [(64, 64), (97, 64), (33, 80)]))
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_variant_has_logits_and_gradients_at_any_size(size: tuple[int, int], variant: dict[str, Any]) -> None:
    model = ResNet(14, 5, **variant)
    logits = model(torch.randn(3, 3, *size))
    logits.square().sum().backward()
    assert logits.shape == (3, 5)
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


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


def test_blocks_go_before_the_depth() -> None:
    assert [len(stage) for stage in _stages(ResNet(18, blocks=[1, 2, 3, 1]))] == [1, 2, 3, 1]
    assert isinstance(ResNet(18, blocks=[1, 1, 1, 1]).layer1[0], BasicBlock)
    assert isinstance(ResNet(50, blocks=[1, 1, 1, 1]).layer1[0], Bottleneck)
    assert isinstance(ResNet(50, blocks=[1, 1, 1, 1], block="basic").layer1[0], BasicBlock)


@pytest.mark.parametrize("variant", [{}, *VARIANTS], ids=str)
def test_each_activation_is_a_module_of_its_own(variant: dict[str, Any]) -> None:
    model = ResNet(26, 10, **variant).eval()
    calls: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
    model(torch.randn(1, 3, 64, 64))
    in_stem = 3 if variant.get("stem") == "deep" else 1
    assert len(calls) == len(set(calls)) == in_stem + 3 * 8


def test_zero_init_residual_starts_each_block_as_the_identity() -> None:
    block = ResNet(50, 10, zero_init_residual=True).layer1[1]
    x = torch.rand(2, 256, 8, 8)
    assert torch.equal(block(x), x)


def test_zero_init_residual_makes_a_residual_network_of_shortcuts_whatever_its_variant() -> None:
    model = ResNet(18, 10, zero_init_residual=True, stem="deep", blur=True)
    x = torch.rand(2, 64, 8, 8)
    block = model.layer2[0]
    assert torch.allclose(block(x), block.downsample(x).relu())


def test_the_deep_stem_averages_in_its_shortcuts_and_keeps_odd_borders() -> None:
    shortcut = ResNet(18, 10, stem="deep").layer2[0].downsample
    x = torch.arange(25.0).view(1, 1, 5, 5).expand(1, 64, 5, 5)
    expected = torch.tensor([[3.0, 5.0, 6.5], [13.0, 15.0, 16.5], [20.5, 22.5, 24.0]])
    assert torch.equal(shortcut.pool(x)[0, 0], expected)
    assert shortcut[1].stride == (1, 1)


def test_width_multiplies_the_channels_and_rounds_to_eight() -> None:
    model = ResNet(50, 10, width=0.7)
    assert [model.conv1.out_channels, model.layer1[0].conv2.out_channels, model.fc.in_features] == [48, 48, 4 * 360]
    assert all(module.out_channels % 8 == 0 for module in model.modules() if isinstance(module, nn.Conv2d))


def test_stochastic_depth_rises_linearly_and_is_off_in_eval_mode() -> None:
    model = ResNet(18, 10, stochastic_depth=0.4)
    drops = [block.drop.p for stage in _stages(model) for block in stage]
    assert drops == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4])
    plain = ResNet(18, 10)
    plain.load_state_dict(model.state_dict())
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(model.eval()(x), plain.eval()(x))


def test_a_dropped_block_is_its_shortcut_for_a_seeded_fraction_of_the_images() -> None:
    block = BasicBlock(8, 8, drop=0.25).train()
    x = torch.rand(400, 8, 2, 2)

    def dropped() -> torch.Tensor:
        torch.manual_seed(3)
        return (block(x) == x).all(dim=(1, 2, 3))

    first = dropped()
    assert 0.18 < first.float().mean() < 0.32
    assert torch.equal(first, dropped())


def test_dropout_hides_features_in_training_only() -> None:
    model = ResNet(10, 3, dropout=0.5)
    pairs = []
    model.dropout.register_forward_hook(lambda _, inputs, output: pairs.append((inputs[0], output)))
    x = torch.randn(8, 3, 64, 64)
    model.train()(x)
    model.eval()(x)
    (features, dropped), (whole, same) = pairs
    assert 0.4 < (dropped[features > 0] == 0).float().mean() < 0.6
    assert torch.equal(whole, same)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 19}, "must be one of 10, 14, 18"),
        ({"blocks": [3, 4, 6]}, "four numbers"),
        ({"blocks": [3, 4, 0, 3]}, "four numbers"),
        ({"block": "wide"}, "basic, bottleneck"),
        ({"stem": "wide"}, "classic, deep"),
        ({"width": 0}, "model.width is 0"),
        ({"head": "wise"}, "model.head_size is missing"),
    ],
)
def test_impossible_architectures_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNet(**arguments)


def _stages(model: ResNet) -> list[nn.Sequential]:
    return [model.layer1, model.layer2, model.layer3, model.layer4]

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock as TorchvisionBasicBlock
from torchvision.models.resnet import Bottleneck
from torchvision.models.resnet import ResNet as TorchvisionResNet

from deepdream.acceleration import frozen as frozen_module
from deepdream.acceleration import fused as fused_module
from deepdream.acceleration.frozen import accelerated_copy
from deepdream.acceleration.fused import FusedBlocks, can_fuse, fuse_residual_blocks
from deepdream.models import ResNet
from tests.acceleration.test_frozen import read, with_statistics
from tests.slow import slow_but

CPU = torch.device("cpu")

pytestmark = pytest.mark.skipif(not can_fuse(torch.float32, CPU), reason="this PyTorch has no fused convolutions")


def fused_names(model: nn.Module) -> set[str]:
    """The modules with a fused forward pass."""
    return {name for name, module in model.named_modules() if isinstance(vars(module).get("forward"), FusedBlocks)}


def tap_and_gradient(model: nn.Module, name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """The output of the module called `name` for `x`, and the gradient of its mean square, both in float64."""
    seen: list[Tensor] = []
    handle = model.get_submodule(name).register_forward_hook(lambda module, inputs, output: seen.append(output))
    x = x.clone().requires_grad_()
    model(x)
    handle.remove()
    (gradient,) = torch.autograd.grad(seen[0].double().square().mean(), x)
    return seen[0].detach().double(), gradient.double()


def error(found: Tensor, expected: Tensor) -> float:
    """The norm of the difference, relative to that of the expected value."""
    return float((found.double() - expected).norm() / expected.norm())


def image(height: int = 65, width: int = 54) -> Tensor:
    return torch.randn(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


NETWORKS = {
    "torchvision's basic": lambda: TorchvisionResNet(TorchvisionBasicBlock, [1, 2, 1, 1]),
    "torchvision's bottleneck": lambda: TorchvisionResNet(Bottleneck, [2, 1, 1, 1]),
    "torchvision's groups": lambda: TorchvisionResNet(Bottleneck, [1, 2, 1, 1], groups=32, width_per_group=4),
    "basic": lambda: ResNet(10, 5),
    "bottleneck": lambda: ResNet(14, 5),
    "blur and drops": lambda: ResNet(18, 5, stem="deep", blur=True, stochastic_depth=0.2, dropout=0.2, width=0.5),
}


@pytest.mark.parametrize(
    "name",
    slow_but(["layer3.0.conv2", "layer3"], ["layer1", "layer2.0", "layer3.0.conv2", "layer3"]),
)
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
def test_taps_and_gradients_are_those_of_float64(make, name):
    torch.manual_seed(0)
    model = with_statistics(make()).requires_grad_(False)
    fused = accelerated_copy(model, torch.float32, CPU, keep=[name])
    assert len(fused_names(fused)) >= 4
    expected, found = tap_and_gradient(model, name, image()), tap_and_gradient(fused, name, image().float())
    assert error(found[0], expected[0]) < 1e-5
    assert error(found[1], expected[1]) < 2e-3  # a ReLU whose input is 0 up to rounding passes its gradient or does not


def test_masks_of_large_maps_pass_the_same_gradients_as_the_small_maps_themselves(monkeypatch):
    torch.manual_seed(0)
    model = with_statistics(ResNet(14, 5)).requires_grad_(False)
    fused = accelerated_copy(model, torch.float32, CPU, keep=["layer3"])
    _, gradient = tap_and_gradient(fused, "layer3", image().float())
    monkeypatch.setattr(fused_module, "FEW", 0)
    masked: list[Tensor] = []
    passing = fused_module._passing
    monkeypatch.setattr(fused_module, "_passing", lambda y, **how: masked.append(passing(y, **how)) or masked[-1])
    assert torch.equal(tap_and_gradient(fused, "layer3", image().float())[1], gradient)
    assert {each.dtype for each in masked} == {torch.uint8}


@pytest.mark.skipif(not can_fuse(torch.bfloat16, CPU), reason="no fused convolutions of bfloat16 without AVX-512")
@pytest.mark.parametrize("depth", [10, 14])
def test_bfloat16_is_as_close_as_unfused(depth, monkeypatch):
    torch.manual_seed(0)
    model = with_statistics(ResNet(depth, 5)).requires_grad_(False)
    fused = accelerated_copy(model, torch.bfloat16, CPU, keep=["layer3"])
    monkeypatch.setattr(frozen_module, "can_fuse", lambda dtype, device: False)
    plain = accelerated_copy(model, torch.bfloat16, CPU, keep=["layer3"])
    assert fused_names(fused)
    assert not fused_names(plain)
    expected = tap_and_gradient(model, "layer3", image())
    for i in (0, 1):
        found, as_before = (tap_and_gradient(m, "layer3", image().bfloat16())[i] for m in (fused, plain))
        assert error(found, expected[i]) < 1.1 * error(as_before, expected[i])


def test_kept_modules_are_not_fused_and_all_others_are():
    model = ResNet(18, 5).eval()
    assert {"layer1", "layer2", "layer3", "layer4"} <= fused_names(accelerated_copy(model, torch.float32, CPU, keep=[]))
    assert "layer3" in fused_names(accelerated_copy(model, torch.float32, CPU, keep=["layer3"]))
    names = fused_names(accelerated_copy(model, torch.float32, CPU, keep=["layer3.1"]))
    assert "layer3" not in names
    assert {"layer3.0", "layer3.1"} <= names
    names = fused_names(accelerated_copy(model, torch.float32, CPU, keep=["layer3.0.downsample.0", "layer4.1.relu2"]))
    assert {"layer3.1", "layer4.0"} <= names
    assert not names & {"layer3", "layer3.0", "layer4", "layer4.1"}


def test_every_kept_layer_has_the_same_output():
    model = with_statistics(TorchvisionResNet(Bottleneck, [2, 3, 2, 1]))
    names = ["relu", "layer1.0.downsample", "layer1.1", "layer2.1.conv2", "layer2.2.bn3", "layer3.1.relu", "layer3"]
    fused = accelerated_copy(model, torch.float32, CPU, keep=names)
    before, after = read(model, names, image()), read(fused, names, image().float())
    for name in names:
        assert error(after[name], before[name]) < 1e-5, name


def test_the_incoming_gradient_and_the_saved_maps_are_not_changed():
    torch.manual_seed(0)
    model = accelerated_copy(ResNet(14, 5).eval(), torch.float32, CPU, keep=["layer1"])
    x = image().float().requires_grad_()
    y = model.layer1(model.maxpool(model.relu(model.conv1(x))))
    seed = torch.randn_like(y)
    before = seed.clone()
    first, second = (torch.autograd.grad(y, x, seed, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(seed, before)
    assert torch.equal(first, second)


def test_it_runs_without_gradients_in_threads_and_as_a_copy():
    torch.manual_seed(0)
    model = accelerated_copy(ResNet(10, 5).eval(), torch.float32, CPU, keep=["layer3"])
    x = image().float()
    with torch.inference_mode():
        logits = model(x)
    with torch.no_grad():
        assert torch.equal(model(x), logits)
    assert torch.equal(copy.deepcopy(model)(x), logits)

    def gradient(_: int) -> Tensor:
        at = x.clone().requires_grad_()
        (found,) = torch.autograd.grad(model(at).square().sum(), at)
        return found

    with ThreadPoolExecutor(4) as pool:
        once, *others = pool.map(gradient, range(8))
    assert all(torch.equal(once, other) for other in others)


class Block(nn.Module):
    """A residual block, and what is like one."""

    def __init__(self, kind: str = "residual") -> None:
        super().__init__()
        self.kind = kind
        self.conv1, self.relu1 = nn.Conv2d(4, 6, 3, padding=1), nn.ReLU()
        outputs = 1 if kind == "one channel is added to all" else 4
        self.conv2, self.relu2 = nn.Conv2d(6, outputs, 3, padding=1, stride=1 + (kind == "halved")), nn.ReLU()
        self.pool, self.sigmoid = nn.AdaptiveAvgPool2d(1), nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        kind = self.kind
        if kind == "rectified before":
            x = self.relu2(x)
        out = self.conv2(self.relu1(self.conv1(x)))
        if kind == "a gate":
            return self.relu2(out * self.sigmoid(self.pool(out)) + x)
        if kind == "rectified inside":
            return self.relu2(self.relu1(out) + x)
        if kind == "scaled":
            return self.relu2(torch.add(out, x, alpha=2))
        if kind == "three ways":
            return self.relu2(out + x) + x
        if kind == "read twice":
            return self.relu2(out + x) * out
        if kind == "changed in place":
            out.mul_(2)
            return self.relu2(out + x)
        if kind == "decided by values" and float(x.detach().sum()) > 1e9:
            return x
        return self.relu2(out + x)


OTHERS = [
    "halved", "one channel is added to all", "rectified before", "rectified inside", "a gate", "scaled", "three ways",
    "read twice", "changed in place", "decided by values",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["residual", *OTHERS])
def test_only_residual_blocks_are_fused(kind):
    torch.manual_seed(0)
    block = Block(kind).eval().requires_grad_(False)
    fused = copy.deepcopy(block)
    fuse_residual_blocks(fused)
    assert fused_names(fused) == ({""} if kind == "residual" else set())
    x = torch.randn(1, 4, 1, 1) if kind == "halved" else torch.randn(1, 4, 7, 8)
    torch.testing.assert_close(fused(x), block(x), rtol=1e-5, atol=1e-6)


def test_a_block_with_a_hook_is_not_fused():
    blocks = nn.Sequential(Block(), Block(), Block()).eval().requires_grad_(False)
    blocks[1].conv2.register_forward_hook(lambda module, inputs, output: output.abs())
    expected = blocks(x := torch.randn(1, 4, 9, 9))
    fuse_residual_blocks(blocks)
    assert fused_names(blocks) == {"0", "2"}
    torch.testing.assert_close(blocks(x), expected, rtol=1e-5, atol=1e-6)


def test_a_block_that_runs_twice_has_the_same_output():
    block = Block().eval().requires_grad_(False)
    twice = nn.Sequential(block, nn.Identity(), block)
    x = torch.randn(1, 4, 9, 9, requires_grad=True)
    expected = twice(x)
    (gradient,) = torch.autograd.grad(expected.sum(), x)
    fuse_residual_blocks(twice)
    found = twice(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(torch.autograd.grad(found.sum(), x)[0], gradient, rtol=1e-5, atol=1e-6)


def test_float64_and_copies_for_torch_compile_are_not_fused():
    model = ResNet(10, 5).eval()
    assert not fused_names(accelerated_copy(model, torch.float64, CPU, keep=[]))
    assert not fused_names(accelerated_copy(model, torch.float32, CPU, keep=[], for_compiler=True))


def test_nothing_is_fused_where_the_operators_are_missing(monkeypatch):
    assert can_fuse(torch.float32, CPU)
    assert not can_fuse(torch.float32, torch.device("cuda"))
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not can_fuse(torch.float32, CPU)
    assert not fused_names(accelerated_copy(ResNet(10, 5).eval(), torch.float32, CPU, keep=[]))

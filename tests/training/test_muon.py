from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from deepdream.models import ResNet
from deepdream.training.muon import COEFFICIENTS, ITERATIONS, Muon, orthogonal
from deepdream.training.optimizers import build_optimizer
from deepdream.training.targets import configured_partial
from tests.training.configs import train_config

SHAPES = [(16, 144), (96, 24), (10, 10), (1, 5)]


def iterated(matrix: Tensor) -> Tensor:
    """The polynomial applied to each singular value, in float64."""
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / values.norm()
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        values = a * values + b * values**3 + c * values**5
    return (left * values @ right).float()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weakest", [1.0, 1e-3, 1e-6])
def test_the_polynomial_acts_on_the_singular_values(shape: tuple[int, int], weakest: float) -> None:
    scale = torch.logspace(0, torch.tensor(weakest).log10().item(), shape[1])
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * scale
    torch.testing.assert_close(orthogonal(matrix), iterated(matrix), rtol=0, atol=2e-3)


def test_zeros_and_half_precision_stay_what_they_are() -> None:
    assert not orthogonal(torch.zeros(3, 5)).any()
    assert orthogonal(torch.randn(3, 5).bfloat16()).dtype is torch.bfloat16


@pytest.mark.parametrize("nesterov", [True, False])
def test_weights_follow_timms_muon_and_norms_torchs_adamw(nesterov: bool) -> None:
    timm = pytest.importorskip("timm.optim")
    torch.manual_seed(0)
    weights = [torch.randn(shape) for shape in ((8, 4, 3, 3), (6, 12), (5,))]
    ours, theirs = ([nn.Parameter(weight.clone()) for weight in weights] for _ in range(2))
    shared = {"lr": 0.1, "weight_decay": 0.2}
    built = [
        Muon(ours, nesterov=nesterov, **shared),
        timm.Muon(theirs[:2], nesterov=nesterov, ns_coefficients="original", **shared),
        torch.optim.AdamW(theirs[2:], betas=(0.9, 0.95), **shared),
    ]
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape)
            other.grad = mine.grad.clone()
        for optimizer in built:
            optimizer.step()
    for mine, other in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=5e-3)  # theirs iterates in bfloat16
    torch.testing.assert_close(ours[2], theirs[2])


def test_a_network_learns_and_continues_from_the_state_bit_for_bit() -> None:
    torch.manual_seed(0)
    make = configured_partial("optimizer", train_config("optimizer=muon").optimizer_arguments)
    images, labels = torch.randn(8, 3, 32, 32), torch.arange(8) % 4

    def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> list[float]:
        losses = []
        for _ in range(count):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    model = ResNet(10, 4, width=0.25).to(memory_format=torch.channels_last)
    optimizer = build_optimizer(make, model, decay_norm_and_bias=False)
    start = steps(model, optimizer, 6)
    copy = ResNet(10, 4, width=0.25).to(memory_format=torch.channels_last)
    copy.load_state_dict(model.state_dict())
    resumed = build_optimizer(make, copy, decay_norm_and_bias=False)
    resumed.load_state_dict(deepcopy(optimizer.state_dict()))
    rest = steps(model, optimizer, 3)
    assert rest == steps(copy, resumed, 3)
    assert rest[-1] < 0.5 * start[0]


def test_the_user_s_precision_of_matrix_products_is_restored() -> None:
    before = torch.get_float32_matmul_precision()
    weight = nn.Parameter(torch.randn(2, 2))
    weight.grad = torch.randn(2, 2)
    torch.set_float32_matmul_precision("high")
    try:
        Muon([weight]).step()
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"momentum": 1.0}, {"betas": (0.9, 1.5)}, {"weight_decay": -0.1}])
def test_values_out_of_range_are_an_error_in_one_line(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=rf"^optimizer: {name}.* is .*; it must be 0 or more"):
        build_optimizer(partial(Muon, **wrong), nn.Linear(2, 2), decay_norm_and_bias=False)

"""Dreams, explanations and predictions are the same with acceleration switched off; only slower."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deepdream import acceleration
from deepdream.acceleration import accelerated_copy, disabled, frozen, is_enabled
from deepdream.acceleration.frozen import BlockedConv2d
from deepdream.acceleration.switch import VARIABLE
from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.evaluating import predict
from deepdream.explaining import ExplainConfig, explain
from deepdream.models import Network
from tests.conftest import ROOT
from tests.dreaming.networks import photo, resnet18
from tests.explaining.networks import scene, small_resnet
from tests.slow import slow_but

CPU = torch.device("cpu")
STEPS = ("fold_batch_norm", "relu_in_place", "relu_after_pool", "block_strided", "fuse_residual_blocks")


def double(network: Network) -> Network:
    network.model.double()
    return network


def dream() -> Tensor:
    config = DreamConfig.preset("gordic", layers=["layer2"], octaves=2, steps=3)
    return Dreamer(double(resnet18()), config)(photo(64, 80))


def explanation() -> Tensor:
    config = ExplainConfig.preset(lime_samples=40, superpixels=9, integrated_gradients_steps=8, completeness=1.0)
    network, image = double(small_resnet()), scene().double()
    found = explain(network, image, ["gradcam", "lime"], config=config, checks=["deletion_auc"])
    scores = torch.tensor([each.scores["deletion_auc"] for each in found])
    return torch.cat([*(each.attribution.flatten() for each in found), scores])


def prediction() -> Tensor:
    images = torch.stack([scene(seed=seed) for seed in range(5)]).mul(255).to(torch.uint8)
    batches = [(images, torch.zeros(5, dtype=torch.int64))]
    found = predict(double(small_resnet()), batches, device=CPU, dtype=torch.float64)
    return torch.from_numpy(found.probabilities).double()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps of the acceleration that ran, by name."""
    ran: list[str] = []

    def counted(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            ran.append(name)
            return step(*arguments, **options)

        return run

    for name in STEPS:
        monkeypatch.setattr(frozen, name, counted(name, getattr(frozen, name)))
    monkeypatch.setattr(torch, "compile", counted("compile", torch.compile))
    monkeypatch.setattr(torch.cuda, "graph", counted("graph", torch.cuda.graph))
    return ran


@pytest.mark.parametrize("work", slow_but([dream], [dream, explanation, prediction]))
def test_the_result_is_the_same_with_acceleration_off_and_then_no_part_of_it_runs(
    work: Callable[[], Tensor], calls: list[str]
) -> None:
    accelerated = work()
    assert "fold_batch_norm" in calls
    calls.clear()
    with disabled():
        plain = work()
    assert calls == []
    assert plain.double().std() > 0
    torch.testing.assert_close(plain, accelerated, rtol=1e-7, atol=1e-7 if plain.dtype == torch.float32 else 1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_with_acceleration_off_the_copy_is_the_model_in_eval_mode_and_another_dtype(dtype: torch.dtype) -> None:
    network = small_resnet()
    network.model.train()
    with disabled():
        plain = accelerated_copy(network.model, dtype, CPU)
    kinds = [type(module) for module in plain.modules()]
    assert kinds == [type(module) for module in network.model.modules()]
    assert BlockedConv2d not in kinds
    assert network.model.training
    assert not any(module.training for module in plain.modules())
    assert {parameter.dtype for parameter in plain.parameters()} == {dtype}
    assert not any(parameter.requires_grad for parameter in plain.parameters())
    assert plain.layer3[0].conv2.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_fast_copy_is_close_to_the_plain_one_in_float32() -> None:
    model, images = small_resnet().model, torch.stack([scene(seed=seed) for seed in range(3)])
    fast = accelerated_copy(model, torch.float32, CPU)
    with disabled(), torch.inference_mode():
        torch.testing.assert_close(fast(images), accelerated_copy(model, torch.float32, CPU)(images), rtol=0, atol=1e-4)


def test_nothing_is_compiled_with_acceleration_off(calls: list[str]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    x = torch.randn(1, 3, 8, 8)
    with disabled(), torch.no_grad():
        maps = acceleration.CompiledTaps(model, {"1": lambda output, size: output}).run(x)
        assert torch.equal(maps["1"], model(x))
    assert calls == []


def test_the_environment_switches_a_whole_process_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_enabled()
    monkeypatch.setenv(VARIABLE, "0")
    assert not is_enabled()
    monkeypatch.setenv(VARIABLE, "1")
    with disabled():
        assert not is_enabled()
    assert is_enabled()


def test_no_other_package_imports_from_inside_acceleration() -> None:
    inside = [
        f"{path.relative_to(ROOT)}: {node.module}"
        for path in sorted((ROOT / "deepdream").rglob("*.py"))
        if path.parent.name != "acceleration"
        for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("deepdream.acceleration.")
    ]
    assert inside == []

"""A replayed CUDA graph gives what its work gives; on a CPU nothing is captured."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
from torch import Tensor

from deepdream.acceleration import WARM_UP_CALLS, GraphCache, disabled
from deepdream.acceleration.cuda_graphs import CapturedGraph
from deepdream.dreaming import Dreamer
from deepdream.dreaming.config import DreamConfig
from deepdream.dreaming.objectives import Activations, objective
from tests.dreaming.networks import photo


def config(**changes: Any) -> DreamConfig:
    return DreamConfig.preset("gordic", **{"layers": ["layer2"], "octaves": 2, "steps": 6, **changes})


def count_calls(device: torch.device) -> int:
    """How often work runs that a GraphCache is asked for two times more than it needs to warm up."""
    calls = []

    def work(x: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(x)
        return 2 * x, x.sum().view(1)

    graphs = GraphCache(device)
    for _ in range(WARM_UP_CALLS + 2):
        doubled, total = graphs.call(work, torch.ones(1, 3, 4, 4, device=device), "doubling")
    assert float(doubled.sum()) == 2 * float(total)
    return len(calls)


def test_on_a_cpu_every_call_runs_the_work():
    assert count_calls(torch.device("cpu")) == WARM_UP_CALLS + 2


@pytest.mark.gpu
def test_on_a_gpu_the_work_runs_to_warm_up_and_to_be_captured_and_with_acceleration_off_at_every_call():
    gpu = torch.device("cuda")
    assert count_calls(gpu) == WARM_UP_CALLS + 1
    with disabled():
        assert count_calls(gpu) == WARM_UP_CALLS + 2


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["auto", "fp32", "fp16"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"parameterization": "pixels", "smoothing": "band", "normalize": "local", "pad": 16},
        {"smoothing": "laplacian", "layers": ["layer1", "layer2"]},
        {"layers": ["layer2:1"], "objective": {"mean": 1.0}},
    ],
)
def test_a_replayed_dream_is_the_dream_to_the_bit(resnet, monkeypatch, changes, precision):
    made = config(**changes)
    recorded = Dreamer(resnet, made, precision=precision)
    first, second = (recorded(photo(96, 128).float()) for _ in range(2))  # the second is replayed from its first step
    monkeypatch.setattr("deepdream.acceleration.cuda_graphs.MAX_PIXELS", 0)
    plain = Dreamer(resnet, made, precision=precision)(photo(96, 128).float())
    assert torch.equal(first, plain)
    assert torch.equal(second, plain)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["visualize", "maco", "class", "style", "vivid", "channel_grid"])
def test_every_replay_yields_what_its_work_does(resnet, monkeypatch, name):
    """Also where the dream does not repeat itself to the bit: adding up the gradients of crops has no fixed order."""
    alike = []
    call, replay = GraphCache.call, CapturedGraph.replay
    works: list[Any] = []

    def remember(self: GraphCache, work: Any, x: Tensor, *kind: Any, **more: Any) -> tuple[Tensor, Tensor]:
        works.append(work)
        return call(self, work, x, *kind, **more)

    def compare(self: CapturedGraph, x: Tensor) -> tuple[Tensor, Tensor]:
        found, expected = replay(self, x), works[-1](x)
        alike.append(all(torch.equal(a, b) for a, b in zip(found, expected, strict=True)))
        return found

    monkeypatch.setattr(GraphCache, "call", remember)
    monkeypatch.setattr(CapturedGraph, "replay", compare)
    made = DreamConfig.preset(
        name,
        layers=["layer2:1"] if name in ("visualize", "channel_grid") else ["layer2"],
        steps=6,
        octaves=1,
        **({"target": "b"} if name in ("maco", "class") else {}),
    )
    Dreamer(resnet, made)(photo(96, 128).float(), guide=photo(64, 64).float() if name == "style" else None)
    assert len(alike) >= 3
    assert all(alike)


@pytest.mark.gpu
def test_a_captured_dream_follows_the_current_guide(resnet):
    dreamer = Dreamer(resnet, DreamConfig.preset("guided", layers=["layer2"], octaves=1, steps=6))
    one, other = (photo(64, 64, seed=seed).float() for seed in (1, 2))
    image = photo(96, 96).float()
    first, between, again = (dreamer(image, guide=guide) for guide in (one, other, one))
    assert torch.equal(first, again)
    assert not torch.equal(first, between)


@pytest.mark.gpu
def test_an_objective_that_reads_a_value_back_is_not_recorded(resnet):
    def measure(activations: Activations, selections: Any) -> Tensor:
        part = activations.select(selections[0])
        return part.mean(dim=(1, 2, 3)) * (2.0 if float(part.detach().mean()) > 1e9 else 1.0)

    dreamer = Dreamer(resnet, config(), objective=objective("waits", measure, "layers"))
    first, second = (dreamer(photo(96, 96).float()) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, photo(96, 96).float())


@pytest.mark.gpu
def test_graphs_are_freed_with_their_dreamer(resnet):
    def used() -> int:
        gc.collect()  # modules refer to themselves in circles
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated()

    def dream_two_sizes() -> None:
        dreamer = Dreamer(resnet, config())
        for side in (96, 128):
            dreamer(photo(side, side).float())

    dream_two_sizes()  # what CUDA's libraries keep for themselves
    before = used()
    for _ in range(5):
        dream_two_sizes()
    assert used() <= before


class Replayed:
    """In place of a captured graph: its work runs at each replay."""

    def __init__(self, work: Any) -> None:
        self.replay = work


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shape of each input that was captured; a GraphCache of a CPU captures, too."""
    shapes: list[tuple[int, ...]] = []

    def capture(self: GraphCache, work: Any, x: Tensor, reads: object) -> Replayed:
        shapes.append(tuple(x.shape))
        if reads == "a value from the GPU":
            raise RuntimeError("operation not permitted when stream is capturing")
        return Replayed(work)

    monkeypatch.setattr(GraphCache, "_capture", capture)
    return shapes


def capturing_cache() -> GraphCache:
    graphs = GraphCache(torch.device("cpu"))
    graphs._captures = True
    return graphs


def double(x: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * x, x


def test_each_kind_and_size_is_captured_once_after_its_warm_up(captures: list[tuple[int, ...]]) -> None:
    graphs, small, large = capturing_cache(), torch.ones(1, 3, 4, 4), torch.ones(1, 3, 8, 8)
    for calls in range(1, 6):
        for x, kind in ((small, "a"), (small, "b"), (large, "a")):
            assert torch.equal(graphs.call(double, x, kind)[0], 2 * x)
        assert len(captures) == (3 if calls > WARM_UP_CALLS else 0)
    graphs.clear()
    for _ in range(WARM_UP_CALLS):
        graphs.call(double, small, "a")
    assert len(captures) == 3
    graphs.call(double, small, "a")
    assert len(captures) == 4


def test_large_images_are_never_captured(captures: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepdream.acceleration.cuda_graphs.MAX_PIXELS", 2 * 4 * 4)
    graphs = capturing_cache()
    for _ in range(WARM_UP_CALLS + 2):
        for count in (2, 3):
            graphs.call(double, torch.ones(count, 3, 4, 4))
    assert captures == [(2, 3, 4, 4)]


def test_the_graphs_are_dropped_when_there_are_too_many(
    captures: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepdream.acceleration.cuda_graphs.MAX_GRAPHS", 2)
    graphs = capturing_cache()
    for side in (4, 5, 6):
        for _ in range(WARM_UP_CALLS + 2):
            graphs.call(double, torch.ones(1, 3, side, side))
    assert [shape[-1] for shape in captures] == [4, 5, 6]
    assert len(graphs._graphs) == 1


def test_after_a_capture_that_fails_all_calls_run_the_work(captures: list[tuple[int, ...]]) -> None:
    graphs, x = capturing_cache(), torch.ones(1, 3, 4, 4)
    for _ in range(WARM_UP_CALLS + 3):
        assert torch.equal(graphs.call(double, x, reads="a value from the GPU")[0], 2 * x)
    assert len(captures) == 1


def test_with_acceleration_off_nothing_is_captured(captures: list[tuple[int, ...]]) -> None:
    graphs, x = capturing_cache(), torch.ones(1, 3, 4, 4)
    with disabled():
        for _ in range(WARM_UP_CALLS + 2):
            graphs.call(double, x)
    assert captures == []

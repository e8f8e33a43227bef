"""What a GPU replays is what it would have computed; without one nothing is recorded."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
from torch import Tensor

from deepdream.acceleration.cuda_graphs import AS_IT_IS, Recorder, Recording
from deepdream.dreaming import Dreamer
from deepdream.dreaming.config import DreamConfig
from deepdream.dreaming.objectives import Activations, objective
from tests.dreaming.networks import photo


def config(**changes: Any) -> DreamConfig:
    return DreamConfig.preset("gordic", **{"layers": ["layer2"], "octaves": 2, "steps": 6, **changes})


def test_without_a_gpu_all_work_is_done_as_it_is():
    calls = []

    def work(x: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(x)
        return 2 * x, x.sum().view(1)

    recorder = Recorder(torch.device("cpu"))
    for _ in range(AS_IT_IS + 2):
        doubled, total = recorder.do(work, torch.ones(1, 3, 4, 4), "doubling")
    assert len(calls) == AS_IT_IS + 2
    assert float(doubled.sum()) == 2 * float(total)


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
    monkeypatch.setattr("deepdream.acceleration.cuda_graphs.LARGEST", 0)
    plain = Dreamer(resnet, made, precision=precision)(photo(96, 128).float())
    assert torch.equal(first, plain)
    assert torch.equal(second, plain)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["visualize", "maco", "class", "style", "vivid", "channel_grid"])
def test_every_replay_yields_what_its_work_does(resnet, monkeypatch, name):
    """Also where the dream does not repeat itself to the bit: adding up the gradients of crops has no fixed order."""
    alike = []
    do, replay = Recorder.do, Recording.replay
    works: list[Any] = []

    def remember(self: Recorder, work: Any, x: Tensor, *kind: Any, **more: Any) -> tuple[Tensor, Tensor]:
        works.append(work)
        return do(self, work, x, *kind, **more)

    def compare(self: Recording, x: Tensor) -> tuple[Tensor, Tensor]:
        found, expected = replay(self, x), works[-1](x)
        alike.append(all(torch.equal(a, b) for a, b in zip(found, expected, strict=True)))
        return found

    monkeypatch.setattr(Recorder, "do", remember)
    monkeypatch.setattr(Recording, "replay", compare)
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
def test_a_recorded_dream_follows_the_guide_of_the_moment(resnet):
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
def test_recordings_are_gone_with_their_dreamer(resnet):
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

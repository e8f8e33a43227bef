"""What a GPU replays is what it would have computed; without one nothing is recorded."""

import pytest
import torch
from torch import Tensor

from deepdream.config import DreamConfig
from deepdream.dreaming import Dreamer, mean_square
from deepdream.dreaming.objectives import objective
from deepdream.dreaming.recorded import AS_IT_IS, Recorder
from deepdream.models import Network, ResNet

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
CPU = torch.device("cpu")


def network() -> Network:
    torch.manual_seed(0)
    model = ResNet(10, 3).eval()
    return Network(model, ["bar", "hall", "attic"], (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 64, "random")


def config(**changes: object) -> DreamConfig:
    return DreamConfig.preset("gordic", **{"layers": ["layer2"], "octaves": 2, "steps": 6, **changes})


def photo(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def test_without_a_gpu_all_work_is_done_as_it_is():
    calls = []

    def work(x: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(x)
        return 2 * x, x.sum().view(1)

    recorder = Recorder(CPU)
    for _ in range(AS_IT_IS + 2):
        doubled, total = recorder.do(work, torch.ones(1, 3, 4, 4), "doubling")
    assert len(calls) == AS_IT_IS + 2
    assert float(doubled.sum()) == 2 * float(total)


@needs_gpu
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"precision": "fp32"},
        {"space": "pixels", "smoothing": "band", "normalize": "local", "pad": 16},
        {"layers": ["layer2:1"], "objective": {"mean": 1.0}},
        {"space": "fourier", "optimizer": "adam", "smoothing": "none", "step_size": 0.05, "crops": 4, "octaves": 1},
    ],
)
def test_a_replayed_dream_is_the_dream_to_the_bit(monkeypatch, changes):
    recorded = Dreamer(network(), config(**changes))
    first, second = (recorded(photo(3, 96, 128)) for _ in range(2))  # the second is replayed from its first step
    monkeypatch.setattr("deepdream.dreaming.recorded.LARGEST", 0)
    plain = Dreamer(network(), config(**changes))(photo(3, 96, 128))
    assert torch.equal(first, plain)
    assert torch.equal(second, plain)


@needs_gpu
def test_a_recorded_dream_follows_the_guide_of_the_moment():
    dreamer = Dreamer(network(), DreamConfig.preset("guided", layers=["layer2"], octaves=1, steps=6))
    one, other = photo(3, 64, 64), photo(3, 64, 64).flip(-1) ** 2
    image = photo(3, 96, 96)
    first, between, again = (dreamer(image, guide=guide) for guide in (one, other, one))
    assert torch.equal(first, again)
    assert not torch.equal(first, between)


@needs_gpu
def test_an_objective_that_reads_a_value_back_is_not_recorded():
    def measure(seen, selections):
        part = seen.part(selections[0])
        return part.mean(dim=(1, 2, 3)) * (2.0 if float(part.detach().mean()) > 1e9 else 1.0)

    waits = objective("waits", measure, "layers")
    dreamers = [Dreamer(network(), config(), objective=o) for o in (waits, mean_square)]
    for dreamer in dreamers:
        first, second = (dreamer(photo(3, 96, 96)) for _ in range(2))
        assert torch.equal(first, second)
        assert not torch.equal(first.cpu(), photo(3, 96, 96))


@needs_gpu
def test_recordings_are_gone_with_their_dreamer():
    def used() -> int:
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated()

    def dream_two_sizes() -> None:
        dreamer = Dreamer(network(), config())
        for side in (96, 128):
            dreamer(photo(3, side, side))

    dream_two_sizes()  # what CUDA's libraries keep for themselves
    before = used()
    for _ in range(5):
        dream_two_sizes()
    assert used() <= before

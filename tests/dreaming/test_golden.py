"""Each preset makes the image that it made when a person last inspected it.

The numbers are our own (tests/dreaming/golden.json: the mean colour of each of 3x3 fields): a failure says that the
result changed, not that it is wrong; `python -m tests.dreaming.test_golden` writes the current ones. All is float64:
another machine or release of torch adds up in another order, a difference of 1e-15 that a dream amplifies 10,000 times
(float32 could not be compared). A step size that differs by 1 % fails in each of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.dreaming.channel_grid import strongest_channels, visualize_channels
from deepdream.models import Network, ResNet
from deepdream.schema import choices
from tests.dreaming.networks import photo, wrap
from tests.slow import slow_but

GOLDEN = Path(__file__).with_name("golden.json")
TOLERANCE = 1e-6  # of values in [0, 1]
SMALLER = {"octaves": 2, "steps": 3, "width": 112}
ALSO = {"class": {"target": "a"}, "maco": {"target": "b"}, "visualize": {"layers": ["layer3:1"]}}
GUIDED = ("guided", "style", "vital")
PRESETS = [name for name in choices("dream") if "/" not in name]


@contextmanager
def in_float64() -> Iterator[None]:
    """For functions that create an image themselves."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@cache
def network() -> Network:
    """A narrow ResNet-18 in float64, with weights that NumPy draws: the same on every machine."""
    draw = np.random.default_rng(0)
    model = ResNet(18, num_classes=2, width=0.25, zero_init_residual=False).double()
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            module.weight.data = torch.from_numpy(draw.normal(0, (2 / fan_in) ** 0.5, module.weight.shape))
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the running statistics are then those of these images
            module.weight.data = torch.from_numpy(draw.uniform(0.5, 1.5, module.num_features))
            module.bias.data = torch.from_numpy(draw.normal(0, 0.2, module.num_features))
    with torch.no_grad():
        model.train()(torch.from_numpy(draw.normal(size=(4, 3, 64, 64))))
    return wrap(model, 64)


def fields(preset: str, **values: object) -> list[float]:
    """The colours of a small dream, 3x3 fields of three channels."""
    config = DreamConfig.preset(preset, **{**SMALLER, **ALSO.get(preset, {}), **values})
    image, guide = photo(96, 112), photo(96, 96, seed=4)
    if preset == "channel_grid":
        channels = strongest_channels(network(), config.layers[0], image.float(), 2)
        with in_float64():
            dream = visualize_channels(Dreamer(network(), config), config.layers[0], channels, 112).mean(dim=0)
    else:
        dream = Dreamer(network(), config)(image, guide=guide if preset in GUIDED else None, seed=1)
    return [round(value, 7) for value in torch.nn.functional.adaptive_avg_pool2d(dream, 3).flatten().tolist()]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_makes_the_same_image_as_ever(preset: str) -> None:
    golden = json.loads(GOLDEN.read_text())[preset]
    assert fields(preset) == pytest.approx(golden, abs=TOLERANCE)


@pytest.mark.parametrize("preset", slow_but(PRESETS[:1], PRESETS))
def test_a_step_that_is_longer_by_a_hundredth_would_show(preset: str) -> None:
    golden = json.loads(GOLDEN.read_text())[preset]
    longer = DreamConfig.preset(preset).step_size * 1.01
    assert fields(preset, step_size=longer) != pytest.approx(golden, abs=TOLERANCE)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({preset: fields(preset) for preset in PRESETS}, indent=1) + "\n")

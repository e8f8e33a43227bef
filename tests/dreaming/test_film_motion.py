from __future__ import annotations

import dataclasses

import pytest
import torch

from deepdream.dreaming.film_motion import moved
from deepdream.dreaming.films import zoom
from deepdream.images import to_tensor
from tests.dreaming.test_films import dreamer, film, read_sample


@pytest.mark.parametrize("motion", [{"zoom": 1.06}, {"zoom": 1.0, "rotate": 4.0, "pan": [0, 3]}, {"zoom": 0.94}])
def test_the_last_frame_of_a_loop_leads_to_the_first(motion: dict[str, float]) -> None:
    start = to_tensor(read_sample())[:, 100:148, 200:264]
    jumps = {}
    for loop in (False, True):
        asked = film(frames=14, blend=0.5, loop=loop, **motion)
        make = zoom(dreamer(steps=2), start, asked, seed=0)
        frames = [make(0, None)]
        for number in range(1, 14):
            frames.append(make(number, frames[-1]))
        still = dataclasses.replace(asked, loop=False)
        after = [*frames[1:], frames[0]]
        changes = torch.stack([(b - moved(a, still)).abs().mean() for a, b in zip(frames, after, strict=True)])
        jumps[loop] = float(changes[-1] / changes[:-1].max())
    assert jumps[True] < 1.1
    assert jumps[False] > 2

from __future__ import annotations

import dataclasses

import pytest

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.dreaming.report import dream_report, objective_gains, top5
from tests.dreaming.networks import photo


def test_a_report_compares_with_chance_and_with_an_untrained_network(resnet):
    image = photo(64, 80).float()
    dreamer = Dreamer(resnet, DreamConfig.preset("gordic", layers=["layer2"], octaves=2, steps=5), precision="fp32")
    dream = dreamer(image)
    named = dataclasses.replace(resnet, classes=[str(number) for number in range(1000)])
    found = dream_report(dreamer, named, image, dream, seconds=2.0)
    assert found["objective"]["before"] == pytest.approx(dreamer.measure(image), rel=1e-5)
    assert found["seconds_per_step"] == 0.2
    shares = [share for _, share in found["top5"]["after"]]
    assert len(shares) == 5
    assert shares == sorted(shares, reverse=True)
    gains = objective_gains(found)
    assert gains["dream"] > 0.2
    assert gains["dream"] > gains["random step"]
    assert top5(named, image) == found["top5"]["before"]

"""Masks, guides, classes, styles: dreams with an aim."""

from __future__ import annotations

import dataclasses
import gc
import sys

import pytest
import torch

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.dreaming.channel_grid import strongest_channels, visualize_channels
from deepdream.dreaming.report import gain, report, top5
from tests.dreaming.networks import photo, small_network


def config(preset: str = "gordic", **overrides) -> DreamConfig:
    return DreamConfig.preset(preset, **{"layers": ["3"], "octaves": 2, "steps": 3, "device": "cpu", **overrides})


def test_a_mask_keeps_the_dream_where_it_is_white():
    image = photo(48, 64)
    mask = torch.zeros(48, 64, dtype=torch.float64)
    mask[:, 40:] = 1
    change = (Dreamer(small_network(), config("inceptionism"))(image, mask=mask) - image).abs().mean(dim=(0, 1))
    assert change[:32].max() < 1e-9
    assert change[48:].mean() > 0.01


def test_a_mask_of_ones_changes_nothing_and_of_zeros_everything():
    image, dreamer = photo(48, 64), Dreamer(small_network(), config("inceptionism"))
    torch.testing.assert_close(dreamer(image, mask=torch.ones(5, 9).double()), dreamer(image))
    torch.testing.assert_close(dreamer(image, mask=torch.zeros(5, 9).double()), image)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(3, 4, 5, 6), "must be float"),
        (torch.ones(4, 5, dtype=torch.uint8), "must be float"),
        (torch.full((4, 5), 2.0), r"must be in \[0, 1\]"),
        (torch.ones(2, 4, 5), "there are 2 masks for 1 pictures"),
    ],
)
def test_a_mask_is_checked(mask, message):
    with pytest.raises(ValueError, match=message):
        Dreamer(small_network(), config())(photo(48, 64), mask=mask)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_a_guided_dream_comes_closer_to_its_guide(similarity):
    values = {"octaves": 1, "steps": 6, "jitter": 0, "step_size": 0.5, "similarity": similarity}
    dreamer = Dreamer(small_network(), config("guided", **values))
    image, guide = photo(48, 64), photo(40, 40, seed=5)
    dream = dreamer(image, guide=guide)
    assert dreamer.measure(dream, guide=guide) > dreamer.measure(image, guide=guide)
    assert not torch.allclose(dream, dreamer(image, guide=1 - photo(40, 40, seed=6)))


def test_a_missing_guide_and_one_without_use_are_errors():
    with pytest.raises(ValueError, match=r"follows a guide picture and has none; name it with guide=photo\.jpg"):
        Dreamer(small_network(), config("guided"))(photo(48, 64))
    with pytest.raises(ValueError, match="no objective that follows it"):
        Dreamer(small_network(), config())(photo(48, 64), guide=photo(48, 64))


@pytest.mark.parametrize(("optimizer", "step_size"), [("lbfgs", 1.0), ("adam", 0.05)])
def test_style_comes_closer_to_the_guides(optimizer, step_size):
    found = []
    values = {"objective": {"style": 1.0, "content": 0.01}, "layers": ["1", "3"], "octaves": 1, "steps": 32}
    dreamer = Dreamer(small_network(), config("style", optimizer=optimizer, step_size=step_size, **values))
    dreamer(photo(40, 52), guide=photo(44, 40, seed=3) ** 3, on_step=lambda r: found.append(float(r.objective)))
    assert found[-1] > 0.5 * found[0]  # both below zero: the loss is halved


def test_a_spectrum_too_is_compared_with_the_photo_that_it_holds():
    found = []
    still = {"jitter": 0, "smoothing": "none", "normalize": "none", "crops": 0, "scale": 0, "rotate": 0, "pad": 0}
    values = {"objective": {"content": 1.0}, "layers": ["1"], "octaves": 1, "steps": 2, "start": "picture"}
    dreamer = Dreamer(small_network(), config("visualize", optimizer="adam", step_size=1e-6, **still, **values))
    dreamer(photo(40, 52), on_step=lambda r: found.append(float(r.objective)))
    assert found[0] == pytest.approx(0, abs=1e-6)  # the photo, before the first step


def test_content_asks_for_a_picture_that_stays_in_place():
    with pytest.raises(ValueError, match=r"set dream\.jitter=0"):
        config("gordic", objective={"mean_square": 1, "content": 1})


def test_a_class_dream_raises_its_class(resnet):
    values = {"layers": ["layer4"], "octaves": 1, "steps": 8, "precision": "fp32"}
    still = {"jitter": 0, "pad": 0, "scale": 0, "rotate": 0}
    image = photo(96, 96).float()
    logits = []
    for target in ("b", "0"):
        dreamer = Dreamer(resnet, config("class", target=target, **values, **still))
        dream = dreamer(image)
        assert dreamer.measure(dream) > dreamer.measure(image)
        logits.append(dreamer.measure(image))
    assert logits[0] != logits[1]
    with pytest.raises(ValueError, match="knows no class 'c'"):
        Dreamer(resnet, config("class", target="c", **values))
    with pytest.raises(ValueError, match=r"needs a class; name it with dream\.target"):
        Dreamer(resnet, config("class", **values))


def test_a_unit_beyond_the_map_is_an_early_error():
    with pytest.raises(ValueError, match="the unit 3:2@40,1 needs at least"):
        Dreamer(small_network(), config(layers=["3:2@40,1"], objective="unit"))(photo(48, 64))


def test_a_report_compares_with_chance_and_with_an_untrained_network(resnet):
    image = photo(64, 80).float()
    dreamer = Dreamer(resnet, config(layers=["layer2"], steps=5, precision="fp32"))
    dream = dreamer(image)
    named = dataclasses.replace(resnet, classes=[str(number) for number in range(1000)])
    found = report(dreamer, named, image, dream, seconds=2.0)
    assert found["objective"]["before"] == pytest.approx(dreamer.measure(image), rel=1e-5)
    assert found["seconds_per_step"] == 0.2
    shares = [share for _, share in found["top5"]["after"]]
    assert len(shares) == 5
    assert shares == sorted(shares, reverse=True)
    gains = gain(found)
    assert gains["dream"] > 0.2
    assert gains["dream"] > gains["random step"]
    assert top5(named, image) == found["top5"]["before"]


def test_an_atlas_shows_the_channels_that_answer_most(resnet):
    image = photo(64, 80).float()
    channels = strongest_channels(resnet, "layer3", image, 3)
    assert len(set(channels)) == 3
    found = visualize_channels(
        resnet, DreamConfig.preset("atlas", layers=["layer3"], steps=2, width=48, device="cpu"), "layer3", channels
    )
    assert found.shape == (3, 3, 48, 48)
    assert not torch.allclose(found[0], found[1])


def test_two_hundred_dreams_leave_no_hooks_and_no_memory():
    dreamer = Dreamer(small_network(), config(octaves=1, steps=1, precision="fp32"))
    image = photo(20, 24).float()

    def tensors() -> int:
        gc.collect()
        return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    def hooks() -> int:
        return sum(len(m._forward_hooks) for a in dreamer._ascents.values() for m in a.taps._model.modules())

    dreamer(image)
    before = tensors()
    for _ in range(200):
        dreamer(image)
    assert hooks() == 0
    assert tensors() <= before
    assert sys.getrefcount(dreamer) < 10

from __future__ import annotations

import numpy as np
import pytest
import torch

from deepdream.dreaming import DreamConfig, Dreamer, films
from deepdream.dreaming.balance import Balance
from deepdream.dreaming.film_config import FilmConfig
from deepdream.dreaming.films import dreamed_film, frame_path, make_frames, morph, moved, zoom
from deepdream.dreaming.optical_flow import along, flicker, flow, warp
from deepdream.images import read_image, to_tensor
from deepdream.provenance import write_png
from tests.dreaming.networks import photo, small_network


def film(**overrides) -> FilmConfig:
    values = {"kind": "zoom", "frames": 3, "fps": None, "zoom": 1.0, "rotate": 0.0, "pan": [0, 0], "blend": 0.0}
    return FilmConfig(**{**values, "run": None, **overrides})


def config(**overrides) -> DreamConfig:
    return DreamConfig.preset("gordic", **{"layers": ["3"], "octaves": 1, "steps": 3, "device": "cpu", **overrides})


def moving(count: int, step: int = 3) -> list[torch.Tensor]:
    """A camera that pans over a picture with enough in it to follow."""
    wide = to_tensor(read_sample())[:, 100:196, 200:400]
    return [wide[:, :, step * i : step * i + 128].contiguous() for i in range(count)]


def read_sample():
    from deepdream.images import read_sample as sample

    return sample("china")


def test_flow_finds_the_way_that_a_picture_moved():
    before, now = moving(2, step=4)
    way = flow(now, before)[:, 16:-16, 16:-16]
    assert way[0].median().item() == pytest.approx(4, abs=0.3)
    assert way[1].median().item() == pytest.approx(0, abs=0.3)
    moved_along, trusted = along(before, before, now)
    assert trusted.mean() > 0.8
    inner = (slice(None), slice(8, -8), slice(8, -12))
    assert (moved_along - now)[inner].abs().mean() < 0.25 * (before - now)[inner].abs().mean()


def test_a_warp_by_nothing_changes_nothing():
    picture = photo(20, 31).float()
    torch.testing.assert_close(warp(picture, torch.zeros(2, 20, 31)), picture)


def test_a_dream_that_moves_along_flickers_at_least_forty_percent_less():
    frames = moving(6)
    flickers = []
    for blend in (0.0, 0.8):
        make = dreamed_film(small_network(), config(), iter(frames), film(kind="video", blend=blend), seed=0)
        dreams: list[torch.Tensor] = []
        for number in range(len(frames)):
            dreams.append(make(number, dreams[-1] if dreams else None))
        flickers.append(flicker(dreams, frames))
        last = dreams[-1]
    assert flickers[1] < 0.6 * flickers[0]
    assert (last - frames[-1]).abs().mean() > 0.03  # it still dreams


def test_moving_enlarges_about_the_centre_turns_and_pans():
    picture = photo(41, 61).float()
    torch.testing.assert_close(moved(picture, film()), picture, atol=1e-5, rtol=0)
    larger = moved(picture, film(zoom=2.0))
    torch.testing.assert_close(larger[:, 20, 30], picture[:, 20, 30], atol=0.02, rtol=0)
    torch.testing.assert_close(larger[:, 20, 40], picture[:, 20, 35], atol=0.02, rtol=0)
    panned = moved(picture, film(pan=[3, -5]))
    torch.testing.assert_close(panned[:, 10:30, 10:40], picture[:, 7:27, 15:45], atol=1e-4, rtol=0)
    square = photo(40, 40).float()
    turned = moved(square, film(rotate=90.0))
    torch.testing.assert_close(turned, square.rot90(1, (1, 2)), atol=1e-4, rtol=0)


def clipped(picture: torch.Tensor) -> float:
    """The share of values that are black or white."""
    return ((picture < 0.01) | (picture > 0.99)).float().mean().item()


@pytest.mark.parametrize("balanced", [True, False])
def test_a_zoom_of_sixty_frames_keeps_its_light_and_contrast(balanced, monkeypatch):
    if not balanced:
        monkeypatch.setattr(films, "Balance", lambda reference: lambda picture: picture)
    start = to_tensor(read_sample())[:, 100:164, 200:296]
    make = zoom(small_network(), config(steps=2, precision="fp32"), start, film(zoom=1.04, rotate=1.5), seed=0)
    first = last = make(0, None)
    for number in range(1, 61):
        last = make(number, last)
    if not balanced:  # what the balance is for
        assert clipped(last) > 0.3
        return
    assert clipped(last) < 0.05
    torch.testing.assert_close(last.mean(dim=(1, 2)), first.mean(dim=(1, 2)), atol=0.03, rtol=0)
    assert 0.7 < last.std() / first.std() < 1.1


def test_balance_gives_back_contrast_and_colour_scale_by_scale():
    reference = 0.3 + 0.4 * photo(64, 80).float()
    balance = Balance(reference)
    torch.testing.assert_close(balance(reference), reference, atol=1e-5, rtol=0)
    mean = reference.mean(dim=(1, 2), keepdim=True)
    harsh = torch.tensor([0.1, 0.0, -0.1])[:, None, None] + mean + 1.5 * (reference - mean)
    torch.testing.assert_close(balance(harsh), reference, atol=1e-5, rtol=0)
    faint = mean + 0.5 * (reference - mean)
    torch.testing.assert_close(balance(faint), mean + 0.52 * (reference - mean), atol=1e-5, rtol=0)


def test_a_film_that_was_killed_goes_on_with_the_same_result(tmp_path):
    start = photo(40, 50).float()

    def frames(folder, count):
        make = zoom(small_network(), config(precision="fp32", tone=0.8), start, film(zoom=1.1), seed=0)
        return list(make_frames(make, count, folder, write_png))

    whole = frames(tmp_path / "whole", 4)
    frames(tmp_path / "killed", 2)
    for one, other in zip(whole, frames(tmp_path / "killed", 4), strict=True):
        assert np.array_equal(np.asarray(read_image(one)), np.asarray(read_image(other)))
    assert frame_path(tmp_path / "killed", 3).exists()


def test_a_dreamed_film_goes_on_with_the_same_result(tmp_path):
    frames = moving(4)

    def run(folder, count):
        kind = film(kind="video", blend=0.8)
        make = dreamed_film(small_network(), config(precision="fp32"), iter(frames), kind, seed=0)
        return list(make_frames(make, count, folder, write_png))

    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "killed", 3)
    again = run(tmp_path / "killed", 4)
    assert whole[-1].read_bytes() == again[-1].read_bytes()


def test_a_morph_goes_from_the_first_layer_to_the_last():
    start = photo(40, 50)
    make = morph(small_network(), config(layers=["1", "3"]), start, 3, seed=0)
    first, middle, last = (make(number, None) for number in range(3))
    torch.testing.assert_close(first, Dreamer(small_network(), config(layers=["1"]))(start), atol=1e-6, rtol=0)
    torch.testing.assert_close(last, Dreamer(small_network(), config(layers=["3"]))(start), atol=1e-6, rtol=0)
    assert not torch.allclose(middle, first)
    assert not torch.allclose(middle, last)

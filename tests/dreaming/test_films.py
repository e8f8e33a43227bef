from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from deepdream.dreaming import DreamConfig, Dreamer, FilmConfig, films
from deepdream.dreaming import dreamer as dreamer_module
from deepdream.dreaming.films import (
    ContrastMatching,
    Footage,
    checkpoints_of,
    frame_path,
    morph,
    moved,
    video,
    write_frames,
    zoom,
)
from deepdream.dreaming.optical_flow import along, flicker, flow, warp_by_flow
from deepdream.images import read_image, to_tensor
from deepdream.provenance import write_png
from tests.dreaming.networks import photo, small_network


def film(**overrides) -> FilmConfig:
    values = {"kind": "zoom", "frames": 3, "fps": None, "zoom": 1.0, "rotate": 0.0, "pan": [0, 0], "blend": 0.0}
    return FilmConfig(**{**values, "run": None, **overrides})


def dreamer(layers: tuple[str, ...] = ("3",), **overrides) -> Dreamer:
    values = {"layers": list(layers), "octaves": 1, "steps": 3, **overrides}
    return Dreamer(small_network(), DreamConfig.preset("gordic", **values), precision="fp32")


def moving(count: int, step: int = 3) -> list[torch.Tensor]:
    """A camera that pans over a image with enough in it to follow."""
    wide = to_tensor(read_sample())[:, 100:196, 200:400]
    return [wide[:, :, step * i : step * i + 128].contiguous() for i in range(count)]


def read_sample():
    from deepdream.images import read_sample as sample

    return sample("china")


def test_flow_finds_the_way_that_a_image_moved():
    before, now = moving(2, step=4)
    way = flow(now, before)[:, 16:-16, 16:-16]
    assert way[0].median().item() == pytest.approx(4, abs=0.3)
    assert way[1].median().item() == pytest.approx(0, abs=0.3)
    moved_along, consistent = along(before, before, now)
    assert consistent.mean() > 0.8
    inner = (slice(None), slice(8, -8), slice(8, -12))
    assert (moved_along - now)[inner].abs().mean() < 0.25 * (before - now)[inner].abs().mean()


@pytest.mark.parametrize("size", [(1, 1), (8, 64), (12, 200), (8, 1000)])
def test_flow_takes_images_on_which_opencv_fails(size):
    image = photo(*size).float()
    assert flow(image, image).abs().max() < 0.1


def test_a_warp_by_nothing_changes_nothing():
    image = photo(20, 31).float()
    torch.testing.assert_close(warp_by_flow(image, torch.zeros(2, 20, 31)), image)


def test_a_dream_that_moves_along_flickers_at_least_forty_percent_less():
    frames = moving(6)
    flickers = []
    for blend in (0.0, 0.8):
        footage = Footage(frames)
        make = video(dreamer(), footage, film(kind="video", blend=blend), seed=0)
        dreams: list[torch.Tensor] = []
        for number in footage:
            dreams.append(make(number, dreams[-1] if dreams else None))
        flickers.append(flicker(dreams, frames))
        last = dreams[-1]
    assert flickers[1] < 0.6 * flickers[0]
    assert (last - frames[-1]).abs().mean() > 0.03  # it still dreams


def test_moving_enlarges_about_the_centre_turns_and_pans():
    image = photo(41, 61).float()
    torch.testing.assert_close(moved(image, film()), image, atol=1e-5, rtol=0)
    larger = moved(image, film(zoom=2.0))
    torch.testing.assert_close(larger[:, 20, 30], image[:, 20, 30], atol=0.02, rtol=0)
    torch.testing.assert_close(larger[:, 20, 40], image[:, 20, 35], atol=0.02, rtol=0)
    panned = moved(image, film(pan=[3, -5]))
    torch.testing.assert_close(panned[:, 10:30, 10:40], image[:, 7:27, 15:45], atol=1e-4, rtol=0)
    square = photo(40, 40).float()
    turned = moved(square, film(rotate=90.0))
    torch.testing.assert_close(turned, square.rot90(1, (1, 2)), atol=1e-4, rtol=0)


def clipped(image: torch.Tensor) -> float:
    """The share of values that are black or white."""
    return ((image < 0.01) | (image > 0.99)).float().mean().item()


@pytest.mark.parametrize("balanced", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_zoom_of_sixty_frames_keeps_its_light_and_contrast(balanced, monkeypatch):
    if not balanced:
        monkeypatch.setattr(films, "ContrastMatching", lambda reference: lambda image: image)
    start = to_tensor(read_sample())[:, 100:164, 200:296]
    make = zoom(dreamer(steps=2), start, film(zoom=1.04, rotate=1.5), seed=0)
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
    matched = ContrastMatching(reference)
    torch.testing.assert_close(matched(reference), reference, atol=1e-5, rtol=0)
    mean = reference.mean(dim=(1, 2), keepdim=True)
    harsh = torch.tensor([0.1, 0.0, -0.1])[:, None, None] + mean + 1.5 * (reference - mean)
    torch.testing.assert_close(matched(harsh), reference, atol=1e-5, rtol=0)
    faint = mean + 0.5 * (reference - mean)
    torch.testing.assert_close(matched(faint), mean + 0.52 * (reference - mean), atol=1e-5, rtol=0)


def test_a_film_that_was_killed_goes_on_with_the_same_result(tmp_path):
    start = photo(40, 50).float()

    def frames(folder, count):
        make = zoom(dreamer(contrast=0.8), start, film(zoom=1.1), seed=0)
        return list(write_frames(make, range(count), folder, write_png))

    whole = frames(tmp_path / "whole", 4)
    frames(tmp_path / "killed", 2)
    for one, other in zip(whole, frames(tmp_path / "killed", 4), strict=True):
        assert np.array_equal(np.asarray(read_image(one)), np.asarray(read_image(other)))
    assert frame_path(tmp_path / "killed", 3).exists()


def test_a_dreamed_film_goes_on_with_the_same_result(tmp_path):
    frames = moving(4)

    def run(folder, count):
        kind = film(kind="video", blend=0.8)
        footage = Footage(frames[:count])
        return list(write_frames(video(dreamer(), footage, kind, seed=0), footage, folder, write_png))

    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "killed", 3)
    again = run(tmp_path / "killed", 4)
    assert whole[-1].read_bytes() == again[-1].read_bytes()


def test_a_morph_goes_from_the_first_layer_to_the_last():
    start = photo(40, 50)
    make = morph(dreamer(("1", "3")), start, film(kind="morph", frames=3), seed=0)
    first, middle, last = (make(number, None) for number in range(3))
    torch.testing.assert_close(first, dreamer(("1",))(start), atol=1e-6, rtol=0)
    torch.testing.assert_close(last, dreamer(("3",))(start), atol=1e-6, rtol=0)
    assert not torch.allclose(middle, first)
    assert not torch.allclose(middle, last)


def test_a_morph_copies_its_network_once(monkeypatch):
    copies = []
    for name in ("evaluation_copy", "probe", "accelerated_copy"):
        made = getattr(dreamer_module, name)
        counted = lambda *a, _made=made, _name=name, **k: copies.append(_name) or _made(*a, **k)  # noqa: E731
        monkeypatch.setattr(dreamer_module, name, counted)
    make = morph(dreamer(("1", "3")), photo(40, 50).float(), film(kind="morph", frames=5), seed=0)
    for number in range(5):
        make(number, None)
    assert sorted(copies) == ["accelerated_copy", "evaluation_copy", "probe"]


def test_checkpoints_of_one_step_are_one_frame(tmp_path):
    for age, (name, epoch) in enumerate([("epoch_0005", 4), ("best", 7), ("last", 7), ("epoch_0010", 9)]):
        path = tmp_path / "checkpoints" / f"{name}.ckpt"
        path.parent.mkdir(exist_ok=True)
        torch.save({"epoch": epoch, "global_step": 10 * epoch, "state_dict": {}}, path)
        os.utime(path, (age, age))
    (tmp_path / "checkpoints" / "torn.ckpt").write_bytes(b"PK")  # reported when its frame is made
    os.utime(tmp_path / "checkpoints" / "torn.ckpt", (9, 9))
    assert [path.stem for path in checkpoints_of(tmp_path)] == ["epoch_0005", "best", "epoch_0010", "torn"]
    with pytest.raises(ValueError, match="there is no checkpoint in"):
        checkpoints_of(tmp_path / "empty")

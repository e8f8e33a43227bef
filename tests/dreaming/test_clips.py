from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.dreaming.clips import FilmFrame, ImageSequence, at_rate
from deepdream.dreaming.video_reader import open_clip
from tests.dreaming.made_films import quadrants, write

MILLISECONDS = [100, 40, 900, 250]


def images(mode: str = "RGB") -> list[Image.Image]:
    """Four images, each darker than the last."""
    return [Image.fromarray(quadrants() // (n + 1)).convert(mode) for n in range(4)]


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.avif"])
def test_an_animation_is_a_film_in_which_each_frame_has_its_time(tmp_path: Path, name: str) -> None:
    first, *rest = images()
    first.save(tmp_path / name, save_all=True, append_images=rest, duration=MILLISECONDS, loop=0, quality=95)
    frames = list(open_clip(tmp_path / name).frames())
    assert [frame.end - frame.time for frame in frames] == [Fraction(each, 1000) for each in MILLISECONDS]
    for frame, image in zip(frames, images(), strict=True):
        assert abs(np.asarray(frame.image, float) - np.asarray(image, float)).mean() < 6


def test_an_animation_without_delays_is_as_fast_as_in_a_browser(tmp_path: Path) -> None:
    first, *rest = images()
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=0)
    assert [frame.time for frame in open_clip(tmp_path / "a.gif").frames()] == [Fraction(n, 10) for n in range(4)]


def test_the_image_that_stands_for_an_animation_is_no_frame_of_it(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "black").save(
        tmp_path / "a.png", save_all=True, append_images=images(), duration=50, default_image=True
    )
    frames = list(open_clip(tmp_path / "a.png").frames())
    assert len(frames) == 4
    assert np.array_equal(np.asarray(frames[0].image), quadrants())


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.webm", "a.mov"])
def test_what_is_transparent_is_white_and_hidden_colours_stay_hidden(tmp_path: Path, name: str) -> None:
    rgba = np.dstack([quadrants(), np.full((48, 64), 255, np.uint8)])
    rgba[:24, :, 3] = 0
    path = tmp_path / name
    if path.suffix == ".webm":
        write(path, [rgba] * 3, codec="libvpx-vp9", pix_fmt="yuva420p")
    elif path.suffix == ".mov":
        write(path, [rgba] * 3, codec="qtrle", pix_fmt="argb")
    else:
        shown = [Image.fromarray(rgba), Image.fromarray(rgba[:, ::-1])]
        shown[0].save(path, save_all=True, append_images=shown[1:], duration=100, lossless=True, disposal=2)
    clip = open_clip(path)
    image = np.asarray(next(clip.frames()).image)
    assert (image[4:20] == 255).all()
    assert abs(image[40, 10].astype(float) - quadrants()[40, 10]).max() < 12
    assert clip.notes == ["its transparent parts are white in the film"]


def test_frames_of_another_size_are_fitted_into_the_first_ones(tmp_path: Path) -> None:
    for number, size in enumerate([(64, 48), (128, 96), (48, 64)]):
        Image.fromarray(quadrants(size)).save(tmp_path / f"{number}.png")
    clip = ImageSequence(sorted(tmp_path.glob("*.png")), Fraction(15))
    first, same_shape, other_shape = (np.asarray(frame.image, float) for frame in clip.frames())
    assert abs(same_shape - first).mean() < 2
    assert (other_shape[:, :10] == 0).all()  # 36x48 between bars
    assert (other_shape[5, 18] == quadrants()[0, 0]).all()
    assert clip.notes == ["its size changes; all frames have the first one's, 64x48"]


@pytest.mark.parametrize("name", ["photo.png", "photo.gif", "photo.jpg"])
def test_a_still_image_is_no_film(tmp_path: Path, name: str) -> None:
    images()[0].save(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} is a still image; film=video dreams a film, film=zoom makes one"):
        open_clip(tmp_path / name)


def frames_at(*times: float) -> list[FilmFrame]:
    exact = [Fraction(time).limit_denominator(1000) for time in times]
    return [FilmFrame(Image.new("L", (1, 1), n), a, b) for n, (a, b) in enumerate(pairwise(exact))]


@pytest.mark.parametrize(
    ("times", "rate", "numbers", "kept"),
    [
        ([n / 30 for n in range(7)], 10, [0, 3], [0, 0.1, 0.2]),  # every third
        ([n / 25 for n in range(6)], 10, [0, 2], [0, 0.1, 0.2]),  # 0.04 is over at 0.1
        ([0, 0.1, 0.2, 2.2, 2.3], 5, [0, 2, 3], [0, 0.2, 2.2, 2.4]),  # the long frame stays one
        ([0, 0.1, 0.2], 100, [0, 1], [0, 0.1, 0.2]),  # no frames are invented
    ],
)
def test_a_lower_rate_drops_frames_and_keeps_the_speed(times, rate, numbers, kept) -> None:
    found = list(at_rate(iter(frames_at(*times)), Fraction(rate)))
    assert [frame.image.getpixel((0, 0)) for frame in found] == numbers
    assert [float(frame.time) for frame in found] + [float(found[-1].end)] == pytest.approx(kept)

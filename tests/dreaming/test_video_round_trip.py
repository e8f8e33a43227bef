"""Films of all kinds through the reader and the writer: what is shown, when, and what is heard stay the same."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepdream.dreaming.video_reader import open_clip
from deepdream.dreaming.video_sound import plan_sound
from deepdream.dreaming.video_writer import write_film
from tests.dreaming.made_films import heard_click, quadrants, write

ONE = 65536
TURNS = [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)] + [(0, b, c, 0) for b in (1, -1) for c in (1, -1)]
RATES = [Fraction(each) for each in ("10", "25", "24000/1001", "30000/1001", "60")]
SOUNDS = [None, "aac", "ac3", "mp2", "flac", "pcm_s16le", "libopus", "libmp3lame"]


@st.composite
def times(draw: st.DrawFn) -> list[Fraction]:
    """The times of frames at a constant rate, with gaps."""
    rate = draw(st.sampled_from(RATES))
    ticks = sorted(draw(st.sets(st.integers(1, 30), min_size=1, max_size=5)))
    return [tick / rate for tick in [0, *ticks, int(ticks[-1] + rate)]]


FILMS = {
    "turned": st.sampled_from(TURNS),
    "aspect": st.sampled_from([None, Fraction(2), Fraction(1, 2), Fraction(16, 15), Fraction(10, 11)]),
    "times": times(),
    "sound": st.sampled_from(SOUNDS),
    "late": st.sampled_from([Fraction(0), Fraction(1, 4), Fraction(-1, 20)]),
    "full": st.booleans(),
    "matrix": st.sampled_from([1, 5, 6, 9]),
    "size": st.sampled_from([(64, 48), (48, 64), (32, 32)]),
}


def check(turned, aspect, times, sound, late, full, matrix, size) -> None:
    with TemporaryDirectory() as folder:
        check_in(Path(folder), turned, aspect, times, sound, late, full, matrix, size)


def check_in(folder, turned, aspect, times, sound, late, full, matrix, size) -> None:
    a, b, c, d = (each * ONE for each in turned)
    images = [quadrants(size) * ((n + 3) / (n + 4)) for n in range(len(times) - 1)]
    source = write(
        folder / ("a.mp4" if sound in ("libopus", "flac") else "a.mov"),
        images,
        times=times,
        turned=[a, b, 0, c, d, 0, 0, 0, 1 << 30],
        aspect=aspect,
        matrix=matrix,
        full=full,
        tags=(matrix, 1, 1),
        sound=sound,
        sound_from=late,
        click=times[-1] / 2,
    )
    clip = open_clip(source)
    frames = list(clip.frames())
    assert [frame.time for frame in frames] == times[:-1]

    width, height = size
    if aspect is not None:
        width, height = max(width, round(width * aspect)), max(height, round(height / aspect))
    across = turned[0] == 0
    assert frames[0].image.size == ((height, width) if across else (width, height))
    corner = np.asarray(frames[0].image, float)[3, 3]
    right, down = turned[0] + turned[2], turned[1] + turned[3]  # where the image's own corner goes
    expected = images[0][-1 if down < 0 else 0, -1 if right < 0 else 0] if not across else None
    if across:  # rows became columns
        expected = images[0][-1 if right < 0 else 0, -1 if down < 0 else 0]
    assert abs(corner - expected).max() <= 4

    for number, frame in enumerate(frames):
        frame.image.save(folder / f"{number}.png")
    paths = [folder / f"{number}.png" for number in range(len(frames))]
    film = write_film(
        paths,
        folder / "film.mp4",
        times=[frame.time for frame in frames] + [frames[-1].end],
        sound=plan_sound(source, clip.start),
        is_video=clip.is_video,
    )
    again = open_clip(film)
    written = list(again.frames())
    assert [float(frame.time) for frame in written] == pytest.approx([float(time) for time in times[:-1]], abs=1e-4)
    assert written[-1].end == pytest.approx(float(frames[-1].end), abs=1e-4)
    assert again.is_video
    for frame, image in zip(written, frames, strict=True):
        kept = image.image.crop((0, 0, *frame.image.size))
        difference = abs(np.asarray(frame.image, float) - np.asarray(kept, float))
        assert np.median(difference) <= 3  # not the mean: H.264 halves the colours, and edges are many in small images
    if sound is not None:
        assert heard_click(film) == pytest.approx(float(times[-1] / 2 + late), abs=0.035)


@given(**FILMS)
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_film_of_any_kind_stays_the_same(**film) -> None:
    check(**film)


@pytest.mark.slow
@given(**FILMS)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_four_hundred_films_of_any_kind_stay_the_same(**film) -> None:
    check(**film)

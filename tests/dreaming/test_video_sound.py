from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from deepdream.dreaming.video_reader import open_clip
from deepdream.dreaming.video_sound import plan_sound
from deepdream.dreaming.video_writer import write_film
from tests.dreaming.made_films import heard_click, quadrants, write

TENTHS = [Fraction(n, 10) for n in range(16)]


def with_sound_of(clip: Path, film: Path, end: Fraction | None = None) -> Path:
    """A film of two images with the sound of `clip`."""
    Image.fromarray(quadrants()).save(film.with_suffix(".png"))
    frames = open_clip(clip)
    next(frames.frames())
    sound = plan_sound(clip, frames.start)
    assert sound is not None
    return write_film(
        [film.with_suffix(".png")] * 2, film, times=[Fraction(n, 4) for n in range(3)], sound=replace(sound, end=end)
    )


@pytest.mark.parametrize(
    ("codec", "name", "kept"),
    [
        ("aac", "a.mp4", "aac"),
        ("aac", "a.ts", "aac"),
        ("aac", "a.flv", "aac"),
        ("libmp3lame", "a.mkv", "mp3"),
        ("ac3", "a.ts", "ac3"),
        ("alac", "a.mov", "alac"),
        ("flac", "a.mkv", "flac"),
        ("libopus", "a.webm", "opus"),
        ("mp2", "a.ts", "aac"),
        ("wmav2", "a.wmv", "aac"),
        ("adpcm_ms", "a.avi", "aac"),
        ("adpcm_ima_wav", "a.avi", "aac"),
        ("pcm_s16le", "a.mov", "aac"),
        ("pcm_mulaw", "a.avi", "aac"),
    ],
)
def test_a_sound_is_copied_where_an_mp4_can_hold_it_and_stays_in_step(
    tmp_path: Path, codec: str, name: str, kept: str
) -> None:
    video = {".webm": "libvpx-vp9", ".avi": "mpeg4", ".wmv": "wmv2"}.get(Path(name).suffix, "libx264")
    clip = write(
        tmp_path / name,
        times=TENTHS,
        codec=video,
        pix_fmt="yuv420p",
        sound=codec,
        click=Fraction(1, 2),
    )
    film = with_sound_of(clip, tmp_path / "film.mp4")
    with av.open(str(film)) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == kept
    assert heard_click(film) == pytest.approx(heard_click(clip), abs=0.03)


@pytest.mark.parametrize("codec", ["aac", "mp2"])
@pytest.mark.parametrize("late", [Fraction(3, 10), Fraction(-3, 10)])
def test_a_sound_that_begins_later_or_earlier_than_the_images_stays_so(
    tmp_path: Path, codec: str, late: Fraction
) -> None:
    clip = write(
        tmp_path / "a.mkv", times=TENTHS, pix_fmt="yuv420p", sound=codec, click=Fraction(1, 2), sound_from=late
    )
    assert heard_click(clip) == pytest.approx(0.5 + late, abs=0.03)
    assert heard_click(with_sound_of(clip, tmp_path / "film.mp4")) == pytest.approx(0.5 + late, abs=0.03)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_the_sound_ends_with_a_film_that_is_cut_and_is_else_kept(tmp_path: Path, codec: str) -> None:
    clip = write(tmp_path / "a.mov", times=TENTHS, pix_fmt="yuv420p", sound=codec)
    for end in (Fraction(1, 2), None):
        film = with_sound_of(clip, tmp_path / "film.mp4", end=end)
        with av.open(str(film)) as container:
            samples = sum(frame.samples for frame in container.decode(audio=0))
        assert samples / 48_000 == pytest.approx(end or TENTHS[-1], abs=0.05)


def test_a_damaged_sound_does_not_lose_the_film(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.mkv", times=TENTHS, pix_fmt="yuv420p", sound="mp2", click=Fraction(1, 2))
    sound = plan_sound(clip, Fraction(0))
    data = bytearray(clip.read_bytes())
    data[len(data) * 2 // 3 :] = np.random.default_rng(0).bytes(len(data) - len(data) * 2 // 3)
    clip.write_bytes(data)
    Image.fromarray(quadrants()).save(tmp_path / "0.png")
    film = write_film([tmp_path / "0.png"], tmp_path / "film.mp4", times=[0, TENTHS[-1]], sound=sound)
    assert len(list(open_clip(film).frames())) == 1


def test_a_silent_film_stays_silent_and_an_unknown_sound_is_refused_in_one_line(tmp_path: Path) -> None:
    assert plan_sound(write(tmp_path / "a.mp4"), Fraction(0)) is None
    path = write(tmp_path / "b.mkv", pix_fmt="yuv420p", sound="flac")
    path.write_bytes(path.read_bytes().replace(b"A_FLAC", b"A_WHAT"))
    with pytest.raises(
        ValueError, match=r"the sound of .*b\.mkv .* cannot be read .*; save it with AAC sound"
    ) as error:
        plan_sound(path, Fraction(0))
    assert "\n" not in str(error.value)

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from deepdream.dreaming.video_reader import open_clip, read_film_provenance
from deepdream.dreaming.video_sound import plan_sound
from deepdream.dreaming.video_writer import even_times, write_film
from deepdream.images import noise_image, resize_to_width


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    """Eight smooth pictures of 65x43 on disk."""
    paths = []
    for i in range(8):
        path = tmp_path / f"{i}.png"
        resize_to_width(noise_image(4, 6, i), 65).save(path)
        paths.append(path)
    return paths


def sounding(path: Path, seconds: float = 2) -> Path:
    """A film with a tone of 440 Hz."""
    with av.open(str(path), "w") as out:
        picture, sound = out.add_stream("libx264", rate=10), out.add_stream("aac", rate=44100)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        for _ in range(int(10 * seconds)):
            out.mux(picture.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 48), "teal"))))
        wave = np.sin(np.arange(int(44100 * seconds)) * 2 * np.pi * 440 / 44100).astype(np.float32)
        for start in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, start
            out.mux(sound.encode(frame))
        out.mux(picture.encode())
        out.mux(sound.encode())
    return path


def test_an_mp4_holds_the_frames_and_what_made_them(frames, tmp_path):
    made_by = {"seed": 3, "name": "küche"}
    path = write_film(frames, tmp_path / "new" / "film.mp4", times=even_times(8, 12), provenance=made_by)
    read = [frame.image for frame in open_clip(path).frames()]
    assert len(read) == 8
    assert read[0].size == (64, 42)  # H.264 has even sides
    assert open_clip(path).rate == 12
    for frame, source in zip(read, frames, strict=True):
        difference = np.asarray(frame, float) - np.asarray(Image.open(source).convert("RGB"), float)[:42, :64]
        assert abs(difference).mean() < 8
    assert read_film_provenance(path) == made_by
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"


def test_the_sound_of_the_film_is_kept_and_ends_with_it(frames, tmp_path):
    source = sounding(tmp_path / "source.mp4")
    path = write_film(frames, tmp_path / "film.mp4", times=even_times(8, 8), sound=plan_sound(source, Fraction(0)))
    with av.open(str(path)) as container:
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    assert len(sound) / 44100 == pytest.approx(1, abs=0.1)
    spectrum = abs(np.fft.rfft(sound[8000:30000]))
    assert spectrum.argmax() * 44100 / 22000 == pytest.approx(440, abs=5)


def test_a_gif_holds_the_frames(frames, tmp_path):
    path = write_film(frames, tmp_path / "film.gif", times=even_times(8, 10), provenance={"seed": 3})
    with Image.open(path) as gif:
        assert gif.n_frames == 8
        assert gif.info["duration"] == 100
        assert b"seed" in gif.info["comment"]


def test_what_is_no_film_is_refused_in_one_line(tmp_path):
    (tmp_path / "text.mp4").write_text("no film")
    for name, message in (("text.mp4", "cannot be read as a film"), ("none.mp4", "there is no film")):
        with pytest.raises((ValueError, OSError), match=message) as error:
            list(open_clip(tmp_path / name).frames())
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="holds no configuration"):
        read_film_provenance(sounding(tmp_path / "plain.mp4", 0.5))

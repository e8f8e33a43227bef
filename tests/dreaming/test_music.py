from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from deepdream.dreaming.music import Music, listen, read_music
from deepdream.dreaming.timeline import Timeline
from tests.dreaming.networks import photo
from tests.dreaming.test_films import dreamer, film

RATE = 44_100


def click_track(times: np.ndarray, seconds: float, *, noise: float = 0.003, hum: float = 0.1) -> np.ndarray:
    """Clicks of 1 kHz that die away in 30 ms, over a humming chord and noise: (samples,)."""
    rng, t = np.random.default_rng(0), np.arange(int(seconds * RATE)) / RATE
    samples = noise * rng.standard_normal(len(t)) + hum * (np.sin(2 * np.pi * 220 * t) + np.sin(2 * np.pi * 330 * t))
    for time in times:
        part = samples[int(time * RATE) :][: RATE // 10]
        part += (0.8 * np.exp(-t / 0.03) * np.sin(2 * np.pi * 1000 * t))[: len(part)]
    return samples.astype(np.float32)


def write_sound(path: Path, samples: np.ndarray, codec: str) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=RATE, layout="mono")
        size = stream.codec_context.frame_size
        resampler = av.AudioResampler(stream.codec_context.format, "mono", RATE, frame_size=size or 1024)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            for packet in stream.encode(part):
                out.mux(packet)
    return path


def at_frames(music: Music, fps: int, count: int) -> np.ndarray:
    """(frames, 2): onset and loudness."""
    return np.array([music.between(Fraction(n, fps), Fraction(n + 1, fps)) for n in range(count)])


@pytest.mark.slow
@pytest.mark.parametrize("fps", [10, 15, 24, 30])
@pytest.mark.parametrize("hum", [0.0, 0.1])
def test_the_steps_of_a_film_follow_a_click_track(fps: int, hum: float) -> None:
    # Between 15 and 85 % of a frame: a click at the edge of two frames may be seen in either.
    rng = np.random.default_rng(fps)
    frames = np.cumsum(rng.integers(fps // 3, fps, 20))
    times, seconds = (frames + rng.uniform(0.15, 0.85, 20)) / fps, (frames[-1] + fps) / fps
    music = listen(click_track(times, seconds, hum=hum), RATE)
    clicks = np.isin(np.arange(int(seconds * fps)), frames).astype(float)
    levels = at_frames(music, fps, len(clicks))
    timeline = Timeline(dreamer(), film(), lambda: photo(40, 50), levels=lambda number: levels[number])
    steps = [timeline.dreamer(number).config.step_size for number in range(len(clicks))]
    assert np.corrcoef(steps, clicks)[0, 1] > 0.9


def test_the_zoom_follows_the_loudness_of_a_song() -> None:
    swell = np.concatenate([np.linspace(0, 1, 4 * RATE), np.linspace(1, 0, 4 * RATE)])
    samples = swell * np.sin(2 * np.pi * 440 * np.arange(len(swell)) / RATE)
    levels = at_frames(listen(samples.astype(np.float32), RATE), 10, 80)
    timeline = Timeline(dreamer(), film(zoom=1.04), lambda: photo(40, 50), levels=lambda number: levels[number])
    speeds = np.log([timeline.film(number).zoom for number in range(80)]) / np.log(1.04)
    decibels = np.clip(1 + 20 * np.log10(np.maximum(swell[RATE // 20 :: RATE // 10], 1e-9)) / 40, 0, 1)
    assert np.corrcoef(speeds, decibels)[0, 1] > 0.99
    assert speeds.max() == pytest.approx(2, abs=0.01)
    assert speeds.min() == pytest.approx(1, abs=0.1)


def test_a_quiet_recording_moves_a_film_as_a_loud_one() -> None:
    samples = click_track(np.array([0.5, 1.2, 1.9]), 2.5)
    loud, quiet = listen(samples, RATE), listen(samples / 50, RATE)
    np.testing.assert_allclose(quiet.onsets, loud.onsets, atol=1e-3)
    np.testing.assert_allclose(quiet.loudness, loud.loudness, atol=1e-3)


@pytest.mark.parametrize(("codec", "name"), [("libmp3lame", "a.mp3"), ("pcm_s16le", "a.wav"), ("flac", "a.flac")])
def test_a_sound_file_is_heard_at_its_times(tmp_path: Path, codec: str, name: str) -> None:
    times = np.array([0.53, 1.25, 1.97])
    music = read_music(write_sound(tmp_path / name, click_track(times, 2.5, noise=0, hum=0), codec))
    assert music.seconds == pytest.approx(2.5, abs=0.06)
    found = np.flatnonzero(music.onsets > 0.5) * music.step
    np.testing.assert_allclose(found, times, atol=0.03)
    assert music.between(Fraction(60), Fraction(61)) == (0, 0)


def test_what_is_no_song_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no sound .*none.mp3; check the path"):
        read_music(tmp_path / "none.mp3")
    (tmp_path / "text.mp3").write_text("not a song " * 99)
    with pytest.raises(ValueError, match=r"text.mp3 cannot be read as a sound|can be decoded"):
        read_music(tmp_path / "text.mp3")
    with pytest.raises(ValueError, match="is silent"):
        read_music(write_sound(tmp_path / "silent.wav", np.zeros(RATE, np.float32), "pcm_s16le"))

"""What a song does at each moment: how strongly a sound begins, and how loud it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter1d

from deepdream.dreaming.video_sound import Sound, plan_sound

Samples = np.ndarray[Any, np.dtype[np.floating[Any]]]

WINDOW = 0.023  # seconds of a spectrum
HOPS = 8  # spectra begin in the time of one
COMPRESSION = 100  # of magnitudes, in which a tone as loud as the song is 1, so that quiet onsets count too
NEIGHBOURHOOD = 0.5  # seconds; a spectral flux that is usual there is no onset
APART = 0.03  # seconds; of the onsets so close together only the strongest counts
LOUD = 0.05  # seconds over which the power is averaged
QUIET = 40  # dB below the loudest: as good as silent
USUAL_BEAT = 1.0  # seconds; the median of so many of the strongest onsets counts as 1: a single bang is no measure
LOUDEST = 99.5  # percentile of the power that counts as 1
EARLY = 0.65  # hops: as much before its sound the peak of an onset was seen, at most
CHUNK = 4096  # spectra computed at once


@dataclass(frozen=True)
class Music:
    """A song as two curves of equal length, in [0, 1], with a value each `step` seconds.

    onsets: the peaks of the half-wave rectified spectral flux of log-compressed magnitudes, above its local mean; 0
    between them. loudness: in dB,
    0 where it is QUIET dB below the loudest, or quieter.

    Source of the onsets: Müller, "Fundamentals of Music Processing" (2015), section 6.1.2.
    """

    onsets: Samples
    loudness: Samples
    step: float
    seconds: float
    sound: Sound | None = None  # how a film gets it

    def between(self, start: Fraction, end: Fraction) -> tuple[float, float]:
        """The strongest onset and the mean loudness of a time from the song's beginning; 0 after its end."""
        first = min(max(0, ceil(start / self.step - EARLY)), len(self.onsets))
        after = max(first + 1, ceil(end / self.step - EARLY))
        if first == len(self.onsets):
            return 0.0, 0.0
        return float(self.onsets[first:after].max()), float(self.loudness[first:after].mean())


def read_music(path: Path) -> Music:
    """The song in a sound file or film.

    Raises FileNotFoundError, and ValueError where the file has no sound or it cannot be decoded.
    """
    sound = plan_sound(path, Fraction(0))
    if sound is None:
        raise ValueError(f"film.music={path} has no sound; name a song, or leave film.music out")
    samples, rate = sound.samples()
    if not samples.any():
        raise ValueError(f"film.music={path} is silent; name another song, or leave film.music out")
    return replace(listen(samples, rate), sound=sound)


def listen(samples: Samples, rate: int) -> Music:
    """The curves of a sound (samples,) of `rate` samples a second."""
    hop = max(1, round(WINDOW * rate / HOPS))
    window = HOPS * hop
    # Window n ends one hop after hop n, because its last hop weighs nearly nothing: it is the first that holds a sound
    # which begins in hop n.
    padded = np.pad(samples, (window - 2 * hop, hop + -len(samples) % hop))
    flux = np.concatenate(list(_flux(sliding_window_view(padded / np.abs(samples).max(), window)[::hop])))
    step = hop / rate
    rising = np.maximum(flux - _averaged(flux, NEIGHBOURHOOD / step), 0)
    # A spectrum grows over as many hops as a window has; how the growth is shared out says only where a hop begins.
    onsets = np.convolve(rising, np.ones(HOPS + 1), mode="same")
    onsets[rising < maximum_filter1d(rising, 2 * round(APART / step) + 1)] = 0
    power = _averaged(np.square(padded[window - 2 * hop : -hop]).reshape(-1, hop).mean(axis=1), LOUD / step)
    decibels = 10 * np.log10(np.maximum(power, 1e-20) / (np.percentile(power, LOUDEST) or power.max()))
    strong = np.median(np.sort(onsets)[-max(1, round(len(samples) / rate / USUAL_BEAT)) :])
    return Music(
        np.clip(onsets / max(strong, 1e-20), 0, 1), np.clip(1 + decibels / QUIET, 0, 1), step, len(samples) / rate
    )


def _flux(windows: Samples) -> Iterator[Samples]:
    """How much the spectrum has grown from each window of `windows` (N, samples) to the next, in parts of (N,)."""
    shape, before = np.hanning(windows.shape[1]).astype(np.float32), None
    shape *= 2 / shape.sum()
    for start in range(0, len(windows), CHUNK):
        magnitudes = np.log1p(COMPRESSION * np.abs(np.fft.rfft(windows[start : start + CHUNK] * shape)))
        before = np.zeros_like(magnitudes[:1]) if before is None else before
        yield np.maximum(np.diff(magnitudes, axis=0, prepend=before), 0).sum(axis=1)
        before = magnitudes[-1:]


def _averaged(values: Samples, width: float) -> Samples:
    """`values` (N,) averaged over about `width` neighbours; beyond the ends they are 0."""
    count = min(2 * int(width / 2) + 1, 2 * ((len(values) - 1) // 2) + 1)
    return np.convolve(values, np.full(count, 1 / count), mode="same")

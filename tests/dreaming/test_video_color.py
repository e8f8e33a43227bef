"""Colours of films, compared with the equations of the Recommendations and never with FFmpeg's own conversion."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from deepdream.dreaming.video_color import PEAK, WHITE, nits_to_pq, pq_to_nits, rolled_off, to_srgb_primaries
from deepdream.dreaming.video_reader import open_clip
from tests.dreaming.made_films import as_yuv, quadrants, write

HD = (1280, 32)
# BT.2087-0 prints the inverse of this matrix: linear BT.709 to BT.2020.
FROM_709_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def shown(path: Path) -> np.ndarray:
    return np.asarray(next(open_clip(path).frames()).image, float)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("matrix", "tag", "size"),
    [(1, 1, (64, 48)), (6, 6, HD), (5, 5, HD), (9, 9, HD), (6, 2, (64, 48)), (1, 2, HD), (1, 2, (64, 1080))],
)
def test_the_matrix_and_the_range_are_those_of_the_tags_or_of_the_size(
    tmp_path: Path, matrix: int, tag: int, size: tuple[int, int], full: bool
) -> None:
    path = write(tmp_path / "a.mp4", [quadrants(size)], times=[0, 1], matrix=matrix, full=full, tags=(tag, 2, 2))
    assert abs(shown(path) - quadrants(size)).max() <= 3


def test_a_film_in_rgb_is_read_as_it_is(tmp_path: Path) -> None:
    rgba = np.dstack([quadrants(), np.full((48, 64), 255, np.uint8)])
    path = write(tmp_path / "a.mkv", [rgba], times=[0, 1], codec="ffv1", pix_fmt="bgr0", tags=(0, 1, 13))
    assert np.array_equal(shown(path), quadrants())


def linear(srgb: np.ndarray) -> np.ndarray:
    """By IEC 61966-2-1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def hlg(light: np.ndarray) -> np.ndarray:
    """HLG of display light in nits (H, W, 3), for a display of 1,000: ITU-R BT.2100, inverse OOTF and OETF."""
    display = light / 1000
    luma = display @ np.array([0.2627, 0.6780, 0.0593])
    scene = display * np.where(luma > 0, luma, 1)[..., None] ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 1 - 4 * 0.17883277, 0.5 - 0.17883277 * np.log(4 * 0.17883277)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def pq(light: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084 of light in nits."""
    y = (light / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


@pytest.mark.parametrize(("transfer", "encode"), [(16, pq), (18, hlg)])
def test_hdr_comes_out_as_the_srgb_that_it_was_made_from(tmp_path: Path, transfer: int, encode) -> None:
    srgb = quadrants() * (160 / 235)  # below the knee of the roll-off
    light = linear(srgb / 255) @ FROM_709_TO_2020.T * 203  # ITU-R BT.2408: white is 203 nits
    yuv = as_yuv(encode(light), 9, full=False, bits=10)
    path = write(tmp_path / "a.mkv", [yuv], times=[0, 1], codec="ffv1", pix_fmt="yuv444p10le", tags=(9, 9, transfer))
    clip = open_clip(path)
    found = np.asarray(next(frames := clip.frames()).image, float)
    list(frames)
    assert abs(found - srgb).max() <= 4  # 10 bits of PQ are coarse in the dark
    assert clip.notes == ["its HDR colours became sRGB (docs/dreams.md)"]
    assert not clip.is_video


def test_bright_light_is_rolled_off_up_to_white() -> None:
    light = np.linspace(0, PEAK / WHITE, 500)
    curve = rolled_off(light)
    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == pytest.approx(1, abs=1e-3)
    dark = light < 80 / WHITE  # the knee is at 87 nits
    assert np.array_equal(curve[dark], light[dark].astype(np.float32))
    assert pq_to_nits(nits_to_pq(light * WHITE)) == pytest.approx(light * WHITE, rel=1e-6, abs=1e-6)
    assert nits_to_pq(np.array([0.0, 100.0, 1000.0])) == pytest.approx([0, 0.5081, 0.7518], abs=1e-4)  # ST 2084


def test_wide_primaries_become_those_of_srgb(tmp_path: Path) -> None:
    srgb = quadrants() / 255
    light = linear(srgb) @ FROM_709_TO_2020.T
    wide = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    yuv = as_yuv(wide, 9, full=False, bits=10)
    path = write(tmp_path / "a.mkv", [yuv], times=[0, 1], codec="ffv1", pix_fmt="yuv444p10le", tags=(9, 9, 14))
    assert abs(shown(path) - quadrants()).max() <= 3
    assert np.linalg.inv(to_srgb_primaries(9)) == pytest.approx(FROM_709_TO_2020, abs=2e-4)


def test_a_matrix_that_is_not_supported_is_refused_in_one_line(tmp_path: Path) -> None:
    yuv = as_yuv(quadrants() / 255, 9, full=False)
    path = write(tmp_path / "a.mp4", [yuv], times=[0, Fraction(1)], tags=(14, 9, 16))
    with pytest.raises(ValueError, match=r"its colour matrix \(number 14 of H.273\) is not supported"):
        next(open_clip(path).frames())

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from deepdream.dreaming import video_reader
from deepdream.dreaming.video_reader import Clock, open_clip
from tests.dreaming.made_films import quadrants, write

ONE = 65536
MATRICES = [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)] + [(0, b, c, 0) for b in (1, -1) for c in (1, -1)]


def first_frame(path: Path) -> np.ndarray:
    return np.asarray(next(open_clip(path).frames()).image, float)


@pytest.mark.parametrize("abcd", MATRICES)
def test_a_film_is_upright_at_every_rotation_and_mirrored(tmp_path: Path, abcd: tuple[int, ...]) -> None:
    a, b, c, d = abcd
    path = write(tmp_path / "a.mp4", turned=[a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30])
    stored = quadrants()
    rows, columns = np.mgrid[: stored.shape[0], : stored.shape[1]]
    x, y = a * columns + c * rows, b * columns + d * rows  # of ISO/IEC 14496-12: (x, y) = (p, q) times the matrix
    shown = np.zeros((np.ptp(y) + 1, np.ptp(x) + 1, 3))
    shown[y - y.min(), x - x.min()] = stored
    found = first_frame(path)
    assert found.shape == shown.shape
    assert abs(found - shown).mean() < 2


@pytest.mark.parametrize(
    ("aspect", "size"), [("2", (128, 48)), ("1/2", (64, 96)), ("16/15", (68, 48)), ("1000", (64, 48))]
)
def test_pixels_become_square_and_none_is_lost(tmp_path: Path, aspect: str, size: tuple[int, int]) -> None:
    found = first_frame(write(tmp_path / "a.mp4", aspect=Fraction(aspect)))
    assert found.shape == (size[1], size[0], 3)
    assert (
        abs(found - np.asarray(Image.fromarray(quadrants()).resize(size, Image.Resampling.NEAREST), float)).mean() < 4
    )


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mov"])
def test_each_frame_keeps_its_time(tmp_path: Path, name: str) -> None:
    times = [Fraction(n, 10) for n in (0, 1, 2, 22, 23, 25, 26)]
    frames = list(open_clip(write(tmp_path / name, times=times)).frames())
    assert [frame.time for frame in frames] == times[:-1]


def test_a_clock_grows_whatever_the_file_says() -> None:
    clock = Clock(Fraction(1, 10))
    said = [5, 5.1, None, 5.3, 5.3, 5.4, 0, 0.1, 0.4]
    found = [float(clock(None if time is None else Fraction(time).limit_denominator(100))) for time in said]
    assert found == pytest.approx([5, 5.1, 5.2, 5.3, 5.35, 5.4, 5.5, 5.6, 5.9])


@pytest.mark.parametrize(
    ("codec", "name"), [("mpeg4", "a.avi"), ("wmv2", "a.wmv"), ("mpeg1video", "a.mpg"), ("mjpeg", "a.avi")]
)
def test_a_film_of_an_old_container_has_its_rate(tmp_path: Path, codec: str, name: str) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    with av.open(str(tmp_path / name), "w") as out:
        stream = out.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        frames = [av.VideoFrame.from_ndarray(quadrants(), format="rgb24") for _ in range(12)]
        for frame in [*frames, None]:
            out.mux(stream.encode(frame))
    clip = open_clip(tmp_path / name)
    found = list(clip.frames())
    assert float(clip.rate) == pytest.approx(24, rel=0.02)
    assert [float(frame.time) for frame in found] == pytest.approx([n / 24 for n in range(12)], abs=0.002)
    assert float(found[-1].end) == pytest.approx(0.5, abs=0.003)


def test_a_film_of_one_frame_is_a_film(tmp_path: Path) -> None:
    (frame,) = open_clip(write(tmp_path / "a.mp4", times=[Fraction(0), Fraction(2)])).frames()
    assert (frame.time, frame.end) == (0, 2)


def test_a_size_that_changes_within_a_stream_is_fitted(tmp_path: Path) -> None:
    sizes = [(64, 48), (128, 96), (48, 64)]
    parts = [write(tmp_path / "part.ts", [quadrants(size)] * 3).read_bytes() for size in sizes]
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    clip = open_clip(tmp_path / "joined.ts")
    frames = list(clip.frames())
    assert {frame.image.size for frame in frames} == {(64, 48)}
    assert len(frames) > 6
    assert all(a.time < b.time for a, b in pairwise(frames))
    assert clip.notes == ["its size changes; all frames have the first one's, 64x48"]


def noise(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 48, 64, 4), np.uint8))


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.flv"])
def test_a_film_that_is_cut_has_the_frames_that_are_there(tmp_path: Path, name: str) -> None:
    times = [Fraction(n, 10) for n in range(11)]
    path = write(tmp_path / name, noise(10), times=times, pix_fmt="yuv420p", options={"bf": "0"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    frames = list(open_clip(path).frames())
    assert 3 <= len(frames) <= 7
    assert [frame.time for frame in frames] == times[: len(frames)]


def test_damaged_packets_are_skipped_and_counted(tmp_path: Path) -> None:
    times = [Fraction(n, 10) for n in range(11)]
    path = write(tmp_path / "a.mov", noise(10), times=times, codec="png", pix_fmt="rgba")
    with av.open(str(path)) as film:
        third = [bytes(packet) for packet in film.demux(video=0)][3]
    path.write_bytes(path.read_bytes().replace(third, bytes(len(third))))
    clip = open_clip(path)
    assert [frame.time for frame in clip.frames()] == [*times[:3], *times[4:10]]
    assert "it is damaged or cut short; 1 of its packets were skipped" in clip.notes


def test_only_the_frames_that_are_asked_for_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.mp4", times=[Fraction(n, 10) for n in range(41)])
    decoded = []
    convert = video_reader.to_srgb
    monkeypatch.setattr(video_reader, "to_srgb", lambda *a: decoded.append(1) or convert(*a))
    frames = open_clip(path).frames()
    assert [next(frames).time, next(frames).time] == [0, Fraction(1, 10)]
    assert len(decoded) == 3


def test_a_song_with_a_cover_is_no_film(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame.from_ndarray(quadrants(), format="rgb24")))
        out.mux(cover.encode())
    with pytest.raises(ValueError, match="has no images in it"):
        open_clip(tmp_path / "song.m4a")


def test_interlaced_frames_become_whole_images(tmp_path: Path) -> None:
    frames = []
    for number in range(8):  # the two fields of a frame are taken one after the other: a bar that moves is a comb
        image = np.full((48, 64, 3), 40, np.uint8)
        for field in (0, 1):
            image[field::2, 6 * number + 3 * field : 6 * number + 3 * field + 8] = 220
        frames.append(image)
    times = [Fraction(n, 25) for n in range(9)]
    flags = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    path = write(tmp_path / "a.mkv", frames, times=times, pix_fmt="yuv420p", options=flags)
    found = list(open_clip(path).frames())
    assert [frame.time for frame in found] == times[:-1]
    combs = [abs(np.diff(np.asarray(frame.image, float)[..., 0], axis=0)).mean() for frame in found[1:-1]]
    assert max(combs) < 2 < abs(np.diff(frames[1][..., 0].astype(float), axis=0)).mean()

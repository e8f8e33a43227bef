from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from deepdream.dreaming.video_reader import open_clip, read_film_provenance
from deepdream.dreaming.video_writer import check_film, even_times, gif_delays, write_film
from deepdream.images import noise_image, resize_to_width
from tests.dreaming.made_films import as_yuv, quadrants, write


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    """Eight smooth pictures of 65x43 on disk."""
    paths = []
    for i in range(8):
        path = tmp_path / f"{i}.png"
        resize_to_width(noise_image(4, 6, i), 65).save(path)
        paths.append(path)
    return paths


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


@pytest.mark.parametrize("is_video", [False, True])
def test_every_colour_is_tagged_and_the_pixels_are_what_the_tags_say(tmp_path: Path, is_video: bool) -> None:
    Image.fromarray(quadrants((1280, 64))).save(tmp_path / "0.png")
    path = write_film([tmp_path / "0.png"], tmp_path / "film.mp4", times=even_times(1, 1), is_video=is_video)
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        frame = next(container.decode(video=0))
        assert (frame.colorspace, codec.color_primaries, frame.color_range) == (1, 1, 1)
        assert codec.color_trc == (1 if is_video else 13)  # BT.709, or sRGB
        planes = [np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
    for row, column in ((16, 320), (16, 960), (48, 320), (48, 960)):
        found = [float(planes[0][row, column]), *(float(plane[row // 2, column // 2]) for plane in planes[1:])]
        exact = as_yuv(quadrants((1280, 64))[row : row + 1, column : column + 1] / 255, 1, full=False)
        assert found == pytest.approx(exact.ravel().tolist(), abs=2)


def test_the_times_of_the_frames_and_of_the_end_are_kept(frames, tmp_path) -> None:
    times = [Fraction(n, 1000) for n in (0, 33, 67, 100, 2100, 2133, 2167, 2200, 2700)]
    written = list(open_clip(write_film(frames, tmp_path / "film.mp4", times=times)).frames())
    assert [frame.time for frame in written] + [written[-1].end] == times
    ntsc = even_times(8, 30000 / 1001)
    path = write_film(frames, tmp_path / "ntsc.mp4", times=ntsc)
    assert [frame.time for frame in open_clip(path).frames()] == ntsc[:-1]


def test_a_gif_holds_the_frames(frames, tmp_path):
    path = write_film(frames, tmp_path / "film.gif", times=even_times(8, 10), provenance={"seed": 3})
    with Image.open(path) as gif:
        assert gif.n_frames == 8
        assert gif.info["duration"] == 100
        assert b"seed" in gif.info["comment"]


@pytest.mark.parametrize("fps", [15, 24, 30, 23.976, 50, 12.5])
def test_a_gif_is_as_long_as_its_frames(fps: float) -> None:
    delays = gif_delays(even_times(100, fps))
    assert sum(delays) / 100 == pytest.approx(100 / fps, rel=0.01)
    assert set(delays) <= {int(100 / fps), int(100 / fps) + 1}


def test_frames_that_a_gif_cannot_show_as_shortly_are_made_up_for() -> None:
    times = [Fraction(n, 100) for n in (0, 0, 1, 10, 10, 20)]
    assert gif_delays(times) == [2, 2, 6, 2, 8]


@pytest.mark.parametrize(
    ("name", "size", "fps", "message"),
    [
        ("a.gif", (64, 48), 60, "a GIF shows at most 50 frames a second, not 60; set film.fps=50"),
        ("a.gif", (70_000, 8), 10, "a GIF has at most 65,535 pixels a side"),
        ("a.mp4", (1, 48), 10, "frames of 1x48 cannot be written as H.264"),
        ("a.mp4", (40_000, 64), 10, "frames of 40000x64 cannot be written as H.264"),
        ("a.mov", (64, 48), 10, "a film must end in .mp4 or .gif"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_first_frame(name, size, fps, message) -> None:
    with pytest.raises(ValueError, match=message) as error:
        check_film(Path(name), size, fps)
    assert "\n" not in str(error.value)


def test_what_is_no_film_is_refused_in_one_line(tmp_path):
    (tmp_path / "text.mp4").write_text("no film")
    for name, message in (("text.mp4", "cannot be read as a film"), ("none.mp4", "there is no film")):
        with pytest.raises((ValueError, OSError), match=message) as error:
            list(open_clip(tmp_path / name).frames())
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="holds no configuration"):
        read_film_provenance(write(tmp_path / "plain.mp4"))

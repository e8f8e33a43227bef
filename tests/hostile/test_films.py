"""Hostile films: scripts and play lists under a film's name, lies about length and size, files cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.dreaming import video_reader
from deepdream.dreaming.film_config import FPS_RANGE
from deepdream.dreaming.video_reader import open_clip, read_film_provenance
from deepdream.dreaming.video_writer import even_times, write_film
from deepdream.provenance import MAX_PROVENANCE
from tests.hostile.guard import guard, outcome

FRAMES = 8
LAST, BIG = b"\x7f\xff\xff\xff", b"\x00\xff\xff\xff"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("film")
    rng = np.random.default_rng(0)
    frames = [folder / f"{number}.png" for number in range(FRAMES)]
    for frame in frames:
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(frame)
    return write_film(frames, folder / "film.mp4", times=even_times(FRAMES, 10), provenance={"seed": 1}).read_bytes()


def used(path: Path) -> list[object]:
    """What each function that reads a film makes of it: the number of frames, the rate, the provenance."""
    uses = (
        lambda: sum(1 for _ in open_clip(path).frames()),
        lambda: open_clip(path).rate,
        lambda: read_film_provenance(path),
    )
    return [outcome(use) for use in uses]


@pytest.mark.parametrize("sixteenths", range(16))
def test_a_film_cut_short_gives_the_frames_that_are_there_or_one_line(
    tmp_path: Path, film: bytes, sixteenths: int
) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(film[: len(film) * sixteenths // 16])
    with guard(tmp_path):
        frames, *_ = used(path)
    assert "cut.mp4 cannot be read as a film" in frames if isinstance(frames, str) else frames < FRAMES


LIES = {
    "every duration": [(atom, 16, LAST) for atom in (b"mvhd", b"mdhd")],
    "the clock": [(b"mdhd", 12, LAST)],
    "a clock that stands": [(b"mdhd", 12, bytes(4))],
    "the number of samples": [(b"stsz", 12, LAST)],
    "the size of each sample": [(b"stsz", 8, LAST)],
    "the number of times": [(b"stts", 8, LAST)],
    "frames that last for ever": [(b"stts", 16, BIG)],
    "frames that last no time": [(b"stts", 16, bytes(4))],
    "the number of chunks": [(b"stco", 8, LAST)],
    "where the frames lie": [(b"stco", 12, LAST)],
    "the size of the picture": [(b"avc1", 28, b"\xff\xff\xff\xff"), (b"tkhd", 80, LAST + LAST)],
    "the size of a part": [(b"moov", -4, LAST)],
}


@pytest.mark.parametrize("kind", LIES)
def test_a_film_that_lies_is_read_as_far_as_it_goes(tmp_path: Path, film: bytes, kind: str) -> None:
    lying = bytearray(film)
    for atom, place, value in LIES[kind]:
        start = lying.index(atom) + 4 + place - 4 * (place < 0)
        lying[start : start + len(value)] = value
    path = tmp_path / "film.mp4"
    path.write_bytes(lying)
    with guard(tmp_path):
        frames, rate, _ = used(path)
    assert isinstance(frames, str) or frames <= FRAMES
    assert isinstance(rate, str) or FPS_RANGE[0] <= rate <= FPS_RANGE[1]


PLAY_LIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9.0,\n{}\n#EXT-X-ENDLIST\n"
SCRIPTS = {
    "concat.mp4": "ffconcat version 1.0\nfile secret.mp4\n",
    "list.m3u8": PLAY_LIST.format("secret.mp4"),
    "list.mp4": PLAY_LIST.format("secret.mp4"),
    "address.m3u8": PLAY_LIST.format("http://127.0.0.1:9/film.ts"),
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "dash.mpd": '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>secret.mp4</BaseURL></Period></MPD>',
    "words.txt": "no film\n" * 99,
    "picture%d.png": "",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_film_makes_nobody_open_another_file(tmp_path: Path, film: bytes, name: str) -> None:
    (tmp_path / "secret.mp4").write_bytes(film)
    path = tmp_path / name
    path.write_text(SCRIPTS[name])
    with guard(tmp_path):
        found = used(path)
    assert all(isinstance(each, str) and "cannot be read as a film" in each for each in found)


@pytest.mark.parametrize("name", ["http:film.mp4", "concat:a|b.mp4", "%d.mp4", "-i.mp4", "küche 厨.mp4"])
def test_a_name_is_only_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, film: bytes, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(film)
    assert used(Path(name)) == [FRAMES, 10, {"seed": 1}]


def test_frames_too_large_are_refused_before_they_are_decoded(
    tmp_path: Path, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(film)
    monkeypatch.setattr(video_reader, "MAX_FRAME_PIXELS", 64 * 48 - 1)
    with guard(tmp_path):
        assert f"the frames of {path} are 64x48; 3,071 pixels are allowed" in used(path)


def test_a_comment_is_read_up_to_its_limit(tmp_path: Path, film: bytes) -> None:
    frame = tmp_path / "0.png"
    Image.new("RGB", (16, 16)).save(frame)
    long = write_film([frame], tmp_path / "long.mp4", times=even_times(1, 1), provenance={"a": "x" * MAX_PROVENANCE})
    with guard(tmp_path):
        assert "1,000,000 are allowed" in used(long)[2]

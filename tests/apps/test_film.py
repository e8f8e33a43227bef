"""Films of dreams, made in this process with a network of two layers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.apps.film import dream_film
from deepdream.dreaming.video_reader import open_clip
from deepdream.models import Network
from deepdream.schema import compose
from tests.dreaming.made_films import heard_click, quadrants, write
from tests.dreaming.networks import small_network
from tests.dreaming.test_music import click_track, write_sound

QUICK = ("dream=gordic", "dream.layers=['3']", "dream.octaves=1", "dream.steps=1", "dream.width=64", "precision=fp32")
TENTHS = [Fraction(n, 10) for n in range(7)]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(quadrants()).save("photo.png")
    Image.fromarray(quadrants()[::-1]).save("other.png")


def dream(*overrides: str, output: str = "film.mp4", network: Network | None = None) -> Path:
    dream_film(compose("dream", [*QUICK, *overrides]), network or small_network(), Path(output), ())
    return Path(output)


def frames_of(name: str = "film") -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(f"{name}_frames").glob("*.png"))]


def test_a_longer_film_continues_and_says_what_it_reuses(capsys: pytest.CaptureFixture[str]) -> None:
    dream("film=zoom", "image=photo.png", "film.frames=2")
    before = frames_of()
    assert "reused" not in capsys.readouterr().out
    dream("film=zoom", "image=photo.png", "film.frames=4", "film.fps=8")
    assert frames_of()[:2] == before
    assert (
        "reused:     2 frames in film_frames, of the same inputs, configuration and network" in capsys.readouterr().out
    )
    Path("copy.png").write_bytes(Path("photo.png").read_bytes())
    dream("film=zoom", "image=copy.png", "film.frames=4")
    assert "reused:     4 frames" in capsys.readouterr().out
    assert len(list(open_clip(Path("film.mp4")).frames())) == 4


@pytest.mark.parametrize(
    ("kind", "changes", "why"),
    [
        ("zoom", ("dream.steps=2",), r"dream.steps was 1 and is 2"),
        ("zoom", ("dream=inceptionism",), r"dream\..* was .*, \.\.\."),
        ("zoom", ("seed=3",), r"seed was 0 and is 3"),
        ("zoom", ("image=other.png",), r"image has other content"),
        ("morph", ("film.frames=3",), r"film.frames was 2 and is 3"),
    ],
)
def test_frames_of_another_film_are_not_reused(kind: str, changes: tuple[str, ...], why: str) -> None:
    overrides = [f"film={kind}", "image=photo.png", "film.frames=2"]
    dream(*overrides)
    before = frames_of()
    with pytest.raises(ValueError, match=rf"film_frames holds the frames of another film \({why}.*; remove the folder"):
        dream(*overrides, *QUICK, *changes)
    assert frames_of() == before


def test_a_replaced_photo_guide_or_network_is_another_film() -> None:
    overrides = ("film=zoom", "image=photo.png", "guide=other.png", "dream=guided", *QUICK[1:], "film.frames=1")
    dream(*overrides)
    Image.fromarray(quadrants()[:, ::-1]).save("other.png")
    with pytest.raises(ValueError, match="guide has other content"):
        dream(*overrides)
    Image.fromarray(quadrants()[::-1]).save("other.png")
    Image.fromarray(quadrants()[:, ::-1]).save("photo.png")
    with pytest.raises(ValueError, match="image has other content"):
        dream(*overrides)


def test_a_replaced_clip_is_another_film_and_the_same_one_is_reused(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("clip.mp4"), times=TENTHS)
    dream("film=video", "image=clip.mp4", "film.frames=2")
    dream("film=video", "image=clip.mp4", "film.frames=3")
    assert "reused:     2 frames" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"film.fps was None and is 5"):
        dream("film=video", "image=clip.mp4", "film.fps=5")
    write(Path("clip.mp4"), [quadrants()[::-1]] * 6, times=TENTHS)
    with pytest.raises(ValueError, match="image has other content"):
        dream("film=video", "image=clip.mp4")


def test_images_of_somebody_else_are_not_taken_for_frames() -> None:
    Path("film_frames").mkdir()
    Image.fromarray(quadrants()).save("film_frames/000000.png")
    with pytest.raises(ValueError, match=r"film_frames holds the frames of another film \(there is no film.json\)"):
        dream("film=video", "image=film_frames")


def test_a_lower_rate_keeps_the_speed_and_two_frames_are_two() -> None:
    write(Path("clip.mp4"), times=[Fraction(n, 30) for n in range(13)])
    slow = list(open_clip(dream("film=video", "image=clip.mp4", "film.fps=10", output="slow.mp4")).frames())
    assert [frame.time for frame in slow] == TENTHS[:4]
    assert slow[-1].end == Fraction(4, 10)
    assert len(list(open_clip(dream("film=video", "image=clip.mp4", "film.frames=2", output="two.mp4")).frames())) == 2


def test_a_folder_or_a_list_of_images_is_a_film_in_natural_order() -> None:
    Path("shots").mkdir()
    for number in range(8, 12):
        Image.new("RGB", (64, 48), (number * 20, 0, 0)).save(f"shots/shot{number}.png")
    film = dream("film=video", "image=shots", "film.fps=5", "dream.step_size=1e-6", "film.blend=0", "dream.contrast=1")
    frames = list(open_clip(film).frames())
    assert [frame.time for frame in frames] == [Fraction(n, 5) for n in range(4)]
    assert [round(np.asarray(frame.image)[..., 0].mean() / 20) for frame in frames] == [8, 9, 10, 11]
    listed = dream("film=video", "image=[shots/shot10.png,shots/shot8.png]", output="list.mp4")
    assert len(list(open_clip(listed).frames())) == 2


def test_an_animation_keeps_its_delays_as_a_gif() -> None:
    first, *rest = [Image.fromarray(quadrants() // (n + 1)) for n in range(3)]
    first.save("in.webp", save_all=True, append_images=rest, duration=[100, 700, 300])
    with Image.open(dream("film=video", "image=in.webp", output="out.gif")) as film:
        delays = []
        for number in range(film.n_frames):
            film.seek(number)
            delays.append(film.info["duration"])
    assert delays == [100, 700, 300]


@pytest.mark.parametrize(
    ("overrides", "output", "message"),
    [
        (("image=fast.mp4",), "film.gif", "a GIF shows at most 50 frames a second, not 60"),
        (("image=unheard.mkv",), "film.mp4", r"the sound of unheard.mkv \(.*\) cannot be read"),
        (("image=fast.mp4",), "fast.mp4", "output is fast.mp4, the film to dream on"),
        (("image=fast.mp4",), "film.avi", "a film must end in .mp4 or .gif"),
        (("image=photo.png",), "film.mp4", "photo.png is a still image"),
    ],
)
def test_what_cannot_become_a_film_is_refused_before_the_first_dream(overrides, output, message) -> None:
    write(Path("fast.mp4"), times=[Fraction(n, 60) for n in range(5)])
    unheard = write(Path("unheard.mkv"), pix_fmt="yuv420p", sound="flac")
    unheard.write_bytes(unheard.read_bytes().replace(b"A_FLAC", b"A_WHAT"))
    with pytest.raises(ValueError, match=message) as error:
        dream("film=video", *overrides, output=output)
    assert "\n" not in str(error.value)
    assert not list(Path().glob("*_frames"))


def test_a_song_drives_a_film_and_becomes_its_sound(capsys: pytest.CaptureFixture[str]) -> None:
    write_sound(Path("song.mp3"), click_track(np.array([0.55]), 1.0, noise=0, hum=0), "libmp3lame")
    song = ("film=zoom", "image=photo.png", "film.fps=10", "film.music=song.mp3")
    dream(*song, "film.frames=3")
    dream(*song, "film.frames=null", "film.keys={zoom: {0: 1.04}}", output="whole.mp4")
    assert "the song lasts 1.0 s, which are" in capsys.readouterr().out
    assert heard_click(Path("whole.mp4")) == pytest.approx(0.55, abs=0.04)
    frames = [np.asarray(frame.image, float) for frame in open_clip(Path("whole.mp4")).frames()]
    assert len(frames) in (10, 11)
    with pytest.raises(ValueError, match=r"film\.keys was None and is"):
        dream(*song, "film.frames=4", "film.keys={zoom: {0: 1.1}}")
    write_sound(Path("song.mp3"), click_track(np.array([0.3]), 1.0), "libmp3lame")
    with pytest.raises(ValueError, match="music has other content"):
        dream(*song, "film.frames=4")
    dream(*song, "film.frames=2", output="mute.gif")
    assert "a GIF has no sound; write an .mp4 to hear song.mp3" in capsys.readouterr().out

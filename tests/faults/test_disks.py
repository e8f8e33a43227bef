"""A full disk and a read-only one: a one-line error, and no incomplete files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import disks
from tests.forks import begin

pytestmark = pytest.mark.skipif(not disks.allowed(), reason="this system lets no process mount a disk for itself")

DREAM = ("ckpt=box", "dream.width=640", "dream.octaves=1", "dream.steps=1")


def assert_error(output: str, *parts: str) -> None:
    """One line is the error, with all `parts` in it."""
    assert "Traceback" not in output
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    for part in parts:
        assert part in line, output


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The mount point of the small disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("arguments", "size", "parts"),
    [
        pytest.param(
            ("hydra.run.dir=disk/run",),
            "50m",
            ("of checkpoints (No space left on device)", "make room"),
            marks=pytest.mark.slow,
        ),
        (
            ("data.cache_dir=disk/cache",),
            "100k",
            ("data.cache_dir is disk/cache", "No space left", "data.cache_images=false"),
        ),
    ],
    ids=["checkpoints", "cache"],
)
def test_training_on_a_full_disk_is_a_one_line_error(
    arguments: tuple[str, ...], size: str, parts: tuple[str, ...], tiny_run: tuple[str, ...], disk: Path
) -> None:
    command = begin(
        "train", *tiny_run, "data.cache_image_size=64", *arguments, folder=disk.parent, before=disks.small(disk, size)
    )
    assert command.wait() == 1, command.said
    assert_error(command.said, *parts)
    assert "epoch" not in command.said


def test_rendering_rooms_on_a_full_disk_is_a_one_line_error(tiny_run: tuple[str, ...], disk: Path) -> None:
    command = begin(
        "train",
        *tiny_run,
        "data.root=disk/rooms",
        "data.rooms.size=256",
        folder=disk.parent,
        before=disks.small(disk, "1m"),
    )
    assert command.wait() == 1, command.said
    assert_error(command.said, "No space left on device")


@pytest.mark.parametrize(
    ("app", "arguments", "size"),
    [
        ("dream", (*DREAM, "output=disk/dream.png"), "200k"),
        pytest.param(
            *("dream", (*DREAM, "film=zoom", "film.frames=4", "output=disk/film.mp4"), "1200k"),
            marks=pytest.mark.slow,
        ),
        ("explain", ("ckpt=tiny.ckpt", "methods=[gradcam]", "hydra.run.dir=disk/run"), "100k"),
    ],
    ids=["dream", "film", "explain"],
)
def test_writing_an_image_without_space_is_an_error(
    app: str, arguments: tuple[str, ...], size: str, checkpoint: Path, disk: Path
) -> None:
    (disk.parent / "tiny.ckpt").symlink_to(checkpoint)
    command = begin(app, *arguments, folder=disk.parent, before=disks.small(disk, size))
    assert command.wait() == 1, command.said
    assert_error(command.said, "No space left on device")


def test_evaluating_on_a_full_disk_is_a_one_line_error(checkpoint: Path, disk: Path) -> None:
    command = begin(
        "evaluate", f"ckpt={checkpoint}", "hydra.run.dir=disk/run", folder=disk.parent, before=disks.small(disk, "300k")
    )
    assert command.wait() == 1, command.said
    assert_error(command.said, "No space left on device")


@pytest.mark.parametrize("app", ["train", "dream", "explain", "evaluate"])
def test_a_folder_that_cannot_be_written_to_is_named(
    app: str, checkpoint: Path, tiny_run: tuple[str, ...], disk: Path
) -> None:
    arguments = tiny_run if app == "train" else (f"ckpt={checkpoint}",)
    command = begin(app, *arguments, "hydra.run.dir=disk/run", folder=disk.parent, before=disks.unwritable(disk))
    assert command.wait() == 1, command.said
    assert_error(command.said, "disk/run", "Read-only file system")


def test_an_output_that_cannot_be_written_is_named(disk: Path) -> None:
    command = begin("dream", *DREAM, "output=disk/dream.png", folder=disk.parent, before=disks.unwritable(disk))
    assert command.wait() == 1, command.said
    assert_error(command.said, "disk/dream.png cannot be written", "Read-only file system")

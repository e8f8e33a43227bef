"""Dreams in the computing process: many of them leave memory and open files as they were."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from deepdream.schema import compose
from deepdream.studio import dream_jobs, results, settings
from deepdream.studio.dream_jobs import Finished, Preview
from deepdream.studio.session import Photo, Session
from deepdream.studio.worker import JobFailed, Worker
from tests.hostile.checkpoints import checkpoint
from tests.studio import jobs
from tests.studio.conftest import photo

STUDIO = compose("studio", ["open=false"])


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker(None)
    yield worker
    worker.close()


@pytest.fixture
def session(tmp_path: Path) -> Session:
    torch.manual_seed(0)
    torch.save(checkpoint(), tmp_path / "tiny.ckpt")
    photo(96).save(tmp_path / "photo.png")
    return Session("tab", tmp_path)


def setting(session: Session, **changes: object) -> settings.Setting:
    made = settings.of_preset("gordic", str(session.folder / "tiny.ckpt"))
    changes = {"octaves": 1, "steps": 3, "width": 96, "layers": ("layer3",), **changes}
    return dataclasses.replace(made, **changes)


def wish(session: Session, **changes: object) -> dream_jobs.Wish:
    own = Photo(session.folder / "photo.png", "photo.png", 96, 64)
    return results.wish_of(setting(session, **changes), STUDIO, session, own)[0]


def many(worker: Worker, session: Session, count: int) -> None:
    for _ in range(10):
        worker.result("tab", dream_jobs.dream, wish(session))
    before = worker.result("tab", jobs.about_itself)
    for number in range(count):
        made = worker.result("tab", dream_jobs.dream, wish(session, seed=number))
        assert isinstance(made, Finished)
    after = worker.result("tab", jobs.about_itself)
    assert after["files"] <= before["files"] + 1
    assert after["mb"] < before["mb"] + 40, (before, after)


@pytest.mark.slow
def test_a_few_dreams_leave_memory_and_files_flat(worker: Worker, session: Session) -> None:
    many(worker, session, 12)


@pytest.mark.slow
def test_200_dreams_leave_memory_and_files_flat(worker: Worker, session: Session) -> None:
    many(worker, session, 200)


def test_a_dream_grows_and_ends_with_files(worker: Worker, session: Session) -> None:
    *previews, made = worker.run("tab", dream_jobs.dream, wish(session, octaves=2, width=160))
    assert previews
    assert all(isinstance(each, Preview) and each.jpeg.startswith(b"\xff\xd8") for each in previews)
    assert [each.done for each in previews] == sorted(each.done for each in previews)
    assert (made.width, made.height) == (160, 106)
    assert made.output.is_file()
    assert made.before.is_file()


def test_what_dream_py_refuses_is_one_line(worker: Worker, session: Session) -> None:
    with pytest.raises(JobFailed, match=r"^the smallest octave .* use fewer octaves"):
        worker.result("tab", dream_jobs.dream, wish(session, octaves=8))


@pytest.mark.slow
def test_the_strongest_channels_come_as_tiles(worker: Worker, session: Session) -> None:
    own = Photo(session.folder / "photo.png", "photo.png", 96, 64)
    config = results.base_config(setting(session), STUDIO, own)
    found = list(worker.run("tab", dream_jobs.channels, config, "layer2", session.folder / "tiles"))
    assert len(found) == dream_jobs.TILES
    assert all(selection.startswith("layer2:") and path.is_file() for selection, path in found)


def test_a_film_is_made_frame_by_frame(worker: Worker, session: Session) -> None:
    own = Photo(session.folder / "photo.png", "photo.png", 96, 64)
    film, command = results.wish_of(setting(session), STUDIO, session, own, film=("film=zoom", "film.frames=3"))
    *frames, made = worker.run("tab", dream_jobs.film, film)
    assert [frame.caption for frame in frames] == ["frame 1 of 3", "frame 2 of 3", "frame 3 of 3"]
    assert made.output.suffix == ".mp4"
    assert made.output.is_file()
    assert "film=zoom film.frames=3 output=photo_gordic.mp4" in command

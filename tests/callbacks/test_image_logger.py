"""Images and scalars logged during one short run of `python train.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import TINY, data_of, run_app


@pytest.fixture(scope="module")
def logged(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of `trained` again, with dreams and maps."""
    folder = tmp_path_factory.mktemp("logged")
    places = data_of(trained)
    dreams = ("callbacks=[dreams,gradcam]", "callbacks.dreams.every=1", "callbacks.dreams.width=160")
    maps = ("callbacks.gradcam.every=1", "callbacks.gradcam.images=4")
    result = run_app("train", *TINY, *places, *dreams, *maps, "evaluate=false", "hydra.run.dir=run", cwd=folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "run"


@pytest.mark.slow
def test_dreams_of_the_photo_are_written_and_become_a_film(logged: Path) -> None:
    folder = logged / "figures" / "dreams"
    assert sorted(path.name for path in folder.iterdir()) == ["dream.gif", "epoch_0000.png", "epoch_0001.png"]
    with Image.open(folder / "dream.gif") as film:
        assert (film.n_frames, film.size) == (2, (160, 106))
    before, after = ((folder / f"epoch_000{n}.png").read_bytes() for n in (0, 1))
    assert before != after


@pytest.mark.slow
def test_maps_of_the_same_images_are_written_and_become_a_film(logged: Path) -> None:
    folder = logged / "figures" / "gradcam"
    assert sorted(path.name for path in folder.iterdir()) == ["epoch_0000.png", "epoch_0001.png", "gradcam.gif"]
    before, after = (np.asarray(Image.open(folder / f"epoch_000{n}.png")) for n in (0, 1))
    assert before.shape == after.shape
    photos = slice(40, 190)  # rows of the sheet, beneath its title
    assert np.array_equal(before[photos], after[photos])
    assert not np.array_equal(before[220:], after[220:])
    with Image.open(folder / "gradcam.gif") as film:
        assert film.n_frames == 2


def test_speed_gradient_and_dreams_are_in_tensorboard(logged: Path) -> None:
    scalars, images = {}, set()
    for file in (logged / "tensorboard").glob("events*"):
        events = EventAccumulator(str(file)).Reload()
        scalars |= {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
        images |= set(events.Tags()["images"])
    assert {"images/dream", "images/gradcam"} <= images
    assert len(scalars["speed/images_per_second"]) == 4
    assert min(scalars["speed/images_per_second"]) > 0
    assert all(0 <= share <= 1 for share in scalars["speed/data_wait"])
    assert min(scalars["gradient/norm"]) > 0


def test_logging_images_does_not_change_the_weights(logged: Path, checkpoint: Path) -> None:
    one, other = (
        torch.load(path, weights_only=True)["state_dict"]
        for path in (logged / "checkpoints" / "last.ckpt", checkpoint.parent / "last.ckpt")
    )
    assert all(torch.equal(value, other[key]) for key, value in one.items())

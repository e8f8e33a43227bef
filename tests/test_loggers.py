import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from deepdream import loggers
from deepdream.loggers import log_image, log_metrics, tensorboard_writer, write_and_log_image


class ImageLogger:
    """Takes images as Lightning's loggers for hosted services do."""

    def __init__(self) -> None:
        self.images: list[tuple[str, list[Any], int]] = []

    def log_image(self, key: str, images: list[Any], step: int) -> None:
        self.images.append((key, images, step))


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[Image.Image]:
    """The images that were encoded as PNG."""
    encoded: list[Image.Image] = []
    encode = loggers._encode

    def count(image: Image.Image) -> bytes:
        encoded.append(image)
        return encode(image)

    monkeypatch.setattr(loggers, "_encode", count)
    return encoded


def images_in(folder: Path, tag: str) -> list[tuple[int, np.ndarray]]:
    """(step, pixels) of the images that TensorBoard shows under `tag`."""
    events = EventAccumulator(str(folder)).Reload().Images(tag)
    for event in events:
        assert (event.width, event.height) == (30, 20)
    return [(event.step, np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))) for event in events]


def test_file_and_tensorboard_hold_the_same_image_encoded_once(
    tmp_path: Path, image: Image.Image, encodings: list[Image.Image]
) -> None:
    writers = [SummaryWriter(tmp_path / name) for name in ("one", "two")]
    path = write_and_log_image(tmp_path / "noise.png", writers, "look/noise", image, 3)
    for writer in writers:
        writer.close()
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(image))
    for name in ("one", "two"):
        ((step, pixels),) = images_in(tmp_path / name, "look/noise")
        assert step == 3
        assert np.array_equal(pixels, np.asarray(image))
    assert len(encodings) == 1


def test_closed_writer_is_opened_again(tmp_path: Path, image: Image.Image) -> None:
    """Lightning closes its writer at the end of fit; an evaluation may follow."""
    writer = SummaryWriter(tmp_path)
    log_image([writer], "look", image, 0)
    writer.close()
    log_image([writer], "look", image, 1)
    writer.close()
    (file, other) = sorted(tmp_path.glob("events*"))
    found = [images_in(each, "look") for each in (file, other)]
    assert sorted(step for each in found for step, _ in each) == [0, 1]
    assert all(np.array_equal(pixels, np.asarray(image)) for each in found for _, pixels in each)


def test_every_kind_of_lightning_logger(tmp_path: Path, image: Image.Image, encodings: list[Image.Image]) -> None:
    tensorboard = TensorBoardLogger(tmp_path, name="", version="tensorboard")
    table, hosted = CSVLogger(tmp_path, name="", version="csv"), ImageLogger()
    log_image([table, tensorboard, hosted], "look/layer3:55", image, 2)
    tensorboard.experiment.close()
    ((step, pixels),) = images_in(tmp_path / "tensorboard", "look/layer3:55")
    assert step == 2
    assert np.array_equal(pixels, np.asarray(image))
    assert np.array_equal(Image.open(tmp_path / "csv" / "images" / "look" / "layer3%3A55" / "00000002.png"), image)
    assert hosted.images == [("look/layer3:55", [image], 2)]
    assert len(encodings) == 1


def test_a_logger_without_images_is_named_once(image: Image.Image, capsys: pytest.CaptureFixture[str]) -> None:
    class NumbersOnly:
        def log_metrics(self, metrics: dict[str, float], step: int) -> None: ...

    for step in range(2):
        log_image([NumbersOnly(), NumbersOnly()], "look", image, step)
    assert capsys.readouterr().out == "note: NumbersOnly takes no images; they are in the run folder only\n"
    assert tensorboard_writer(NumbersOnly()) is None


def test_metrics_reach_lightning_loggers_and_summary_writers(tmp_path: Path) -> None:
    table = CSVLogger(tmp_path, name="", version="csv")
    with SummaryWriter(tmp_path / "tensorboard") as writer:
        log_metrics([table, writer, ImageLogger()], {"evaluation/accuracy": 0.5}, 7)
    table.save()
    assert (tmp_path / "csv" / "metrics.csv").read_text().splitlines() == ["evaluation/accuracy,step", "0.5,7"]
    (scalar,) = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("evaluation/accuracy")
    assert (scalar.step, scalar.value) == (7, 0.5)

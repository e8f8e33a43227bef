import io
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from deepdream.plots import write_logged


def test_a_logged_picture_is_the_same_in_its_file_and_in_tensorboard(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    with SummaryWriter(tmp_path / "tensorboard") as writer:
        path = write_logged(Image.fromarray(pixels), tmp_path / "noise.png", writer, "look/noise")
    assert np.array_equal(np.asarray(Image.open(path)), pixels)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (shown,) = events.Images("look/noise")
    assert (shown.width, shown.height) == (30, 20)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown.encoded_image_string))), pixels)

"""Images into experiment loggers: the one place that knows how each kind of logger takes them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image


def log_image(loggers: Iterable[Any], tag: str, image: Image.Image, step: int = 0) -> None:
    """Log `image` under `tag` to every logger that takes images.

    loggers: Lightning loggers, or TensorBoard's SummaryWriter.
    """
    _log_encoded(loggers, tag, image, _encoded(image), step)


def write_and_log_image(path: Path, loggers: Iterable[Any], tag: str, image: Image.Image, step: int = 0) -> Path:
    """Write `image` to `path` as a PNG, and log the same bytes as `log_image` does. Returns the path."""
    encoded = _encoded(image)
    path.write_bytes(encoded)
    _log_encoded(loggers, tag, image, encoded, step)
    return path


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=2)  # a third quicker than 4, and a twentieth larger
    return buffer.getvalue()


def _log_encoded(loggers: Iterable[Any], tag: str, image: Image.Image, encoded: bytes, step: int) -> None:
    for logger in loggers:
        writer = logger if hasattr(logger, "add_image") else getattr(logger, "experiment", None)
        if writer is not None and hasattr(
            writer, "add_image"
        ):  # TensorBoard; its add_image would encode the image once more
            from tensorboard.compat.proto.summary_pb2 import Summary

            content = Summary.Image(height=image.height, width=image.width, encoded_image_string=encoded)
            events: Any = writer._get_file_writer()
            if events is None:  # Lightning's DummyLogger (trainer.fast_dev_run), which accepts every call
                continue
            events.add_summary(Summary(value=[Summary.Value(tag=tag, image=content)]), step)
        elif hasattr(logger, "log_image"):  # Lightning's name for it: W&B, for one
            logger.log_image(key=tag, images=[image], step=step)

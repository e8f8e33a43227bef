"""Metrics, images and hyper-parameters into experiment loggers: the one place that knows how each kind takes them.

A logger is a Lightning logger (TensorBoard, CSV, W&B, MLflow ...), or TensorBoard's SummaryWriter, which starts sooner.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from deepdream.markup import escaped, folder_names

CSV_IMAGES = "images"  # the folder of images beside the metrics.csv of a CSVLogger


def log_image(loggers: Iterable[Any], tag: str, image: Image.Image, step: int = 0) -> None:
    """Log `image` under `tag`; encoded as PNG once for all loggers. One line names a logger that takes no images."""
    _log_encoded(loggers, tag, image, None, step)


def write_and_log_image(path: Path, loggers: Iterable[Any], tag: str, image: Image.Image, step: int = 0) -> Path:
    """Write `image` to `path` as a PNG, and log the same bytes as `log_image` does. Returns the path."""
    encoded = _encode(image)
    path.write_bytes(encoded)
    _log_encoded(loggers, tag, image, encoded, step)
    return path


def log_metrics(loggers: Iterable[Any], metrics: Mapping[str, float], step: int = 0) -> None:
    """Log numbers by tag to every logger that takes them."""
    for logger in loggers:
        if hasattr(logger, "log_metrics"):  # every Lightning logger
            logger.log_metrics(dict(metrics), step)
        elif hasattr(logger, "add_scalar"):  # TensorBoard's SummaryWriter
            for tag, value in metrics.items():
                logger.add_scalar(tag, value, step)


def log_hyper_parameters(
    loggers: Iterable[Any], values: Mapping[str, Any], metrics: Mapping[str, float] | None = None, step: int = 0
) -> None:
    """Log a nested configuration, and the final metrics where there are any: TensorBoard's HPARAMS tab has both.

    MLflow never changes a parameter: a resumed run keeps those that it began with.
    """
    for logger in loggers:
        if not hasattr(logger, "log_hyperparams"):
            logger.add_text("hyper_parameters", f"```json\n{json.dumps(values, indent=2, default=str)}\n```")
        elif _kind(logger) == "TensorBoardLogger":
            logger.log_hyperparams(values, metrics)
        else:
            logger.log_hyperparams(_new_in_mlflow(logger, values) if _kind(logger) == "MLFlowLogger" else values)
            if metrics:
                logger.log_metrics(dict(metrics), step)


def tensorboard_writer(logger: Any) -> Any | None:
    """The object with SummaryWriter's methods that `logger` is or writes with; None for other loggers."""
    writer = logger if hasattr(logger, "add_image") else getattr(logger, "experiment", None)
    return writer if hasattr(writer, "add_image") else None


def flattened(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """A nested configuration with one key per value, as Lightning's loggers name them.

    >>> flattened({"model": {"depth": 18}, "seed": 0})
    {'model/depth': 18, 'seed': 0}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        flat |= flattened(value, f"{name}/") if isinstance(value, Mapping) and value else {name: value}
    return flat


def _log_encoded(loggers: Iterable[Any], tag: str, image: Image.Image, encoded: bytes | None, step: int) -> None:
    tag = escaped(tag)
    for logger in loggers:
        kind = _kind(logger)
        if hasattr(logger, "log_image"):  # Lightning's name for it: W&B, for one
            logger.log_image(key=tag, images=[image], step=step)
        elif kind == "MLFlowLogger":
            logger.experiment.log_image(
                logger.run_id, image, key="/".join(folder_names(tag)).replace("%", "_"), step=step
            )
        elif kind == "CSVLogger":
            encoded = encoded or _encode(image)
            _write_beside_csv(logger, tag, encoded, step)
        elif (writer := tensorboard_writer(logger)) is not None:
            encoded = encoded or _encode(image)
            _add_png(writer, tag, image, encoded, step)
        else:
            _say_that_it_takes_none(kind)


def _kind(logger: Any) -> str:
    """The name of the Lightning logger that `logger` is or inherits from; otherwise the name of its own class."""
    names = [kind.__name__ for kind in type(logger).__mro__]
    return next((name for name in names if name in ("TensorBoardLogger", "CSVLogger", "MLFlowLogger")), names[0])


@cache
def _say_that_it_takes_none(kind: str) -> None:
    print(f"note: {kind} takes no images; they are in the run folder only", flush=True)


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=2)  # against level 4: 33 % less time, 5 % more bytes
    return buffer.getvalue()


def _write_beside_csv(logger: Any, tag: str, encoded: bytes, step: int) -> None:
    """images/<tag>/<step>.png beside metrics.csv."""
    path = Path(logger.log_dir, CSV_IMAGES, *folder_names(tag))
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{step:08d}.png").write_bytes(encoded)


def _new_in_mlflow(logger: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Without those that the run has: MLflow refuses a second value. Names as MLflow takes them."""
    has = logger.experiment.get_run(logger.run_id).data.params
    named = {re.sub(r"[^\w./ -]", "_", key): value for key, value in flattened(values).items()}
    return {key: value for key, value in named.items() if key not in has}


def _add_png(writer: Any, tag: str, image: Image.Image, encoded: bytes, step: int) -> None:
    """`encoded` as it is: SummaryWriter.add_image would decode and encode the image once more."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from torch.utils.tensorboard import FileWriter

    file_writer = getattr(writer, "file_writer", None)
    if isinstance(file_writer, FileWriter):
        content = Summary.Image(height=image.height, width=image.width, encoded_image_string=encoded)
        file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=content)]), step)
    else:  # closed (the next call of `add_...` opens it again), tensorboardX's, or Lightning's dummy on other ranks
        import numpy as np

        writer.add_image(tag, np.asarray(image.convert("RGB")), step, dataformats="HWC")

"""One look for all figures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# Okabe & Ito's colours, told apart by colour-blind readers too.
COLORS = {"train": "#0072B2", "val": "#E69F00", "test": "#009E73"}


@contextmanager
def figure_style() -> Iterator[None]:
    """Large enough to read at half size, no frame where it says nothing."""
    style: Any = {
        "figure.dpi": 150,
        "figure.constrained_layout.use": True,
        "font.size": 12,
        "axes.titlesize": 14,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "grid.color": "#dddddd",
        "lines.linewidth": 2,
        "image.cmap": "cividis",
        "legend.frameon": False,
    }
    with mpl.rc_context(style):
        yield


def rendered(figure: Figure) -> Image.Image:
    """The figure as a picture, drawn once however often it is written."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def write_logged(picture: Image.Image, path: Path, writer: SummaryWriter, tag: str) -> Path:
    """The picture as a PNG at `path` and, the same bytes, in TensorBoard under `tag`.

    SummaryWriter.add_image would encode it once more.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary

    encoded = io.BytesIO()
    picture.save(encoded, "PNG", compress_level=2)  # a third quicker than 4, and a twentieth larger
    path.write_bytes(encoded.getvalue())
    image = Summary.Image(height=picture.height, width=picture.width, encoded_image_string=encoded.getvalue())
    events: Any = writer.file_writer
    events.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]))
    return path

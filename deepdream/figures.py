"""One look for all figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

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

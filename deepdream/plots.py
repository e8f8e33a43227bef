"""The one plot style, and contact sheets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageOps

from deepdream.fonts import Font, drawable, pillow_font, with_fallback

# Okabe & Ito's colours, told apart by colour-blind readers too.
COLORS = {"train": "#0072B2", "val": "#E69F00", "test": "#009E73"}


OWN_MATH = r"$\mathdefault{"


@contextmanager
def figure_style() -> Iterator[None]:
    """The style of every plot in this block: legible at half size, without a frame on the top and the right."""
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
    """The figure as an image, 8-bit RGB: rendered once, for a file and for the loggers.

    Every text is drawn as it is: a `$` in the name of a class begins no formula, and no character becomes a box.
    """
    canvas: Any = _PlainTextCanvas(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


class _PlainTextRenderer(RendererAgg):
    """Draws mathtext only where matplotlib wrote it itself: the powers on a logarithmic axis."""

    def draw_text(
        self, gc: Any, x: Any, y: Any, s: str, prop: Any, angle: Any, ismath: Any = False, mtext: Any = None
    ) -> None:
        draw: Any = super().draw_text
        draw(gc, x, y, drawable(s), with_fallback(prop, s), angle, ismath and s.startswith(OWN_MATH), mtext)

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
        measure: Any = super().get_text_width_height_descent
        return measure(drawable(s), with_fallback(prop, s), ismath and s.startswith(OWN_MATH))


class _PlainTextCanvas(FigureCanvasAgg):
    @cached_property
    def _plain(self) -> Any:
        renderer: Any = _PlainTextRenderer
        return renderer(*self.get_width_height(physical=True), self.figure.dpi)

    def get_renderer(self) -> Any:
        return self._plain


INK, PAPER = "#1a1a1a", "white"


def contact_sheet(
    images: Sequence[Image.Image], captions: Sequence[str], *, columns: int = 8, size: int = 128, title: str = ""
) -> Image.Image:
    """The images in rows of `columns`, each scaled to fit into `size` x `size` pixels, with its caption below.

    A caption may have several lines; lines that are too wide end in "…". Raises ValueError for no images, and for
    another number of captions than of images.
    """
    if not images:
        raise ValueError("there is no image for a contact sheet")
    if len(images) != len(captions):
        raise ValueError(f"there are {len(images)} images and {len(captions)} captions; each image needs one")
    columns = min(columns, len(images))
    gap = max(4, size // 16)
    points, heading_points = max(11, size // 11), max(14, size // 7)
    title, heading = pillow_font(title, heading_points)
    texts = [[_fitting(line, points, size) for line in caption.splitlines()] for caption in captions]
    line_height = int(points * 1.3)
    cell = size + max(map(len, texts)) * line_height + gap
    top = gap + (int(heading_points * 1.6) if title else 0)

    rows = -(-len(images) // columns)
    width = max(gap + columns * (size + gap), int(heading.getlength(title)) + 2 * gap)
    sheet = Image.new("RGB", (width, top + rows * cell + gap // 2), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((gap, gap), title, fill=INK, font=heading)
    for number, (image, lines) in enumerate(zip(images, texts, strict=True)):
        row, column = divmod(number, columns)
        left, upper = gap + column * (size + gap), top + row * cell
        small = ImageOps.contain(image.convert("RGB"), (size, size), Image.Resampling.LANCZOS)
        sheet.paste(small, (left + (size - small.width) // 2, upper + size - small.height))
        for i, (line, font) in enumerate(lines):
            pen.text((left + size / 2, upper + size + 2 + i * line_height), line, fill=INK, font=font, anchor="ma")
    return sheet


def _fitting(text: str, points: int, width: int) -> tuple[str, Font]:
    """`text`, shortened to at most `width` pixels, and a font that has its characters."""
    text, font = pillow_font(text, points)
    if font.getlength(text) <= width:
        return text, font
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…", font

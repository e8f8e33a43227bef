"""The page Understand: why does the network predict this of the photo?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

if TYPE_CHECKING:
    from deepdream.studio.frame import Studio


def build(studio: Studio) -> None:
    """The page, inside its tab."""
    shown = gr.Markdown("Send a photo or a dream here from the page Dream.")
    studio.photos["understand"].change(
        lambda photo: f"**{photo.name}**, {photo.width}x{photo.height} pixels", studio.photos["understand"], shown
    )

"""The page Dream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

if TYPE_CHECKING:
    from deepdream.studio.frame import Studio


def build(studio: Studio) -> None:
    """The page, inside its tab."""
    gr.Markdown("## Dream")

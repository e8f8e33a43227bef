"""The page Network: the runs below the current folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from deepdream.studio.networks import checkpoints

if TYPE_CHECKING:
    from deepdream.studio.frame import Studio


def build(studio: Studio) -> None:
    """The page, inside its tab."""
    found = gr.Markdown()
    studio.blocks.load(_list, None, found)


def _list() -> str:
    return "\n".join(f"- `{path}`" for path in checkpoints()) or "There is no run below outputs/ or multirun/ yet."

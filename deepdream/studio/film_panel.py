"""The part of the page Dream that asks for a film."""

from __future__ import annotations

import gradio as gr

KINDS = [("Zoom into the dream", "zoom"), ("Morph through the layers", "morph"), ("Dream a video", "video")]
FRAMES = (2, 240)


class FilmPanel:
    """The components, made where this is made."""

    def __init__(self) -> None:
        with gr.Accordion("Film", open=False, elem_id="film"):
            self.kind = gr.Radio(KINDS, value="zoom", show_label=False, container=False)
            self.frames = gr.Slider(*FRAMES, value=24, step=1, label="Frames", buttons=[])
            self.clip_in = gr.File(
                label="The video", file_types=["video", ".gif"], visible=False, height=110, elem_id="clip"
            )
            self.make = gr.Button("Make the film", size="md", elem_id="make-film")
        self.clip = gr.State()  # a session.Photo, whose size is unknown
        self.kind.input(
            lambda kind: gr.File(visible=kind == "video"),
            self.kind,
            self.clip_in,
            show_progress="hidden",
            api_visibility="private",
        )


def film_arguments(kind: str, frames: float) -> tuple[str, ...]:
    """Of the command line. Raises ValueError for values that the page does not offer."""
    if kind not in {each for _, each in KINDS} or not FRAMES[0] <= frames <= FRAMES[1]:
        raise ValueError(f"a film of kind {kind} with {frames} frames is not offered")
    return (f"film={kind}", f"film.frames={int(frames)}")

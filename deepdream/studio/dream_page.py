"""The page Dream: a photo, the knobs, the dream as it grows, and what has been made in this tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from deepdream.studio import settings
from deepdream.studio.dream_events import DreamEvents
from deepdream.studio.dream_handlers import DREAM, PHOTO
from deepdream.studio.film_panel import FilmPanel
from deepdream.studio.input_events import InputEvents
from deepdream.studio.knobs import Knobs

if TYPE_CHECKING:
    from deepdream.studio.frame import Studio

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build(studio: Studio) -> None:
    """The page, inside its tab."""
    Page(studio)


class Page:
    """The components of the page; what they do is in `InputEvents` and `DreamEvents`."""

    def __init__(self, studio: Studio) -> None:
        self.photo, self.guide = gr.State(), gr.State()  # of session.Photo
        self.results, self.shown = gr.State([]), gr.State()  # of results.Result: all, and the one on the stage
        self.dreamed = gr.State()  # that one as a session.Photo, to send
        self.sheet, self.channels = gr.State([]), gr.State([])  # what the tiles of the two galleries stand for
        with gr.Row(equal_height=False):
            with gr.Column(scale=8, min_width=340, elem_id="stage"):
                self._stage()
                self._result()
                self._galleries()
            with gr.Column(scale=5, min_width=320, elem_id="knobs"):
                self.knobs = Knobs(settings.of_preset(settings.FIRST_PRESET, studio.ckpt), studio.ckpt)
                with gr.Accordion("Follow another image", open=False, elem_id="guide"):
                    self.guide_in = _image_input("For the presets guided and style", 180, "guide-image")
                self.film = FilmPanel()
        self._listen(studio)

    def _stage(self) -> None:
        self.view = gr.Radio(
            [PHOTO, DREAM], value=PHOTO, show_label=False, container=False, elem_id="view", visible=False
        )
        self.photo_in = _image_input("Drop, paste or take a photo", 460, "photo")
        self.live = gr.HTML(visible=False, padding=False, elem_id="live")
        self.slider = gr.ImageSlider(
            visible=False, show_label=False, interactive=False, buttons=["fullscreen"], elem_id="slider", max_height=640
        )
        self.video = gr.Video(
            visible=False, show_label=False, interactive=False, autoplay=True, loop=True, buttons=[], elem_id="video"
        )
        self.note = gr.HTML(padding=False, elem_id="note")
        with gr.Row(elem_id="actions"):
            self.dream = gr.Button("Dream", variant="primary", min_width=110, elem_id="dream")
            self.stop = gr.Button("Stop", variant="stop", visible=False, min_width=110, elem_id="stop")
            self.vary = gr.Button("Variations", min_width=110, elem_id="vary")
            self.ask = gr.Button("Understand", min_width=110, elem_id="ask")

    def _result(self) -> None:
        with gr.Column(visible=False, elem_id="result") as self.result:
            self.command = gr.Code(
                language="shell",
                label="The command that makes this",
                interactive=False,
                wrap_lines=True,
                show_line_numbers=False,
                lines=1,
                buttons=["copy"],
                elem_id="command",
            )
            with gr.Row():
                self.download = gr.DownloadButton("Download", size="sm", min_width=120, elem_id="download")
                self.inputs = gr.DownloadButton("Its inputs (.zip)", size="sm", min_width=120, elem_id="inputs")
                self.again = gr.Button("Dream on this", size="sm", min_width=120, elem_id="again")
                self.explain = gr.Button("Understand this", size="sm", min_width=120, elem_id="explain")

    def _galleries(self) -> None:
        self.variations = gr.Gallery(
            label="Variations: choose one",
            visible=False,
            columns=4,
            allow_preview=False,
            buttons=[],
            height="auto",
            elem_id="variations",
        )
        self.gallery = gr.Gallery(
            label="Made in this tab",
            visible=False,
            columns=6,
            allow_preview=False,
            buttons=[],
            height="auto",
            elem_id="gallery",
        )

    def _listen(self, studio: Studio) -> None:
        knobs, film, inputs, events = self.knobs, self.film, InputEvents(studio, self), DreamEvents(studio, self)
        tuned = [*knobs.components, self.note]
        stage = [self.view, self.photo_in, self.live, self.slider, self.video, self.note, self.dream, self.stop]
        result = [self.result, self.command, self.download, self.inputs, self.again, self.explain]
        made = [*stage, *result, self.shown, self.dreamed, self.results, self.gallery]
        taken = [self.photo, *stage, *knobs.components]
        wished = [self.photo, self.guide, knobs.brush, *knobs.components]

        studio.blocks.load(inputs.begin, None, [*taken, knobs.channel_layer, knobs.target], **QUIET)
        self.photo_in.upload(inputs.take_photo, [self.photo_in, self.photo], taken, preprocess=False, **QUIET)
        self.guide_in.upload(
            inputs.take_guide, self.guide_in, [self.guide, self.guide_in, self.note], preprocess=False, **QUIET
        )
        self.view.input(inputs.choose_view, [self.view, self.shown], stage, **QUIET)
        self.again.click(inputs.receive, self.dreamed, taken, **QUIET)
        received = studio.photos["dream"]
        received.change(inputs.receive, received, taken, **QUIET)
        sent = studio.photos["understand"]
        studio.tabs.select(inputs.open_understand, [self.photo, sent], sent, **QUIET)
        selected = [*taken, knobs.channel_layer]
        studio.selections.change(inputs.take_selection, [studio.selections, knobs.preset], selected, **QUIET).then(
            events.dream, [self.results, *wished], made, **QUIET
        )

        knobs.preset.input(inputs.choose_preset, [knobs.preset, knobs.network], tuned, **QUIET)
        knobs.network.input(
            inputs.choose_network, [knobs.network, knobs.preset], [*tuned, knobs.channel_layer], **QUIET
        )
        knobs.mask.input(inputs.choose_mask, [knobs.mask, self.photo], knobs.brush, **QUIET)
        knobs.find_channels.click(
            events.find_channels, [knobs.channel_layer, *wished], [knobs.tiles, self.channels, self.note], **QUIET
        )
        knobs.tiles.select(events.choose_channel, [self.channels, knobs.layers], knobs.layers, **QUIET)

        self.dream.click(events.dream, [self.results, *wished], made, **QUIET)
        film.make.click(events.make_film, [film.kind, film.frames, film.clip, self.results, *wished], made, **QUIET)
        film.clip_in.upload(
            inputs.take_clip, film.clip_in, [film.clip, film.clip_in, self.note], preprocess=False, **QUIET
        )
        self.stop.click(events.stop, None, None, queue=False, **QUIET)
        self.vary.click(events.vary, wished, [*stage, self.variations, self.sheet], **QUIET)
        self.variations.select(events.choose_variation, [self.sheet, knobs.network], tuned, **QUIET)
        self.gallery.select(events.show_again, self.results, [*made, *knobs.components], **QUIET)
        studio.send(self.explain.click, self.dreamed, "understand")
        studio.send(self.ask.click, self.photo, "understand")


def _image_input(label: str, height: int, elem_id: str) -> gr.Image:
    return gr.Image(
        label=label,
        sources=["upload", "webcam", "clipboard"],
        type="filepath",
        height=height,
        buttons=[],
        elem_id=elem_id,
        webcam_options=gr.WebcamOptions(mirror=False),
    )

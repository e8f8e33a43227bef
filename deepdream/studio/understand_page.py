"""The page Understand: what the network believes of a photo, why, and what it sees at a place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from deepdream.explaining.config import METHODS
from deepdream.studio import networks, place_jobs, understand_jobs, uploads
from deepdream.studio.changes import UNCHANGED, Changes
from deepdream.studio.fragments import fragment, pressed, rendered
from deepdream.studio.place_jobs import Place, Seen, Tile
from deepdream.studio.session import Photo, Selection
from deepdream.studio.understand_jobs import Confidence, EvidenceMap, Predicted, View
from deepdream.studio.worker import JobFailed

if TYPE_CHECKING:
    from deepdream.studio.frame import Studio

PAGE = "understand"
FIRST_METHODS = ["gradcam", "integrated_gradients"]
PREDICTION, NO_CONTRAST = "the prediction", "nothing"
OPACITY = 0.75
DROP = "Drop a photo here, or send a photo or a dream here from the page Dream."
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
AGAIN: dict[str, Any] = {**QUIET, "trigger_mode": "multiple"}  # the worker stops what is computed for an earlier event
SET_OPACITY = "(value) => document.querySelector('#page-understand').style.setProperty('--evidence', value)"


@dataclass
class Understood:
    """What is known of a view. chosen: the method whose map is on the stage. place: where the user has clicked."""

    view: View
    predicted: Predicted | None = None
    maps: dict[str, EvidenceMap] = field(default_factory=dict)
    confidence: float | None = None
    chosen: str | None = None
    seen: Seen | None = None
    tiles: dict[int, bytes] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)

    @property
    def selected(self) -> tuple[str, ...]:
        """The channels that a dream takes."""
        channels = self.seen.channels if self.seen else ()
        return tuple(each.selection for each in channels if each.selection not in self.left_out)


def build(studio: Studio) -> None:
    """The page, inside its tab."""
    UnderstandPage(studio)


class UnderstandPage:
    """The components of the page and what they do."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.photo = gr.State()  # of session.Photo
        self.known = gr.State()  # of Understood
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=320):
                self.stage = fragment("u-stage", rendered("stage", photo=None, hint=DROP))
                self.opacity = gr.Slider(
                    0, 1, value=OPACITY, step=0.01, label="Opacity of the map", buttons=[], elem_id="u-opacity"
                )
                self.maps = fragment("u-maps")
                self.note = fragment("u-note")
            with gr.Column(scale=5, min_width=320):
                self.predictions = fragment("u-predictions")
                self._controls()
        with gr.Column(elem_id="u-here"):
            gr.HTML("<h2>What does the network see here?</h2>")
            with gr.Row(equal_height=True):
                self.layer = gr.Radio([], show_label=False, container=False, min_width=160, scale=1, elem_id="u-layer")
                self.dream = gr.Button(
                    "Dream exactly these",
                    variant="primary",
                    interactive=False,
                    scale=0,
                    min_width=220,
                    elem_id="u-dream",
                )
            self.seen = fragment("u-seen", rendered("seen", seen=None, waiting="Click a place of the photo."))
        self._listen()

    def _controls(self) -> None:
        first = self.studio.ckpt
        self.network = gr.Dropdown(
            networks.offered(first), value=first, label="Network", allow_custom_value=True, elem_id="u-network"
        )
        self.methods = gr.Dropdown(
            understand_jobs.method_choices(),
            value=FIRST_METHODS,
            multiselect=True,
            label="Methods",
            elem_id="u-methods",
        )
        with gr.Row():
            self.target = gr.Dropdown(
                [PREDICTION], value=PREDICTION, label="Evidence for", min_width=130, elem_id="u-target"
            )
            self.against = gr.Dropdown(
                [NO_CONTRAST], value=NO_CONTRAST, label="Against", min_width=130, elem_id="u-against"
            )
        self.whole = gr.Checkbox(
            label="The whole photo", info="off: its square centre, as in an evaluation", elem_id="u-whole"
        )
        with gr.Row():
            self.upload = gr.UploadButton("Another photo", size="sm", min_width=120, elem_id="u-upload")
            self.to_dream = gr.Button("Dream on this photo", size="sm", min_width=120, elem_id="u-to-dream")

    def _listen(self) -> None:
        asked = [self.photo, self.known, self.network, self.methods, self.target, self.against, self.whole]
        shown = [self.known, self.stage, self.predictions, self.maps, self.note, self.target, self.against]
        place = [self.known, self.stage, self.layer, self.seen, self.dream, self.note]
        sent = self.studio.photos[PAGE]
        sent.change(self._take_sent, sent, [self.photo, self.seen, self.dream], **QUIET).then(
            self._explain, asked, shown, **AGAIN
        )
        taken = [self.photo, self.seen, self.dream, self.note]
        self.upload.upload(self._take_upload, self.upload, taken, preprocess=False, **QUIET).then(
            self._explain, asked, shown, **AGAIN
        )
        self.stage.upload(self._take_dropped, None, taken, **QUIET).then(self._explain, asked, shown, **AGAIN)
        self.network.input(lambda: (PREDICTION, NO_CONTRAST), None, [self.target, self.against], **QUIET).then(
            self._explain, asked, shown, **AGAIN
        )
        gr.on(
            [self.methods.input, self.target.input, self.against.input, self.whole.input],
            self._explain,
            asked,
            shown,
            **AGAIN,
        )
        self.opacity.input(None, self.opacity, None, js=SET_OPACITY, **QUIET)
        self.maps.click(self._choose_map, [self.known, self.methods], [self.known, self.stage, self.maps], **QUIET)
        self.stage.click(self._look, self.known, place, **AGAIN)
        self.layer.input(self._look_deeper, [self.known, self.layer], place, **AGAIN)
        self.seen.click(self._toggle, self.known, [self.known, self.seen, self.dream], **QUIET)
        dream = [self.studio.selections, self.studio.tabs]
        self.dream.click(self._dream_these, [self.known, self.photo], dream, **QUIET)
        self.studio.send(self.to_dream.click, self.photo, "dream")

    def _take_sent(self, photo: Photo | None) -> Changes:
        return UNCHANGED if photo is None else {self.photo: photo, **self._no_place()}

    def _take_upload(self, data: Any, request: gr.Request) -> Changes:
        session = self.studio.session(request)
        try:
            path = uploads.take(uploads.uploaded_file(data, self.studio.workspace), session)
            job = self.studio.worker.result(
                (request.session_hash, PAGE), uploads.read_photo, path, session.new_path("shown.jpg")
            )
        except (JobFailed, ValueError) as error:
            return {self.note: _error(error)}
        if job is None:
            return UNCHANGED
        photo, recipe = job
        return {self.photo: replace(photo, before=uploads.before_the_dream(recipe, session)), **self._no_place()}

    def _take_dropped(self, event: gr.EventData, request: gr.Request) -> Changes:
        return self._take_upload(event._data, request)

    def _no_place(self) -> Changes:
        return {
            self.seen: rendered("seen", seen=None, waiting="Click a place of the photo."),
            self.dream: gr.Button(interactive=False),
        }

    def _explain(
        self,
        photo: Photo | None,
        known: Understood | None,
        network: str,
        methods: list[str],
        target: str,
        against: str,
        whole: bool,
        request: gr.Request,
    ) -> Iterator[Changes]:
        """Compute what is not known yet of this view, and show each part as it comes."""
        if photo is None:
            return
        config = self.studio.config
        try:
            view = View(
                networks.checked(network, self.studio.ckpt),
                photo.path,
                photo.before,
                not whole,
                None if target == PREDICTION else target,
                None if against == NO_CONTRAST else against,
                config.device,
                config.precision,
            )
        except ValueError as error:
            yield {self.note: _error(error)}
            return
        known = _still_known(known, view)
        missing = [method for method in methods if method not in known.maps]
        yield self._show(known, methods, working=True) | {self.note: ""}
        try:
            for report in self.studio.run(
                request,
                PAGE,
                understand_jobs.explain,
                view,
                missing,
                known.predicted is None,
                known.confidence is None,
            ):
                if isinstance(report, Predicted):
                    known.predicted = report
                    yield self._classes(report)
                elif isinstance(report, EvidenceMap):
                    known.maps[report.method] = report
                    if known.chosen not in methods:
                        known.chosen = report.method
                elif isinstance(report, Confidence):
                    known.confidence = report.share
                yield self._show(known, methods, working=report is not True)  # True: all is done, and not stopped
        except JobFailed as error:
            yield self._show(known, methods, working=False) | {self.note: _error(error)}

    def _show(self, known: Understood, methods: list[str], *, working: bool) -> Changes:
        if known.chosen not in methods:
            known.chosen = next((method for method in methods if method in known.maps), None)
        predicted = known.predicted
        return {
            self.known: known,
            self.stage: _stage(known),
            self.predictions: rendered(
                "predictions", predicted=predicted, confidence=known.confidence, working=working
            ),
            self.maps: _maps(known, methods, working=working) if predicted else "",
        }

    def _classes(self, predicted: Predicted) -> Changes:
        return {
            self.target: gr.Dropdown([PREDICTION, *predicted.classes]),
            self.against: gr.Dropdown([NO_CONTRAST, *predicted.classes]),
        }

    def _choose_map(self, known: Understood | None, methods: list[str], event: gr.EventData) -> tuple[Any, ...]:
        choice = pressed(event, "choice")
        if known is None or choice not in known.maps:
            return gr.skip(), gr.skip(), gr.skip()
        known.chosen = choice
        return known, _stage(known), _maps(known, methods, working=False)

    def _look(self, known: Understood | None, event: gr.EventData, request: gr.Request) -> Iterator[Changes]:
        x, y = (pressed(event, axis) for axis in ("x", "y"))
        if known is None or not isinstance(x, int | float) or not isinstance(y, int | float):
            return
        layer = known.seen.layer if known.seen else None
        yield from self._looked(known, Place(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0), layer), request)

    def _look_deeper(self, known: Understood | None, layer: str, request: gr.Request) -> Iterator[Changes]:
        if known is not None and known.seen is not None:
            seen = known.seen
            place = Place((seen.column + 0.5) / seen.columns, (seen.row + 0.5) / seen.rows, layer)
            yield from self._looked(known, place, request)

    def _looked(self, known: Understood, place: Place, request: gr.Request) -> Iterator[Changes]:
        known.seen, known.tiles, known.left_out = None, {}, set()
        yield {
            self.seen: rendered("seen", seen=None, waiting="Looking at this place, and at real images beside it."),
            self.dream: gr.Button(interactive=False),
        }
        try:
            for report in self.studio.run(request, f"{PAGE}-place", place_jobs.look, known.view, place):
                if isinstance(report, Seen):
                    known.seen = report
                    yield {
                        self.known: known,
                        self.stage: _stage(known),
                        self.layer: gr.Radio(list(report.layers), value=report.layer),
                        self.seen: _seen(known),
                        self.dream: gr.Button(interactive=True),
                    }
                elif isinstance(report, Tile):
                    known.tiles[report.channel] = report.jpeg
                    yield {self.known: known, self.seen: _seen(known)}
        except JobFailed as error:
            yield {self.note: _error(error), self.seen: rendered("seen", seen=None, waiting="")}

    def _toggle(self, known: Understood | None, event: gr.EventData) -> tuple[Any, ...]:
        choice = pressed(event, "choice")
        if known is None or known.seen is None or choice is None:
            return gr.skip(), gr.skip(), gr.skip()
        known.left_out ^= {choice}
        return known, _seen(known), gr.Button(interactive=bool(known.selected))

    def _dream_these(self, known: Understood | None, photo: Photo | None) -> tuple[Any, ...]:
        if known is None or photo is None or not known.selected:
            return gr.skip(), gr.skip()
        return Selection(known.view.ckpt, known.selected, photo), gr.Tabs(selected="dream")


def _still_known(known: Understood | None, view: View) -> Understood:
    """What is known, if it is of the same view; of another class the prediction and the place stay."""
    if known is None or replace(known.view, target=None, against=None) != replace(view, target=None, against=None):
        return Understood(view)
    if known.view == view:
        return known
    return replace(known, view=view, maps={})


def _stage(known: Understood) -> str:
    predicted, seen = known.predicted, known.seen
    if predicted is None:
        return rendered("stage", photo=None, hint="Looking at the photo ...")
    found = known.maps.get(known.chosen or "")
    place = seen and {
        "left": 100 * seen.column / seen.columns,
        "top": 100 * seen.row / seen.rows,
        "width": 100 / seen.columns,
        "height": 100 / seen.rows,
    }
    return rendered(
        "stage",
        photo=predicted.jpeg,
        size=predicted.size,
        evidence=found.jpeg if found else None,
        place=place,
        label="the photo" if found is None else f"evidence for {found.evidence}, {METHODS.details(found.method).title}",
    )


def _maps(known: Understood, methods: list[str], *, working: bool) -> str:
    maps = []
    for method in methods:
        about, found = METHODS.details(method), known.maps.get(method)
        if found is None and not working:
            continue
        maps.append(
            {
                "method": method,
                "title": about.title,
                "question": str(about),
                "jpeg": found.jpeg if found else None,
                "scores": found.scores if found else (),
                "seconds": found.seconds if found else None,
            }
        )
    return rendered("maps", maps=maps, chosen=known.chosen)


def _seen(known: Understood) -> str:
    return rendered("seen", seen=known.seen, tiles=known.tiles, chosen=known.selected)


def _error(error: Exception) -> str:
    return rendered("note", text=str(error))

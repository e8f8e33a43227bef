"""What happens on the page Dream. A handler returns, or yields, a dictionary of what changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from deepdream.studio import dream_jobs, networks, results, settings, uploads
from deepdream.studio.changes import UNCHANGED, Changes
from deepdream.studio.dream_jobs import About, Finished, Preview, Wish
from deepdream.studio.film_panel import film_arguments
from deepdream.studio.knobs import PAINTED
from deepdream.studio.results import Result
from deepdream.studio.session import Photo, Selection, Session
from deepdream.studio.settings import Setting
from deepdream.studio.snippets import growing, note
from deepdream.studio.worker import JobFailed

if TYPE_CHECKING:
    from deepdream.studio.dream_page import Page
    from deepdream.studio.frame import Studio

PAGE = "dream"
PHOTO, DREAM = "Photo", "Dream"  # what the stage shows
FAULTS = (JobFailed, OSError, ValueError)  # whose text is a line for the page


class Events:
    """The handlers of a page."""

    def __init__(self, studio: Studio, page: Page) -> None:
        self._studio = studio
        self._page = page
        self._about: dict[str, About] = {}

    # ---- the photo

    def begin(self, request: gr.Request) -> Changes:
        """A tab opens: its first photo, and the layers of its network."""
        studio, session = self._studio, self._studio.session(request)
        name = studio.config.image or settings.FIRST_PHOTO
        path = session.new_path(name)
        try:
            photo = self._job(request, "upload", dream_jobs.first_photo, name, path, _shown(path))
            about = self._about_network(request, studio.ckpt)
        except FAULTS as error:
            return {self._page.note: note(str(error), error=True)}
        return {
            self._page.photo: photo,
            **self._stage("photo", photo=_shown(path)),
            **self._page.knobs.show_network(about, settings.FIRST_PRESET),
        }

    def take_photo(self, request: gr.Request, data: Any, before: Photo | None) -> Changes:
        """An image was dropped, pasted or taken: it is the photo, or its recipe turns the knobs."""
        page, session = self._page, self._studio.session(request)
        try:
            path = uploads.take(uploads.uploaded_file(data, self._studio.workspace), session)
            photo, recipe = self._job(request, "upload", uploads.read_photo, path, _shown(path))
        except FAULTS as error:
            shown = None if before is None else _shown(before.path)
            return {**self._stage("photo", photo=shown), page.note: note(str(error), error=True)}
        line, changes = "", {}
        if recipe is not None:
            try:
                restored = results.restore(recipe, session, before)
                line, changes = restored.line, page.knobs.show(restored.setting)
                if restored.path is not None and restored.path != path:
                    photo, _ = self._job(request, "upload", uploads.read_photo, restored.path, _shown(restored.path))
                elif before is not None:
                    photo = before
            except FAULTS as error:
                line = f"The recipe in {photo.name} cannot be used: {error}"
        return {**changes, page.photo: photo, **self._stage("photo", photo=_shown(photo.path), line=line)}

    def take_guide(self, request: gr.Request, data: Any) -> Changes:
        """The image to follow was dropped."""
        page, session = self._page, self._studio.session(request)
        try:
            path = uploads.take(uploads.uploaded_file(data, self._studio.workspace), session)
            guide, _ = self._job(request, "upload", uploads.read_photo, path, _shown(path))
        except FAULTS as error:
            return {page.guide: None, page.guide_in: None, page.note: note(str(error), error=True)}
        return {page.guide: guide, page.guide_in: str(_shown(path)), page.note: ""}

    def take_clip(self, request: gr.Request, data: Any) -> Changes:
        """The video to dream on was dropped; it is read when the film is made."""
        page = self._page
        try:
            path = uploads.uploaded_file(data, self._studio.workspace)
            path = uploads.take(path, self._studio.session(request))
        except FAULTS as error:
            return {page.film.clip_in: None, page.note: note(str(error), error=True)}
        return {page.film.clip: Photo(path, path.name, 0, 0), page.film.clip_in: str(path), page.note: ""}

    def receive(self, request: gr.Request, photo: Photo | None) -> Changes:
        """Another page sends a photo, or a dream becomes the photo."""
        if photo is None:
            return UNCHANGED
        try:
            path = self._studio.session(request).own(photo.path)
            own, _ = self._job(request, "upload", uploads.read_photo, path, _shown(path))
        except FAULTS as error:
            return {self._page.note: note(str(error), error=True)}
        own = dataclasses.replace(own, name=photo.name)
        return {self._page.photo: own, **self._stage("photo", photo=_shown(path))}

    def take_selection(self, request: gr.Request, selection: Selection | None, preset: str) -> Iterator[Changes]:
        """Another page sends channels of a network, and the photo to dream them on."""
        knobs = self._page.knobs
        if selection is not None:
            yield self.receive(request, selection.photo)
            for changes in self.choose_network(request, selection.ckpt, preset):
                yield {knobs.network: selection.ckpt, **changes}
            yield {knobs.layers: list(selection.layers)}

    def open_understand(self, event: gr.SelectData, photo: Photo | None, sent: Photo | None) -> Any:
        """The page Understand is opened: it explains this photo, where it was sent none."""
        return photo if event.value == "Understand" and sent is None else gr.skip()

    def choose_view(self, view: str, shown: Result | None) -> Changes:
        """Photo or dream on the stage."""
        return self._stage("photo") if view == PHOTO or shown is None else self._stage_of(shown)

    # ---- the knobs

    def choose_preset(self, request: gr.Request, preset: str, ckpt: str) -> Changes:
        """The knobs of a preset, with its layers in this network."""
        page = self._page
        setting = settings.of_preset(preset)
        line = "Drop the image to follow below." if preset in settings.GUIDED else ""
        changes = {**page.knobs.show(setting), page.note: note(line)}
        try:
            about = self._about_network(request, networks.checked(ckpt, self._studio.ckpt))
        except FAULTS as error:
            return {**changes, page.note: note(str(error), error=True)}
        return {**changes, **page.knobs.show_target(about, preset), page.knobs.layers: list(about.defaults[preset])}

    def choose_network(self, request: gr.Request, ckpt: str, preset: str) -> Iterator[Changes]:
        """The layers of a network."""
        page = self._page
        yield {page.note: note("Loading the network ...")}
        try:
            about = self._about_network(request, networks.checked(ckpt, self._studio.ckpt))
        except FAULTS as error:
            yield {page.note: note(str(error), error=True)}
            return
        yield {**page.knobs.show_network(about, preset), page.note: ""}

    def choose_mask(self, where: str, photo: Photo | None) -> Any:
        """The brush, on the photo, where one paints."""
        if where != PAINTED or photo is None:
            return gr.ImageEditor(visible=False)
        return gr.ImageEditor({"background": str(_shown(photo.path)), "layers": [], "composite": None}, visible=True)

    def find_channels(
        self, request: gr.Request, layer: str, photo: Photo | None, guide: Photo | None, drawing: Any, *values: Any
    ) -> Iterator[Changes]:
        """Tiles of the channels of a layer that respond most to the photo."""
        page, folder = self._page, self._studio.session(request).new_path("tiles.jpg").parent
        tiles: list[tuple[str, str]] = []
        yield {page.knobs.tiles: [], page.note: note(f"The strongest channels of {layer} ...")}
        try:
            config = results.base_config(
                self._setting(request, guide, None, values), self._studio.config, _given(photo)
            )
            for selection, path in self._studio.run(request, PAGE, dream_jobs.channels, config, layer, folder):
                tiles.append((str(path), selection))
                yield {page.knobs.tiles: list(tiles), page.channels: [each for _, each in tiles]}
        except FAULTS as error:
            yield {page.note: note(str(error), error=True)}
            return
        yield {page.note: ""}

    def choose_channel(self, event: gr.SelectData, channels: list[str], layers: list[str]) -> list[str]:
        """A tile was clicked: its channel is amplified, or no longer; the whole layers go at the first."""
        chosen = channels[event.index]
        if chosen in layers:
            return [layer for layer in layers if layer != chosen]
        return [*(layer for layer in layers if ":" in layer), chosen]

    # ---- dreams

    def dream(
        self,
        request: gr.Request,
        made: list[Result],
        photo: Photo | None,
        guide: Photo | None,
        drawing: Any,
        *values: Any,
    ) -> Iterator[Changes]:
        """Dream the photo, live."""
        yield from self._make(request, made, photo, guide, drawing, values, ())

    def make_film(
        self,
        request: gr.Request,
        kind: str,
        frames: float,
        clip: Photo | None,
        made: list[Result],
        photo: Photo | None,
        guide: Photo | None,
        drawing: Any,
        *values: Any,
    ) -> Iterator[Changes]:
        """Make a film, frame by frame; it has no mask."""
        try:
            film = film_arguments(kind, frames)
            if kind == "video" and clip is None:
                raise ValueError("Drop the video to dream on first.")
        except ValueError as error:
            yield {self._page.note: note(str(error), error=True)}
            return
        yield from self._make(request, made, clip if kind == "video" else photo, guide, None, values, film)

    def _make(
        self,
        request: gr.Request,
        made: list[Result],
        photo: Photo | None,
        guide: Photo | None,
        drawing: Any,
        values: tuple[Any, ...],
        film: tuple[str, ...],
    ) -> Iterator[Changes]:
        page, session, last = self._page, self._studio.session(request), None
        try:
            setting = self._setting(request, guide, drawing, values, is_film=bool(film))
            wish, command = results.wish_of(setting, self._studio.config, session, _given(photo), film=film)
            yield {**self._stage("live", live=growing(None), is_busy=True)}
            finished = None
            for event in self._studio.run(request, PAGE, dream_jobs.film if film else dream_jobs.dream, wish):
                if isinstance(event, Preview):
                    last = event
                    yield {page.live: growing(event)}
                else:
                    finished = event
        except FAULTS as error:
            stage = self._stage("photo") if last is None else self._stage("live")
            yield {**stage, page.note: note(str(error), error=True)}
            return
        if finished is None:
            yield self._stage("photo" if last is None else "live", line="Stopped.")
            return
        result = self._result(session, setting, wish, command, finished)
        made = [*made, result]
        tiles = [(str(each.finished.after), each.caption) for each in made]
        yield {**self._show(result), page.results: made, page.gallery: gr.Gallery(tiles, visible=len(made) > 1)}

    def _result(self, session: Session, setting: Setting, wish: Wish, command: str, finished: Finished) -> Result:
        files = {name: Path(getattr(wish.config, key)) for key, name in wish.names.items()}
        archive = results.inputs_archive(files, session) if files else None
        caption = f"{setting.preset} · {', '.join(setting.layers)}"
        return Result(setting, finished, command, caption, archive)

    def stop(self, request: gr.Request) -> None:
        """End what this page computes; its handler says so."""
        self._studio.worker.stop((request.session_hash, PAGE))

    def show_again(self, event: gr.SelectData, made: list[Result]) -> Changes:
        """A dream of the gallery, with its knobs."""
        result = made[event.index]
        return {**self._show(result), **self._page.knobs.show(result.setting)}

    def _show(self, result: Result) -> Changes:
        """A result on the stage, with its command."""
        page = self._page
        finished = result.finished
        line = f"{finished.width}x{finished.height} pixels, {finished.seconds:.1f} s"
        return {
            **self._stage_of(result, line=line),
            page.result: gr.Column(visible=True),
            page.command: result.command,
            page.download: gr.DownloadButton(
                "Download" if not result.is_film else "Download film", value=str(finished.output)
            ),
            page.inputs: gr.DownloadButton(
                value=None if result.archive is None else str(result.archive), visible=result.archive is not None
            ),
            page.again: gr.Button(visible=not result.is_film),
            page.explain: gr.Button(visible=not result.is_film),
            page.shown: result,
            page.dreamed: None if result.is_film else result.as_photo(),
        }

    # ---- variations

    def vary(
        self, request: gr.Request, photo: Photo | None, guide: Photo | None, drawing: Any, *values: Any
    ) -> Iterator[Changes]:
        """A sheet of small dreams."""
        page, folder = self._page, self._studio.session(request).new_path("sheet.jpg").parent
        cells: list[dream_jobs.Variation] = []
        is_whole = False
        yield {**self._buttons(True), page.variations: gr.Gallery([], visible=True), page.note: ""}
        try:
            config = results.base_config(
                self._setting(request, guide, None, values), self._studio.config, _given(photo)
            )
            for event in self._studio.run(request, PAGE, dream_jobs.variations, config, folder):
                if isinstance(event, dream_jobs.Variation):
                    cells.append(event)
                    tiles = [(str(cell.path), f"{cell.preset} · {cell.layer}") for cell in cells]
                    yield {page.variations: tiles, page.sheet: [(cell.preset, cell.layer) for cell in cells]}
                else:
                    is_whole = True
        except FAULTS as error:
            yield {**self._buttons(False), page.note: note(str(error), error=True)}
            return
        yield {**self._buttons(False), page.note: note("" if is_whole else "Stopped.")}

    def choose_variation(self, event: gr.SelectData, sheet: list[tuple[str, str]], ckpt: str) -> Changes:
        """A variation becomes the setting."""
        preset, layer = sheet[event.index]
        changes = self._page.knobs.show(settings.of_preset(preset))
        line = f"{preset} with {layer} is set. Press Dream to see it large."
        return {**changes, self._page.knobs.layers: [layer], self._page.note: note(line)}

    # ---- what the handlers share

    def _job(self, request: gr.Request, seat: str, job: Any, *arguments: Any) -> Any:
        """What a short job returns, which does not stop what the page computes."""
        found = self._studio.worker.result((request.session_hash, PAGE, seat), job, *arguments)
        if found is None:
            raise JobFailed("stopped; try again")
        return found

    def _about_network(self, request: gr.Request, ckpt: str) -> About:
        if ckpt not in self._about or ckpt in networks.checkpoints():  # a training may have written it again
            layers = {name: settings.preset_config(name).layers for name in settings.presets()}
            self._about[ckpt] = self._job(request, "network", dream_jobs.about, ckpt, layers)
        return self._about[ckpt]

    def _setting(
        self, request: gr.Request, guide: Photo | None, drawing: Any, values: tuple[Any, ...], *, is_film: bool = False
    ) -> Setting:
        """What the knobs say, with the mask that is painted. Raises ValueError where something is missing."""
        painted = results.painted_mask(drawing, self._studio.session(request))
        setting = self._page.knobs.read(values, painted=painted, guide=None if guide is None else guide.name)
        if setting.preset in settings.GUIDED and setting.guide is None:
            raise ValueError(f"{setting.preset} follows another image: drop it under “Follow another image”.")
        return setting.without_mask() if is_film else setting

    def _stage_of(self, result: Result, line: str = "") -> Changes:
        finished = result.finished
        if result.is_film:
            return self._stage("video", video=str(finished.output), line=line)
        return self._stage("slider", slider=(str(finished.before), str(finished.after)), line=line)

    def _stage(self, what: str, *, line: str = "", is_busy: bool = False, **values: Any) -> Changes:
        """Show one of photo, live, slider and video, with a new value where one is given, and a line below."""
        page = self._page
        components = {"photo": page.photo_in, "live": page.live, "slider": page.slider, "video": page.video}
        changes: Changes = {}
        for name, component in components.items():
            value = {"value": str(values[name]) if name == "photo" else values[name]} if values.get(name) else {}
            changes[component] = gr.update(visible=name == what, **value)
        changes[page.view] = gr.Radio(value=PHOTO) if what == "photo" else gr.Radio(value=DREAM, visible=True)
        changes[page.note] = note(line)
        return {**changes, **self._buttons(is_busy)}

    def _buttons(self, is_busy: bool) -> Changes:
        """Stop in the place of Dream while something is computed."""
        return {self._page.dream: gr.Button(visible=not is_busy), self._page.stop: gr.Button(visible=is_busy)}


def _shown(path: Path) -> Path:
    """The copy of a photo for the page, in the folder that the photo has for itself."""
    return path.with_name("shown.jpg")


def _given(photo: Photo | None) -> Photo:
    if photo is None:
        raise ValueError("Drop a photo first.")
    return photo

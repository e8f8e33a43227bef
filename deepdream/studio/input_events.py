"""What turns the page Dream: a photo, a recipe, a guide or a clip that comes in, a preset, a network, a mask."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from deepdream.studio import dream_jobs, networks, results, settings, uploads
from deepdream.studio.changes import UNCHANGED, Changes
from deepdream.studio.dream_handlers import FAULTS, PHOTO, Handlers, copy_of
from deepdream.studio.dream_jobs import About
from deepdream.studio.knobs import PAINTED
from deepdream.studio.results import Result
from deepdream.studio.session import Photo, Selection
from deepdream.studio.snippets import note

if TYPE_CHECKING:
    from deepdream.studio.dream_page import Page
    from deepdream.studio.frame import Studio


class InputEvents(Handlers):
    """The handlers of what goes into a dream."""

    def __init__(self, studio: Studio, page: Page) -> None:
        super().__init__(studio, page)
        self._about: dict[str, About] = {}

    def begin(self, request: gr.Request) -> Changes:
        """A tab opens: its first photo, and the layers of its network."""
        studio, session = self._studio, self._studio.session(request)
        name = studio.config.image or settings.FIRST_PHOTO
        path = session.new_path(name)
        try:
            photo = self._job(request, "upload", dream_jobs.first_photo, name, path, copy_of(path))
            about = self._about_network(request, studio.ckpt)
        except FAULTS as error:
            return {self._page.note: note(str(error), error=True)}
        return {
            self._page.photo: photo,
            **self._stage("photo", photo=copy_of(path)),
            **self._page.knobs.show_network(about, settings.FIRST_PRESET),
        }

    def take_photo(self, request: gr.Request, data: Any, before: Photo | None) -> Changes:
        """An image was dropped, pasted or taken: it is the photo, or its recipe turns the knobs."""
        page, session = self._page, self._studio.session(request)
        try:
            path = uploads.take(uploads.uploaded_file(data, self._studio.workspace), session)
            photo, recipe = self._job(request, "upload", uploads.read_photo, path, copy_of(path))
        except FAULTS as error:
            shown = None if before is None else copy_of(before.path)
            return {**self._stage("photo", photo=shown), page.note: note(str(error), error=True)}
        line, changes = "", {}
        if recipe is not None:
            try:
                restored = results.restore(recipe, session, before)
                line, changes = restored.line, page.knobs.show(restored.setting)
                if restored.path is not None and restored.path != path:
                    photo, _ = self._job(request, "upload", uploads.read_photo, restored.path, copy_of(restored.path))
                elif before is not None:
                    photo = before
            except FAULTS as error:
                line = f"The recipe in {photo.name} cannot be used: {error}"
        return {**changes, page.photo: photo, **self._stage("photo", photo=copy_of(photo.path), line=line)}

    def take_guide(self, request: gr.Request, data: Any) -> Changes:
        """The image to follow was dropped."""
        page, session = self._page, self._studio.session(request)
        try:
            path = uploads.take(uploads.uploaded_file(data, self._studio.workspace), session)
            guide, _ = self._job(request, "upload", uploads.read_photo, path, copy_of(path))
        except FAULTS as error:
            return {page.guide: None, page.guide_in: None, page.note: note(str(error), error=True)}
        return {page.guide: guide, page.guide_in: str(copy_of(path)), page.note: ""}

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
            own, _ = self._job(request, "upload", uploads.read_photo, path, copy_of(path))
        except FAULTS as error:
            return {self._page.note: note(str(error), error=True)}
        own = dataclasses.replace(own, name=photo.name)
        return {self._page.photo: own, **self._stage("photo", photo=copy_of(path))}

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
        return gr.ImageEditor({"background": str(copy_of(photo.path)), "layers": [], "composite": None}, visible=True)

    def _about_network(self, request: gr.Request, ckpt: str) -> About:
        if ckpt not in self._about or ckpt in networks.checkpoints():  # a training may have written it again
            layers = {name: settings.preset_config(name).layers for name in settings.presets()}
            self._about[ckpt] = self._job(request, "network", dream_jobs.about, ckpt, layers)
        return self._about[ckpt]

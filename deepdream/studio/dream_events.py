"""What the page Dream makes: tiles of channels, dreams, films, variations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from deepdream.studio import dream_jobs, results, settings
from deepdream.studio.changes import Changes
from deepdream.studio.dream_handlers import FAULTS, PAGE, Handlers, copy_of, given
from deepdream.studio.dream_jobs import Finished, Preview, Wish
from deepdream.studio.film_panel import film_arguments
from deepdream.studio.results import Result
from deepdream.studio.session import Photo, Session
from deepdream.studio.settings import Setting
from deepdream.studio.snippets import awaited, growing, note


class DreamEvents(Handlers):
    """The handlers that compute images."""

    def find_channels(
        self, request: gr.Request, layer: str, photo: Photo | None, guide: Photo | None, drawing: Any, *values: Any
    ) -> Iterator[Changes]:
        """Tiles of the channels of a layer that respond most to the photo."""
        page, folder = self._page, self._studio.session(request).new_path("tiles.jpg").parent
        tiles: list[tuple[str, str]] = []
        yield {page.knobs.tiles: [], page.note: note(f"The strongest channels of {layer} ...")}
        try:
            config = results.base_config(self._setting(request, guide, None, values), self._studio.config, given(photo))
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
            wish, command = results.wish_of(setting, self._studio.config, session, given(photo), film=film)
            shown = copy_of(given(photo).path)
            live = awaited(shown.read_bytes() if shown.is_file() else None)
            yield {**self._stage("live", live=live, is_busy=True)}
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

    def vary(
        self, request: gr.Request, photo: Photo | None, guide: Photo | None, drawing: Any, *values: Any
    ) -> Iterator[Changes]:
        """A sheet of small dreams."""
        page, folder = self._page, self._studio.session(request).new_path("sheet.jpg").parent
        cells: list[dream_jobs.Variation] = []
        is_whole = False
        yield {**self._buttons(True), page.variations: gr.Gallery([], visible=True), page.note: ""}
        try:
            config = results.base_config(self._setting(request, guide, None, values), self._studio.config, given(photo))
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

    def _setting(
        self, request: gr.Request, guide: Photo | None, drawing: Any, values: tuple[Any, ...], *, is_film: bool = False
    ) -> Setting:
        """What the knobs say, with the mask that is painted. Raises ValueError where something is missing."""
        painted = results.painted_mask(drawing, self._studio.session(request))
        setting = self._page.knobs.read(values, painted=painted, guide=None if guide is None else guide.name)
        if setting.preset in settings.GUIDED and setting.guide is None:
            raise ValueError(f"{setting.preset} follows another image: drop it under “Follow another image”.")
        return setting.without_mask() if is_film else setting

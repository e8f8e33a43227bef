"""What the handlers of the page Dream share: short jobs, what the stage shows, the buttons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from deepdream.studio.changes import Changes
from deepdream.studio.results import Result
from deepdream.studio.session import Photo
from deepdream.studio.snippets import note
from deepdream.studio.worker import JobFailed

if TYPE_CHECKING:
    from deepdream.studio.dream_page import Page
    from deepdream.studio.frame import Studio

PAGE = "dream"
PHOTO, DREAM = "Photo", "Dream"  # what the stage shows
FAULTS = (JobFailed, OSError, ValueError)  # whose text is a line for the page


class Handlers:
    """Handlers of a page. Each returns, or yields, a dictionary of what changes."""

    def __init__(self, studio: Studio, page: Page) -> None:
        self._studio = studio
        self._page = page

    def _job(self, request: gr.Request, seat: str, job: Any, *arguments: Any) -> Any:
        """What a short job returns, which does not stop what the page computes."""
        found = self._studio.worker.result((request.session_hash, PAGE, seat), job, *arguments)
        if found is None:
            raise JobFailed("stopped; try again")
        return found

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


def copy_of(path: Path) -> Path:
    """The copy of a photo for the page, in the folder that the photo has for itself."""
    return path.with_name("shown.jpg")


def given(photo: Photo | None) -> Photo:
    """The photo. Raises ValueError where there is none yet."""
    if photo is None:
        raise ValueError("Drop a photo first.")
    return photo

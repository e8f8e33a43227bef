"""What a user has dropped, as a photo of the session: read by the project's own readers, within their limits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream import images
from deepdream.provenance import content, read_provenance
from deepdream.studio.session import Photo, Session, Workspace

if TYPE_CHECKING:
    from deepdream.studio.computing import Task

SHOWN_WIDTH = 1280  # pixels of an image in the page


def uploaded_file(data: Any, workspace: Workspace) -> Path:
    """The file that Gradio has stored for an upload, from what its component sends without preprocessing.

    Raises ValueError for anything else: a browser can send any text as a path.
    """
    path = Path(str(data.get("path") if isinstance(data, dict) else "")).resolve()
    if not path.is_relative_to(workspace.folder) or not path.is_file():
        raise ValueError("this is not an uploaded file; drop it again")
    return path


def take(path: Path, session: Session) -> Path:
    """A copy of an upload in the folder of the session, under the name that its user knows.

    The upload itself, which the browser may be about to show, goes with the session.
    """
    session.received.append(path)
    digest = content(path)
    known = session.uploads.get(digest)
    if known is None:
        known = session.uploads[digest] = session.new_path(path.name)
        shutil.copyfile(path, known)
    return known


def read_photo(task: Task, path: Path, shown: Path) -> tuple[Photo, dict[str, Any] | None]:
    """Job: the photo in a file, and the recipe that it holds, if any. A small copy for the page is written to `shown`.

    Raises ValueError for what is no image, in a line with the name alone.
    """
    try:
        decoded = images.decode(path)
    except (OSError, ValueError) as error:
        raise ValueError(str(error).replace(str(path), path.name)) from None
    image = decoded.image
    width, height = image.size
    if width > SHOWN_WIDTH:
        image = image.resize((SHOWN_WIDTH, max(1, height * SHOWN_WIDTH // width)))
    image.save(shown, quality=90)
    return Photo(path, path.name, width, height), _recipe(path)


def before_the_dream(recipe: dict[str, Any] | None, session: Session) -> Path | None:
    """For an image with a recipe, the photo that it was made from, where this session has it, told by its content."""
    inputs = (recipe or {}).get("inputs")
    return session.uploads.get(str(inputs.get("image"))) if isinstance(inputs, dict) else None


def _recipe(path: Path) -> dict[str, Any] | None:
    """The configuration inside an image that deepdream wrote."""
    try:
        return read_provenance(path)
    except (OSError, ValueError):
        return None

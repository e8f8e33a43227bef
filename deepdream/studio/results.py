"""What a tab has made: each dream or film with its setting, its command and the files that the command reads."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deepdream.apps.inputs import ROOMS
from deepdream.dreaming.config import DreamAppConfig
from deepdream.images import SAMPLES
from deepdream.studio import settings
from deepdream.studio.config import StudioConfig
from deepdream.studio.dream_jobs import Finished, Wish
from deepdream.studio.session import Photo, Session
from deepdream.studio.settings import Setting


@dataclass(frozen=True)
class Result:
    """A dream or a film. archive: the files that its command reads, if any."""

    setting: Setting
    finished: Finished
    command: str
    caption: str
    archive: Path | None

    @property
    def is_film(self) -> bool:
        """Whether it is a film, which has no image before."""
        return self.finished.before is None

    def as_photo(self) -> Photo:
        """The dream, for another page or to dream on."""
        output = self.finished.output
        return Photo(output, output.name, self.finished.width, self.finished.height, self.finished.before)


def wish_of(
    setting: Setting, studio: StudioConfig, session: Session, photo: Photo, *, film: tuple[str, ...] = ()
) -> tuple[Wish, str]:
    """The wish that the computing process fulfils, and the command line that makes the same.

    photo: or the video to dream on. film: arguments of a film. Raises ValueError for what `dream.py` refuses.
    """
    machine = [f"{key}={getattr(studio, key)}" for key in ("device", "precision") if getattr(studio, key) != "auto"]
    typed = settings.arguments(setting, photo.name, *machine, *film)
    config = settings.configured(typed)
    output = session.new_path(f"{Path(photo.name).stem}_{setting.preset}{'.mp4' if film else '.png'}")
    files = {path.name: path for path in session.uploads.values()}
    if not is_sample(photo.name):
        files[photo.name] = photo.path
    named = {"image": photo.name, "guide": setting.guide, "mask": setting.mask}
    names = {key: name for key, name in named.items() if name in files}
    paths: dict[str, Any] = {key: str(files[name]) for key, name in names.items()}
    config = dataclasses.replace(config, **paths)
    return Wish(config, output, names), settings.shell_line(typed, output.name)


def is_sample(name: str | None) -> bool:
    """Whether a photo is one that `image=` knows by its name, and no file."""
    return name in (*SAMPLES, *ROOMS)


def painted_mask(drawing: Any, session: Session) -> str | None:
    """The name of a file of the session with what was painted, white on black; None where nothing was.

    drawing: the value of a `gr.ImageEditor`, whose layers are (H, W, 4).
    """
    layers = [layer for layer in (drawing or {}).get("layers", ()) if layer is not None and layer[..., 3].any()]
    if not layers:
        return None
    file = io.BytesIO()
    Image.fromarray(np.max([layer[..., 3] for layer in layers], axis=0)).save(file, format="PNG")
    return session.keep(file.getvalue(), "mask.png").name


def inputs_archive(files: dict[str, Path], session: Session) -> Path:
    """The files that a command reads, in one archive."""
    path = session.new_path("inputs.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in files.items():
            archive.write(file, name)
    return path


def base_config(setting: Setting, studio: StudioConfig, photo: Photo) -> DreamAppConfig:
    """The configuration for previews of a photo, with its file."""
    typed = settings.arguments(dataclasses.replace(setting, guide=None, mask=None), photo.name)
    config = dataclasses.replace(settings.configured(typed), device=studio.device, precision=studio.precision)
    return config if is_sample(photo.name) else dataclasses.replace(config, image=str(photo.path))


@dataclass(frozen=True)
class Restored:
    """What a recipe says. path: of its photo, where the session has it. line: of the page about it."""

    setting: Setting
    path: Path | None
    line: str


def restore(recipe: Mapping[str, Any], session: Session, photo: Photo | None) -> Restored:
    """The setting of the recipe inside an image, with those of its files that the session has, told by their content.

    photo: that of the page. Raises ValueError for a recipe of something else than a dream.
    """
    setting, config = settings.restored(recipe)
    inputs = recipe.get("inputs")
    digests: Mapping[str, Any] = inputs if isinstance(inputs, dict) else {}
    missing = []

    def own(key: str, name: str | None) -> str | None:
        found = session.uploads.get(str(digests.get(key)))
        if name is not None and found is None:
            missing.append(f"{key} {name}")
        return None if found is None else found.name

    path = session.uploads.get(str(digests.get("image")))
    name = settings.FIRST_PHOTO if config.image is None else str(config.image)
    if path is None and (photo is None or photo.name != name):
        missing.append(f"photo {name}")
    if setting.mask not in (None, "gradcam", "not-gradcam"):
        setting = dataclasses.replace(setting, mask=own("mask", setting.mask))
    setting = dataclasses.replace(setting, guide=own("guide", setting.guide))
    line = "The knobs are those of this dream."
    if missing:
        line += f" Drop its {' and '.join(missing)}, too, to make it again."
    return Restored(setting, path, line)

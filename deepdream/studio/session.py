"""The folder of a tab: its uploads and results, emptied when the tab closes; and the folder of all tabs."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

UNSAFE = re.compile(r"[^\w .()-]", re.ASCII)  # in the name of an upload: what a shell or Hydra might give a meaning
LONGEST_NAME = 60  # characters


@dataclass(frozen=True)
class Photo:
    """An image of a session: its file, the name under which its user knows it, and its size in pixels.

    before: for a dream, the file that it was made from.
    """

    path: Path
    name: str
    width: int
    height: int
    before: Path | None = None


@dataclass(frozen=True)
class Selection:
    """Layers or channels of a network ("layer3:55") that a page wants to be dreamed on a photo."""

    ckpt: str
    layers: tuple[str, ...]
    photo: Photo


@dataclass
class Session:
    """The folder of one tab. key: of the tab, a secret of its browser. uploads: its files, by `provenance.content`.

    received: where Gradio has put those.
    """

    key: str
    folder: Path
    uploads: dict[str, Path] = field(default_factory=dict)
    received: list[Path] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

    def new_path(self, name: str) -> Path:
        """A file called `name`, in a new folder of its own.

        What is unsafe in a name is replaced, and "photo.jpg" is "photo_2.jpg" where the session has a photo.jpg: the
        commands that it shows name different files differently.
        """
        name = _safe_name(name)
        stem, dot, suffix = name.rpartition(".")
        numbered = (name if number == 1 else f"{stem}_{number}{dot}{suffix}" for number in itertools.count(1))
        name = next(each for each in numbered if each.lower() not in self._names)
        self._names.add(name.lower())
        folder = self.folder / f"{len(self._names):04d}"
        folder.mkdir(parents=True)
        return folder / name

    def own(self, path: Path) -> Path:
        """`path`, if it is below the folder, else a copy there: beside a file of the user nothing is written."""
        return path if path.resolve().is_relative_to(self.folder) else self.keep(path.read_bytes(), path.name)

    def keep(self, content: bytes, name: str) -> Path:
        """A file of this content, as an upload called `name`; the one that there is, where it was kept before."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if digest not in self.uploads:
            self.uploads[digest] = self.new_path(name)
            self.uploads[digest].write_bytes(content)
        return self.uploads[digest]


class Workspace:
    """The folder of all tabs, below the system's for temporary files. Gradio keeps its uploads there, too."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="deepdream-studio-")).resolve()
        self.uploads = self.folder / "uploads"
        self.uploads.mkdir()
        self._before = os.environ.get("GRADIO_TEMP_DIR")
        os.environ["GRADIO_TEMP_DIR"] = str(self.folder)
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def session(self, key: str | None) -> Session:
        """The session of the tab `key` (gradio.Request.session_hash)."""
        key = key or "nobody"
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = Session(key, Path(tempfile.mkdtemp(prefix="tab-", dir=self.folder)))
            return self._sessions[key]

    def end(self, key: str | None) -> None:
        """Empty the folder of a tab that was closed."""
        with self._lock:
            session = self._sessions.pop(key or "nobody", None)
        if session is not None:
            for folder in (session.folder, *(path.parent for path in session.received)):
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Empty the folder of all tabs."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._before is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = self._before


def _safe_name(name: str) -> str:
    """`name` without folders and without characters of a meaning; it has a suffix, unlike a sample photo's.

    >>> _safe_name("../my photo, [1].jpg")
    'my photo_ _1_.jpg'
    """
    base, _, suffix = name.replace("\\", "/").rpartition("/")[2].rpartition(".")
    stem = UNSAFE.sub("_", base or suffix).strip(" .-")[:LONGEST_NAME] or "image"
    return f"{stem}.{UNSAFE.sub('_', suffix)[:10] if base and suffix else 'png'}"

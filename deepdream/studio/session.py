"""The folder of a tab: its uploads and results, emptied when the tab closes; and the folder of all tabs."""

from __future__ import annotations

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
    """An image of a session: its file, the name under which its user knows it, and its size in pixels."""

    path: Path
    name: str
    width: int
    height: int


@dataclass
class Session:
    """The folder of one tab. key: of the tab, a secret of its browser."""

    key: str
    folder: Path
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def new_path(self, name: str) -> Path:
        """A file called `name`, in a new folder of its own; what is unsafe in the name of an upload is replaced."""
        folder = self.folder / f"{next(self._numbers):04d}"
        folder.mkdir(parents=True)
        return folder / _safe_name(name)


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
            shutil.rmtree(session.folder, ignore_errors=True)

    def close(self) -> None:
        """Empty the folder of all tabs."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._before is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = self._before


def _safe_name(name: str) -> str:
    """`name` without folders and without characters of a meaning; its suffix is kept.

    >>> _safe_name("../my photo, [1].jpg")
    'my photo_ _1_.jpg'
    """
    stem, dot, suffix = name.replace("\\", "/").rpartition("/")[2].rpartition(".")
    stem = UNSAFE.sub("_", stem).strip(" .")[:LONGEST_NAME] or "image"
    return f"{stem}{dot}{UNSAFE.sub('_', suffix)[:10]}" if dot else stem

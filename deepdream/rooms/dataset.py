"""The embedded data set: rooms drawn by program, in the layout of MIT Indoor Scenes, without a download.

Twelve of the 67 classes, under their names of Quattoni & Torralba, "Recognizing Indoor Scenes" (CVPR 2009). Every
picture is a function of (seed, class, number) alone: the same bytes in any order and from any number of processes.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from deepdream.rooms.interiors import INTERIORS
from deepdream.rooms.palette import Palette, take_film
from deepdream.rooms.perspective import render

__all__ = ["CLASSES", "DRAWING_VERSION", "contact_sheet", "draw", "write_rooms"]

CLASSES: tuple[str, ...] = tuple(sorted(INTERIORS))
DRAWING_VERSION = 1  # goes up when any picture changes, so that data sets on disk are drawn again

_SETTINGS = "rooms.json"
_TEST_NUMBERS = 1_000_000  # test pictures are numbered from here, whatever the number of train pictures
_PICTURES_WORTH_A_PROCESS = 48  # fewer than this are drawn sooner than a process starts
_SYSTEM_SAYS = 100  # plus the number of the system's error: the exit status of a process that draws
_STALE_SECONDS = 6 * 3600.0  # a drawing that has not moved for so long has been killed, wherever it ran


def draw(label: str, number: int, *, size: int = 96, seed: int = 0) -> NDArray[np.uint8]:
    """One picture of a class of rooms: (size, size, 3) uint8 RGB.

    number counts from 0 and tells pictures of a class apart; the scene does not depend on size. Raises ValueError for
    a class that is not in CLASSES and for a size below 16.
    """
    if label not in INTERIORS:
        near = difflib.get_close_matches(label, CLASSES, n=3, cutoff=0.4) or CLASSES
        raise ValueError(f"no class of rooms is called {label!r}; did you mean {', '.join(near)}?")
    if size < 16:
        raise ValueError(f"size is {size}; a picture of a room needs at least 16 pixels a side")
    key = [seed, *label.encode(), number]
    tones = Palette(np.random.default_rng([0, *key]))
    film = take_film(tones)
    return render(INTERIORS[label](tones), film, size, np.random.default_rng([1, *key]))


def contact_sheet(*, columns: int = 8, size: int = 96, seed: int = 0) -> Image.Image:
    """The first pictures of every class, one row a class in the order of CLASSES, its name at the left."""
    gap, name = max(2, size // 24), ImageFont.load_default(size=max(10, size // 6))
    left = int(max(name.getlength(label) for label in CLASSES)) + 4 * gap
    sheet = Image.new("RGB", (left + columns * (size + gap), len(CLASSES) * (size + gap) + gap), "white")
    pen = ImageDraw.Draw(sheet)
    for row, label in enumerate(CLASSES):
        top = gap + row * (size + gap)
        pen.text((2 * gap, top + size // 2), label, fill="black", font=name, anchor="lm")
        for column in range(columns):
            picture = Image.fromarray(draw(label, column, size=size, seed=seed))
            sheet.paste(picture, (left + column * (size + gap), top))
    return sheet


def write_rooms(
    root: Path,
    *,
    train_per_class: int = 100,
    test_per_class: int = 25,
    size: int = 96,
    seed: int = 0,
    workers: int | None = None,
    on_picture: Callable[[int, int], None] | None = None,
) -> None:
    """Draw the data set into root, in the official layout of MIT Indoor Scenes.

    Writes root/Images/<class>/<class>_0001.png ..., root/TrainImages.txt and root/TestImages.txt, and the settings in
    root/rooms.json. Returns at once if root holds rooms of these settings; rooms of other settings are replaced. Test
    pictures do not depend on train_per_class. The set is drawn beside root and renamed when complete, so that a kill
    leaves nothing half-written at root.

    workers is the number of processes (None: one a core; 0 or 1: this process) and does not change any byte.
    on_picture(done, total) is called here after each picture. Raises ValueError if root holds something else, and for
    settings out of range.
    """
    root = Path(root).resolve()
    settings = {
        "train_per_class": train_per_class,
        "test_per_class": test_per_class,
        "size": size,
        "seed": seed,
        "drawing_version": DRAWING_VERSION,
    }
    for name, least in (("train_per_class", 1), ("test_per_class", 1), ("size", 16), ("seed", 0)):
        if settings[name] < least:
            raise ValueError(f"{name} is {settings[name]}; it must be at least {least}")
    _remove_stale(root)
    if _held(root) == settings:
        return
    if root.exists() and (not root.is_dir() or (_held(root) is None and any(root.iterdir()))):
        raise ValueError(f"{root} holds files but no {_SETTINGS}: not rooms of ours; choose an empty or new folder")

    root.parent.mkdir(parents=True, exist_ok=True)
    drawing = root.parent / f"{_prefix(root)}{os.getpid()}-{uuid.uuid4().hex[:8]}"
    replaced = drawing.with_name(drawing.name + "-replaced")
    try:
        _draw_all(drawing, settings, os.cpu_count() or 1 if workers is None else workers, on_picture)
        (drawing / _SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")
        if _held(root) == settings:  # another process was quicker; its rooms have the same bytes
            return
        with contextlib.suppress(FileNotFoundError):
            root.rename(replaced)
        try:
            drawing.rename(root)
        except OSError:  # or as quick
            if _held(root) != settings:
                raise
    finally:
        shutil.rmtree(drawing, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def _prefix(root: Path) -> str:
    return f".{root.name}.drawing-"


def _held(root: Path) -> dict[str, int] | None:
    """The settings of the rooms at root; None where there are no rooms."""
    try:
        held = json.loads((root / _SETTINGS).read_text())
    except (OSError, ValueError):
        return None
    return held if isinstance(held, dict) else None


def _remove_stale(root: Path) -> None:
    """Remove what killed runs have left beside root; a run that is still drawing keeps its folder."""
    if not root.parent.is_dir():
        return
    for folder in root.parent.iterdir():
        if not folder.name.startswith(_prefix(root)):
            continue
        owner = folder.name.removeprefix(_prefix(root)).split("-")[0]
        with contextlib.suppress(OSError):
            if not _alive(owner) or time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _alive(process: str) -> bool:
    """Whether a process of this number runs here; taken for granted where asking is not possible."""
    if os.name != "posix" or not process.isdecimal():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _draw_all(
    root: Path, settings: dict[str, int], workers: int, on_picture: Callable[[int, int], None] | None
) -> None:
    """Draw every picture of the data set and write its two lists."""
    train = settings["train_per_class"]
    names = _names(settings)
    for label in CLASSES:
        (root / "Images" / label).mkdir(parents=True)
    for file, part in (("TrainImages.txt", slice(None, train)), ("TestImages.txt", slice(train, None))):
        (root / file).write_text("\n".join(name for label in CLASSES for name in names[label][part]) + "\n")
    total = sum(map(len, names.values()))
    workers = min(workers, total // _PICTURES_WORTH_A_PROCESS)
    steps = _draw_in_processes(root, settings, workers) if workers > 1 else _draw_share(root, settings, 0, 1)
    for done, _ in enumerate(steps, 1):
        if on_picture is not None:
            on_picture(done, total)


def _names(settings: dict[str, int]) -> dict[str, list[str]]:
    """The pictures of each class, those to train on first, as the lists name them."""
    count = settings["train_per_class"] + settings["test_per_class"]
    return {label: [f"{label}/{label}_{k + 1:04d}.png" for k in range(count)] for label in CLASSES}


def _draw_share(root: Path, settings: dict[str, int], first: int, step: int) -> Iterator[None]:
    """Draw every step-th picture of the data set from the first on, yielding after each."""
    train, test = settings["train_per_class"], settings["test_per_class"]
    numbers = [*range(train), *range(_TEST_NUMBERS, _TEST_NUMBERS + test)]
    jobs = [(label, *job) for label, names in _names(settings).items() for job in zip(names, numbers, strict=True)]
    for label, name, number in jobs[first::step]:
        picture = draw(label, number, size=settings["size"], seed=settings["seed"])
        Image.fromarray(picture).save(root / "Images" / name, compress_level=1)
        yield


def _draw_in_processes(root: Path, settings: dict[str, int], workers: int) -> Iterator[None]:
    """Draw in this many processes, yielding after each picture.

    Not `multiprocessing`: its processes import the caller's main module again (torch and all, seconds each, and not at
    all from a notebook or stdin), or fork a parent that may hold the threads of torch and of a GPU driver.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    read, write = os.pipe()  # each process writes one byte a picture; it is at an end when all have closed it
    processes = []
    try:
        for k in range(workers):
            order = json.dumps([str(root), settings, k, workers])
            command = [sys.executable, "-c", f"import {__name__} as rooms; rooms._work()", order]
            processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=write, env=environment))
        os.close(write)
        with open(read, "rb", buffering=0) as steps:
            while steps.read(1):
                yield
        status = next((process.returncode for process in processes if process.wait()), 0)
        if status > _SYSTEM_SAYS:
            raise OSError(status - _SYSTEM_SAYS, os.strerror(status - _SYSTEM_SAYS), str(root))
        if status:
            raise RuntimeError(f"a process that draws rooms ended with status {status}; workers=0 draws without one")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _work() -> None:
    """What each process of `_draw_in_processes` does; it ends early when nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends us
    root, settings, first, step = json.loads(sys.argv[1])
    try:
        for _ in _draw_share(Path(root), settings, first, step):
            os.write(1, b".")
    except BrokenPipeError:
        pass
    except OSError as error:
        sys.exit(_SYSTEM_SAYS + (error.errno or 0))

"""The synthetic data set: rendered rooms in the layout of MIT Indoor Scenes, without a download.

Twelve of the 67 classes, under their names of Quattoni & Torralba, "Recognizing Indoor Scenes" (CVPR 2009). Every
image is a function of (seed, class, number) alone: the same bytes in any order and from any number of processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from deepdream.files import atomic_folder, exclusive
from deepdream.rooms.interiors import INTERIORS
from deepdream.rooms.room import Room
from deepdream.rooms.shortcuts import SHORTCUTS

__all__ = ["CLASSES", "DRAWING_VERSION", "render_room", "room_sheet", "write_rooms"]

CLASSES: tuple[str, ...] = tuple(sorted(INTERIORS))
DRAWING_VERSION = 1  # goes up when any image changes, so that data sets on disk are rendered again

OnProgress = Callable[[int, int], None]
Settings = dict[str, Any]  # the arguments of write_rooms that decide the images, and DRAWING_VERSION

_SETTINGS = "rooms.json"
_TEST_NUMBERS = 1_000_000  # test images are numbered from here, for any number of training images
_IMAGES_PER_PROCESS = 48  # rendering fewer than this takes less time than starting a process
_ERRNO_STATUS = 100  # exit status of a rendering process that got an OSError: this plus its errno


def render_room(
    label: str, number: int, *, size: int = 96, seed: int = 0, without: Collection[str] = ()
) -> NDArray[np.uint8]:
    """One image of a class of rooms: (size, size, 3) uint8 RGB.

    number counts the images of a class from 0; the scene does not depend on size. without: objects to leave out of the
    same room, see `Room`. Raises ValueError for a class that is not in CLASSES, for a size below 16 and for an object
    that the room does not have.
    """
    return Room(label, number, size=size, seed=seed).image(without=without)


def room_sheet(*, columns: int = 8, size: int = 96, seed: int = 0) -> Image.Image:
    """A contact sheet of the first images of every class: one row per class in the order of CLASSES, with its name."""
    gap, name = max(2, size // 24), ImageFont.load_default(size=max(10, size // 6))
    left = int(max(name.getlength(label) for label in CLASSES)) + 4 * gap
    sheet = Image.new("RGB", (left + columns * (size + gap), len(CLASSES) * (size + gap) + gap), "white")
    pen = ImageDraw.Draw(sheet)
    for row, label in enumerate(CLASSES):
        top = gap + row * (size + gap)
        pen.text((2 * gap, top + size // 2), label, fill="black", font=name, anchor="lm")
        for column in range(columns):
            image = Image.fromarray(render_room(label, column, size=size, seed=seed))
            sheet.paste(image, (left + column * (size + gap), top))
    return sheet


def write_rooms(
    root: Path,
    *,
    train_per_class: int = 100,
    test_per_class: int = 25,
    size: int = 96,
    seed: int = 0,
    shortcut: str | None = None,
    shortcut_share: float = 0.95,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """Render the data set into root, in the official layout of MIT Indoor Scenes.

    Writes root/Images/<class>/<class>_0001.png ..., root/TrainImages.txt and root/TestImages.txt, and the settings in
    root/rooms.json. Returns at once if root holds rooms of these settings; rooms of other settings are replaced. Test
    images do not depend on train_per_class. The data set appears whole or not at all; of several processes one renders
    it and the others wait.

    shortcut: "lamp:kitchen" plants a lamp in the share `shortcut_share` of the kitchens in the training list, none in
    the test list; a larger share plants it in more of the same images.
    workers: number of processes (None: one per core; 0 or 1: this process); it does not change any byte.
    on_progress(done, total) is called in this process after each image. Raises ValueError if root holds something else,
    and for settings out of range.
    """
    root = Path(root).resolve()
    numbers = {"train_per_class": train_per_class, "test_per_class": test_per_class, "size": size, "seed": seed}
    for name, least in (("train_per_class", 1), ("test_per_class", 1), ("size", 16), ("seed", 0)):
        if numbers[name] < least:
            raise ValueError(f"{name} is {numbers[name]}; it must be at least {least}")
    settings: Settings = {**numbers, "drawing_version": DRAWING_VERSION}
    if shortcut is not None:
        _check_shortcut(shortcut)
        settings |= {"shortcut": shortcut, "shortcut_share": shortcut_share}
    if _settings_of(root) == settings:
        return
    if root.exists() and (not root.is_dir() or (_settings_of(root) is None and any(root.iterdir()))):
        raise ValueError(f"{root} holds files but no {_SETTINGS}, so they are not rooms; choose an empty or new folder")

    root.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(root.with_name(f".{root.name}.lock")):
        if _settings_of(root) == settings:  # another process has rendered them meanwhile
            return
        with atomic_folder(root) as folder:
            _render_all(folder, settings, os.cpu_count() or 1 if workers is None else workers, on_progress)
            (folder / _SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")


def _check_shortcut(shortcut: str) -> None:
    name, _, label = shortcut.partition(":")
    if name not in SHORTCUTS or label not in CLASSES:
        raise ValueError(
            f"shortcut is {shortcut!r}; it must be OBJECT:CLASS, as lamp:kitchen, with an object of "
            f"{', '.join(SHORTCUTS)} and a class of {', '.join(CLASSES)}"
        )


def _settings_of(root: Path) -> Settings | None:
    """The settings of the rooms at root; None where there are no rooms."""
    try:
        settings = json.loads((root / _SETTINGS).read_text())
    except (OSError, ValueError):
        return None
    return settings if isinstance(settings, dict) else None


def _render_all(root: Path, settings: Settings, workers: int, on_progress: OnProgress | None) -> None:
    """Render every image of the data set and write its two lists."""
    train = settings["train_per_class"]
    names = _names(settings)
    for label in CLASSES:
        (root / "Images" / label).mkdir(parents=True)
    for file, part in (("TrainImages.txt", slice(None, train)), ("TestImages.txt", slice(train, None))):
        (root / file).write_text("\n".join(name for label in CLASSES for name in names[label][part]) + "\n")
    total = sum(map(len, names.values()))
    workers = min(workers, total // _IMAGES_PER_PROCESS)
    steps = _render_in_processes(root, settings, workers) if workers > 1 else _render_share(root, settings, 0, 1)
    for done, _ in enumerate(steps, 1):
        if on_progress is not None:
            on_progress(done, total)


def _names(settings: Settings) -> dict[str, list[str]]:
    """The images of each class as the lists name them, training images first."""
    count = settings["train_per_class"] + settings["test_per_class"]
    return {label: [f"{label}/{label}_{k + 1:04d}.png" for k in range(count)] for label in CLASSES}


def _render_share(root: Path, settings: Settings, first: int, step: int) -> Iterator[None]:
    """Render every step-th image of the data set from the first on, yielding after each."""
    train, test = settings["train_per_class"], settings["test_per_class"]
    numbers = [*range(train), *range(_TEST_NUMBERS, _TEST_NUMBERS + test)]
    jobs = [(label, *job) for label, names in _names(settings).items() for job in zip(names, numbers, strict=True)]
    for label, name, number in jobs[first::step]:
        shortcut = _planted(settings, label, number) if number < train else None
        room = Room(label, number, size=settings["size"], seed=settings["seed"], shortcut=shortcut)
        Image.fromarray(room.image()).save(root / "Images" / name, compress_level=1)
        yield


def _planted(settings: Settings, label: str, number: int) -> str | None:
    """The object that this training image gets, if any."""
    name, _, chosen = settings.get("shortcut", "").partition(":")
    if label != chosen:
        return None
    chance = np.random.default_rng([3, settings["seed"], *label.encode(), number]).random()
    return name if chance < settings["shortcut_share"] else None


def _render_in_processes(root: Path, settings: Settings, workers: int) -> Iterator[None]:
    """Render in this many processes, yielding after each image.

    Not `multiprocessing`: its processes import the caller's main module again (torch and all, seconds each, and not at
    all from a notebook or stdin), or fork a parent that may hold the threads of torch and of a GPU driver.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    read, write = os.pipe()  # each process writes one byte per image; it ends when all have closed it
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
        if status > _ERRNO_STATUS:
            raise OSError(status - _ERRNO_STATUS, os.strerror(status - _ERRNO_STATUS), str(root))
        if status:
            raise RuntimeError(f"a rendering process ended with status {status}; workers=0 renders in this process")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _work() -> None:
    """The main function of each process of `_render_in_processes`; it ends early when its parent has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the parent ends this one
    root, settings, first, step = json.loads(sys.argv[1])
    try:
        for _ in _render_share(Path(root), settings, first, step):
            os.write(1, b".")
    except BrokenPipeError:
        pass
    except OSError as error:
        sys.exit(_ERRNO_STATUS + (error.errno or 0))

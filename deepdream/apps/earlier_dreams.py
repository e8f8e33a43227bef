"""Where the dreams of a folder are written, and which of them an earlier run has made.

A dream is reused where everything that went into it is the same: the configuration, and the SHA-256 of the network and
of every file. It is made again where something of that has changed. Any other file is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepdream.console import relative
from deepdream.provenance import read_provenance

LISTED = 3  # names that a line has
# Of the configuration: names of files, whose content is compared; what changes no dream of a folder, or with the free
# memory.
NOT_COMPARED = ("ckpt", "image", "guide", "mask", "devices", "report", "max_pixels", "film")


def targets(paths: Sequence[Path], output: Path) -> dict[Path, Path]:
    """The file for the dream of each image, another one for each: a.jpg is dreamed into a.jpg.png, a.png into a.png.

    Beside a.jpg, the dream of a.jpg.png is a.jpg.png.png.
    """
    found: dict[Path, Path] = {}
    taken = set()
    for path in sorted(paths, key=lambda path: path.suffix.lower() == ".png"):
        name = path.name if path.suffix.lower() == ".png" else f"{path.name}.png"
        while name.casefold() in taken:
            name += ".png"
        taken.add(name.casefold())
        found[path] = output / name
    return {path: found[path] for path in paths}


def refuse_output_among_inputs(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Raises ValueError where an output is a file that is read, or the folder: the next run would read its dreams."""
    read = {_identity(source) for source in inputs} - {None}
    for path in outputs:
        if _identity(path) in read:
            raise ValueError(
                f"output is {path}, which is one of the inputs; choose another output, or replace it with "
                "overwrite=true"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """What two names of one file have in common; None where there is no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def unmade(wanted: Mapping[Path, Callable[[], Mapping[str, Any]]], *, count: int, overwrite: bool) -> set[Path]:
    """The files of `wanted` to be written; says why, and why not.

    wanted: file -> a function that gives the provenance that its dream would have. It reads the whole photo, and is
        called only where there is a file already.
    count: the number of images, with those that cannot be dreamed.

    Raises ValueError where one holds something else than an earlier dream of its image, unless `overwrite`.
    """
    same, changed = set(), {}
    for path, provenance in wanted.items():
        if not path.exists():
            continue
        try:
            stored = read_provenance(path)
        except (OSError, ValueError):
            stored = {}
        would_be = provenance()
        if not _is_of_image(stored, would_be) and not overwrite:
            source = _image(stored)
            what = f"the dream of {source}" if source else "no dream"
            raise ValueError(
                f"{relative(path)} is there already and holds {what}; choose another output, or replace it with "
                "overwrite=true"
            )
        if difference := _difference(stored, would_be):
            changed[path] = difference
        else:
            same.add(path)
    if same:
        print(f"{len(same)} of {count} images exist already, dreamed from the same files with the same settings")
    if changed:
        some = ", ".join(f"{path.name} ({why})" for path, why in list(changed.items())[:LISTED])
        print(f"dreamed again: {len(changed)} of {count}, {some}{', ...' if len(changed) > LISTED else ''}")
    return wanted.keys() - same


def _image(stored: Mapping[str, Any]) -> Any:
    config = stored.get("config")
    return config.get("image") if isinstance(config, dict) else None


def _is_of_image(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a dream is one of the same image: by its name, or by its content."""
    contents = [each["inputs"].get("image") for each in (stored, wanted) if isinstance(each.get("inputs"), dict)]
    return bool(stored) and (_image(stored) == _image(wanted) or (len(contents) == 2 and contents[0] == contents[1]))


def _difference(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What has changed since a dream was made, in a few words; "" where nothing has."""
    old, new = _flat(stored), _flat(json.loads(json.dumps(wanted, default=str)))
    for key in sorted(old.keys() | new.keys(), key=lambda key: key.startswith("config")):  # files first
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        if key.startswith("inputs"):
            name = key.removeprefix("inputs.")
            return f"{name} has changed" if key in old else "its version kept no hash of what it was made from"
        if key == "checkpoint.sha256":
            return "another network"
        return f"{key.removeprefix('config.')} was {was}, is {now}"
    return ""


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}

    ignored = {f"config.{key}" for key in NOT_COMPARED}

    def walk(value: Any, place: str) -> None:
        if place in ignored:
            return
        if isinstance(value, dict):
            for key, each in value.items():
                walk(each, f"{place}.{key}" if place else str(key))
        else:
            flat[place] = value

    walk(dict(record), "")
    if flat.get("checkpoint.sha256"):
        flat.pop("checkpoint.name", None)
    return flat

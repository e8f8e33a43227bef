"""The folder of a film's frames: which of them can be reused, and which film they belong to.

Its film.json records what went into the frames: the configuration, and SHA-256 hashes of the network and of every file
that was read. Frames are reused only where all of it is the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepdream.console import relative
from deepdream.files import write_atomically

RECORD = "film.json"
MOST_DIFFERENCES = 3  # that an error lists


def reusable(folder: Path, record: Mapping[str, Any]) -> int:
    """Write `record` into `folder`, and return how many frames are there already.

    A list in the record may have grown (checkpoints of a training that goes on): its first frames stay the same.
    Raises ValueError where the frames there are not those of this film.
    """
    path = folder / RECORD
    frames = len(list(folder.glob("[0-9]*.png")))
    new = json.loads(json.dumps(record, sort_keys=True, default=str))
    if frames:
        try:
            old = json.loads(path.read_text(encoding="utf-8"))
            found = differences(old, new) if isinstance(old, dict) else [f"{RECORD} is damaged"]
        except FileNotFoundError:
            found = [f"there is no {RECORD}"]
        except ValueError:
            found = [f"{RECORD} is damaged"]
        if found:
            raise ValueError(
                f"{relative(folder)} holds the frames of another film ({', '.join(found[:MOST_DIFFERENCES])}"
                f"{', ...' if len(found) > MOST_DIFFERENCES else ''}); remove the folder, or choose another output"
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(new, indent=1, sort_keys=True).encode())
    return frames


def differences(old: Mapping[str, Any], new: Mapping[str, Any], place: str = "") -> list[str]:
    """What differs between two records, key by key, in words."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        was, now, name = old.get(key), new.get(key), f"{place}{key}"
        if isinstance(was, dict) and isinstance(now, dict):
            found += differences(was, now, f"{name}.")
        elif isinstance(was, list) and isinstance(now, list) and _are_hashes(was + now):
            if was[: len(now)] != now[: len(was)]:
                found.append(f"{name} has other content")
        elif was != now:
            found.append(f"{name} has other content" if _are_hashes([was, now]) else f"{name} was {was} and is {now}")
    return found


def _are_hashes(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) and value.startswith("sha256:") for value in values)

"""What the command line must know of the keys of a configuration: which of them hold paths, names or lists.

A dataclass says it in the metadata of its fields.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

# Metadata of the fields whose values are not Hydra's to interpret: a path or several, or the name of a class.
PATH = {"verbatim": "path"}
PATHS = {"verbatim": "path", "many": True}
OUTPUT = {"verbatim": "path", "is_output": True}
NAME = {"verbatim": "name"}
TYPED = "typed"  # metadata of a field of type Any: the dataclass that it becomes


@dataclass(frozen=True)
class KeyKind:
    """What the command line must know of a key.

    verbatim: "path" or "name" where the value is one, and no notation of Hydra. many: it may also be a list of them.
    is_list: it is always a list. is_output: it is a path to write to, one for each job of a sweep.
    """

    verbatim: str = ""
    many: bool = False
    is_list: bool = False
    is_output: bool = False


@cache
def kinds_of(schema: Any) -> dict[str, KeyKind]:
    """The full names of the typed keys of a dataclass and of those inside it, each with its kind."""
    return dict(_kinds(schema, ""))


def _kinds(schema: Any, place: str) -> Iterator[tuple[str, KeyKind]]:
    hints = get_type_hints(schema)
    for field in fields(schema):
        name = f"{place}{field.name}"
        hint = field.metadata.get(TYPED, hints[field.name])
        choices = (hint, *get_args(hint))  # of X | None, too
        for below in filter(is_dataclass, choices):
            yield from _kinds(below, f"{name}.")
        is_list = any(get_origin(choice) is list for choice in choices)
        about = {key: field.metadata[key] for key in ("verbatim", "many", "is_output") if key in field.metadata}
        yield name, KeyKind(**{"many": is_list, **about}, is_list=is_list)


def home_expanded(path: str) -> str:
    """`path` with the home folder for a leading ~ that stands alone: "~/photos", not "~photos"."""
    return os.path.expanduser(path) if path == "~" or path.startswith(("~/", f"~{os.sep}")) else path


def expand_home(config: Any) -> None:
    """Replace ~ in the paths of a dataclass and of those inside it."""
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            expand_home(value)
        elif field.metadata.get("verbatim") == "path" and isinstance(value, str):
            object.__setattr__(config, field.name, home_expanded(value))
        elif field.metadata.get("verbatim") == "path" and isinstance(value, list):
            several = [home_expanded(each) if isinstance(each, str) else each for each in value]
            object.__setattr__(config, field.name, several)

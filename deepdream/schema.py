"""From YAML and overrides to a checked instance of a schema, and what to say where that fails."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

T = TypeVar("T")

CLOSE = 0.6  # similarity (difflib's ratio) from which on a name is worth suggesting


def typed(schema: type[T], *layers: Any) -> T:
    """`layers` merged, the later over the earlier, as a checked instance of the dataclass `schema`.

    Raises ValueError, in one line, for an unknown key, a value of the wrong type, or one out of range.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), *layers)
        return OmegaConf.to_object(merged)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise ValueError(one_line(error)) from error


def as_data(kept: Mapping[str, Any], source: object) -> Mapping[str, Any]:
    """`kept` itself, which a file carried and OmegaConf is about to read.

    Raises ValueError where a text in it has an interpolation: `${oc.env:NAME}` would be replaced by this user's.
    """
    waiting: list[Any] = [kept]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and "${" in value:
            raise ValueError(f"{source} holds {value!r}, which asks for a value from here; it is refused")
        if isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value
    return kept


def choices(group: str) -> list[str]:
    """The names of the files of conf/<group>, sorted."""
    paths = (files("deepdream.conf") / group).iterdir()
    return sorted(path.name.removesuffix(".yaml") for path in paths if path.name.endswith(".yaml"))


def read_choice(group: str, choice: str) -> DictConfig:
    """What conf/<group>/<choice>.yaml says, laid over the choices of the group that its `defaults` name.

    Raises ValueError for a choice that is not there.
    """
    path = files("deepdream.conf") / group / f"{choice}.yaml"
    if not path.is_file():
        raise ValueError(f"{group} is {choice!r}; there are {', '.join(choices(group))}")
    text = path.read_text(encoding="utf-8")
    own = OmegaConf.create(text)
    assert isinstance(own, DictConfig)
    below = [name for name in own.pop("defaults", []) if name != "_self_"]
    if text.startswith("# @package _global_"):
        own = own[group]
    merged = OmegaConf.merge(*(read_choice(group, name) for name in below), own)
    assert isinstance(merged, DictConfig)
    return merged


def preset(schema: type[T], group: str, name: str, overrides: Mapping[str, Any]) -> T:
    """What conf/<group>/<name>.yaml says, with keys overridden, as a checked instance of the dataclass `schema`.

    Raises ValueError for a preset or key that does not exist, and for a value out of its range.
    """
    if name not in choices(group):
        raise ValueError(f"there is no preset {name!r}; there are {', '.join(choices(group))}")
    known = list(inspect.get_annotations(schema))
    for key in overrides:
        if key not in known:
            raise ValueError(f"{schema.__name__} has no key {key!r}; close ones are {', '.join(closest(key, known))}")
    return typed(schema, {**read_choice(group, name), **overrides})


def one_line(error: OmegaConfBaseException) -> str:
    """An OmegaConf or Hydra error as one line that names the full key."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(line for line in lines if not line.startswith(("full_key:", "object_type=", "reference_type=")))
    key = getattr(error, "full_key", None)
    return f"{key}: {text}" if key and key not in text else text


def did_you_mean(name: str, names: Iterable[str], *, most: int = 3) -> str:
    """ ". Did you mean `a`, `b` or `c`?" with the names most like `name`, at most three; "" where none is close.

    >>> did_you_mean("layr3", ["conv1", "layer3"])
    '. Did you mean `layer3`?'
    >>> did_you_mean("fast_dev_run", ["devices", "seed"])
    ''
    """
    known = list(names)
    lowered = {each.lower(): each for each in reversed(known)}
    close = [lowered[each] for each in difflib.get_close_matches(name.lower(), lowered, n=most, cutoff=CLOSE)]
    if not close:
        return ""
    quoted = [f"`{each}`" for each in close]
    return f". Did you mean {' or '.join(filter(None, [', '.join(quoted[:-1]), quoted[-1]]))}?"


def closest(name: str, names: Iterable[str], *, count: int = 3) -> list[str]:
    """The `count` names most like `name`, for an error message; all of them where none is alike."""
    known = list(names)
    return difflib.get_close_matches(name, known, n=count, cutoff=0.4) or known

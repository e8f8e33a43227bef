"""From the arguments that a user types to overrides in Hydra's grammar.

Hydra gives a meaning to spaces, commas, brackets, quotes, `=`, `$` and more. A value that is a path, or the name of a
class, is taken as the shell hands it over, with four exceptions where no file of that name exists:

- a value within quotes, as in image="'a b.jpg'", is Hydra's own notation,
- [a.jpg,b.jpg] is a list where the key takes one, and with -m commas separate the jobs of a sweep,
- ${seed}, ${hydra:job.num} and the like stand for a value of the configuration,
- null is none.

deepdream.schema says which keys hold paths and names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from deepdream.apps.overrides import quoted
from deepdream.key_kinds import KeyKind, home_expanded, kinds_of
from deepdream.schema import schema_of

CHECKPOINTS = (".ckpt", ".pth", ".pt", ".safetensors")
# Command -> the key of a path that is not a checkpoint, and that of one.
PATH_KEYS = {"dream": "image", "explain": "image", "predict": "images", "microscope": "images", "studio": "image"}
CHECKPOINT_KEYS = dict.fromkeys(("dream", "explain", "evaluate", "predict", "microscope", "studio"), "ckpt")
HYDRA_FLAGS = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--cfg", "-c", "--package", "-p")
MULTIRUN = ("-m", "--multirun", "hydra.mode=MULTIRUN")
# Python's own words cannot name a field of the schema, nor a switch its group; these names are understood.
ALIASES = {
    "dream": {"target": "dream.target", "class": "dream.target", "from": "reproduce"},
    "explain": {"class": "target", "ground_truth": "ground_truth.enabled"},
    "studio": {f"studio.{key}": key for key in ("host", "port", "open", "password", "max_upload")},
}
# Keys that no dataclass types: those of Hydra, and of entries that are built by their _target_.
PATH, LIST = KeyKind("path"), KeyKind(is_list=True)
UNTYPED = {
    "hydra.run.dir": KeyKind("path", is_output=True),
    "hydra.sweep.dir": KeyKind("path", is_output=True),
    "callbacks.dreams.photo": PATH,
    **{f"logger.{logger}.save_dir": PATH for logger in ("tensorboard", "csv", "wandb")},
    "optimizer.freeze": LIST,
}

QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
PART = re.compile(rf"\s*(?:{QUOTED}|\[[^\]]*\])\s*(?=,|$)|[^,]*", re.DOTALL)
FUNCTION = re.compile(r"(?:choice|shuffle|sort|tag|glob|range|interval|str|extend_list)\(.*\)", re.DOTALL)
KEYWORDS = ("null", "true", "false")
# What Hydra reads as the same text without quotes.
PLAIN = re.compile(r"(?!(?:inf|nan)$)(?:\.{0,2}/)*[A-Za-z_][A-Za-z0-9_./-]*", re.IGNORECASE | re.ASCII)


def as_overrides(app: str, arguments: Sequence[str]) -> list[str]:
    """The arguments of the command `app` as Hydra takes them.

    A path without a key gets one: dream.py photo.jpg is dream.py image=photo.jpg. Several are a list: dream.py a.jpg
    b.jpg is image=[a.jpg,b.jpg]. A path is what exists, or has a suffix. train.py takes none: a folder may be a data
    set or a run to resume. A single value of a key that takes a list is a list of one.

    >>> as_overrides("dream", ["my photo.jpg", "last.ckpt", "dream.layers=layer2", "from=a=b.png", "seed=1"])
    ["image='my photo.jpg'", 'ckpt=last.ckpt', 'dream.layers=[layer2]', "reproduce='a=b.png'", 'seed=1']
    """
    kinds = {**kinds_of(schema_of(app)), **UNTYPED}
    is_sweep = not set(MULTIRUN).isdisjoint(arguments)
    bare: dict[str, list[str]] = {}
    others = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        key = CHECKPOINT_KEYS if argument.endswith(CHECKPOINTS) else PATH_KEYS
        if app in key and before not in HYDRA_FLAGS and _is_bare_path(argument, app, kinds):
            bare.setdefault(key[app], []).append(_literal(argument))
        else:
            others.append(_override(argument, app, kinds, is_sweep=is_sweep))
    found = [
        f"{key}={','.join(paths)}" if len(paths) == 1 else f"{key}=[{','.join(paths)}]" for key, paths in bare.items()
    ]
    return [*found, *others]


def _is_bare_path(argument: str, app: str, kinds: dict[str, KeyKind]) -> bool:
    key, equals, _ = argument.partition("=")
    if equals and (key.lstrip("+~") in kinds or not _exists(argument)):
        return False
    has_suffix = bool(Path(argument).suffix)
    if argument.startswith("-"):  # a flag, unless a pattern such as *.jpg has found it
        return has_suffix and _exists(argument)
    return has_suffix or _exists(argument)


def _override(argument: str, app: str, kinds: dict[str, KeyKind], *, is_sweep: bool) -> str:
    key, equals, value = argument.partition("=")
    key = ALIASES.get(app, {}).get(key, key) if equals else key
    kind = kinds.get(key.lstrip("+"))
    if not equals or kind is None or not (kind.verbatim or kind.is_list):
        return f"{key}{equals}{value}"
    top_level = {name.partition(".")[0] for name in kinds}
    if kind.is_output:
        if is_sweep and "${" not in value and not key.startswith("hydra."):
            raise ValueError(
                f"every job of the sweep would write {value}; leave {key} out, and each job has a folder of its own, "
                f"or name the job in it, as in {key}='${{hydra:job.num}}.png'"
            )
        return f"{key}={_element(value, top_level)}"
    if kind.verbatim:
        return f"{key}={_verbatim(value, kind, top_level, is_sweep=is_sweep)}"
    return f"{key}={_list_of_one(value, is_sweep=is_sweep)}"


def _verbatim(value: str, kind: KeyKind, keys: Collection[str], *, is_sweep: bool) -> str:
    """The value of a key that holds a path, or several, or the name of a class."""
    if is_sweep and FUNCTION.fullmatch(value) and not _exists(value):
        return value
    parts = _parts(value) if is_sweep else [value]
    return ",".join(_one_value(part, kind, keys) for part in parts)


def _one_value(text: str, kind: KeyKind, keys: Collection[str]) -> str:
    if kind.many and _is_list(text):
        parts = [part for part in _parts(text[1:-1]) if part]
        return f"[{','.join(_element(part, keys) for part in parts)}]"
    element = _element(text, keys)
    return f"[{element}]" if kind.is_list and element.lower() != "null" else element


def _is_list(text: str) -> bool:
    return text.startswith("[") and text.endswith("]") and not _exists(text)


def _element(text: str, keys: Collection[str]) -> str:
    """One path or name; that of a file has no interpolations."""
    if _exists(text):
        return _literal(text)
    is_hydras = not text or text.lower() in KEYWORDS or re.fullmatch(QUOTED, text, re.DOTALL)
    return text if is_hydras else _literal(text, keys)


def _literal(text: str, keys: Collection[str] = ()) -> str:
    """`text` in Hydra's grammar, with the home folder for ~. keys: as for `quoted`."""
    text = home_expanded(text)
    if text == "???":  # OmegaConf's mark of a missing value
        text = f"./{text}"
    return text if PLAIN.fullmatch(text) and text.lower() not in KEYWORDS else quoted(text, keys)


def _list_of_one(value: str, *, is_sweep: bool) -> str:
    if not value or value.startswith("${") or FUNCTION.fullmatch(value):
        return value
    if not is_sweep:
        return value if value.lower() == "null" or _is_list(value) else f"[{value}]"
    return ",".join(part if part.lower() == "null" or _is_list(part) else f"[{part}]" for part in _parts(value))


def _parts(text: str) -> list[str]:
    """The parts of `text` between its commas; a comma in quotes, in brackets or in the name of a file parts nothing."""
    parts: list[str] = []
    start = 0
    while start <= len(text):
        found = PART.match(text, start)
        assert found is not None  # it matches nothing, too
        commas = [comma.start() for comma in re.finditer(",|$", text) if comma.start() >= start]
        end = next((comma for comma in reversed(commas) if _exists(text[start:comma])), found.end())
        part = text[start:end]
        parts.append(part if _exists(part) else part.strip())
        start = end + 1
    return parts


def _exists(path: str) -> bool:
    try:
        return os.path.lexists(home_expanded(path))
    except (OSError, ValueError):  # too long, or a text with a NUL
        return False

"""The arguments with which Hydra composes the configuration of a run again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

CHECKPOINTS = (".ckpt", ".pth", ".pt", ".safetensors")
PATH_KEYS = {
    "dream": "image",
    "explain": "image",
    "microscope": "images",
}  # command -> the key of a path that is not a checkpoint
CHECKPOINT_KEYS = {"dream": "ckpt", "explain": "ckpt", "evaluate": "ckpt", "microscope": "ckpt"}
HYDRA_FLAGS = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--cfg", "-c", "--package", "-p")


def with_keys(app: str, arguments: list[str]) -> list[str]:
    """`arguments` with the key of each bare path: dream.py photo.jpg is dream.py image=photo.jpg.

    Several are a list: dream.py a.jpg b.jpg is image=[a.jpg,b.jpg]. A path is what exists, or has a suffix. train.py
    takes none: a folder may be a data set or a run to resume.

    >>> with_keys("dream", ["photo.jpg", "last.ckpt", "seed=1"])
    ["image='photo.jpg'", "ckpt='last.ckpt'", 'seed=1']
    """
    paths: dict[str, list[Path]] = {}
    others = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        keys = CHECKPOINT_KEYS if argument.endswith(CHECKPOINTS) else PATH_KEYS
        path = Path(argument)
        is_bare = "=" not in argument and not argument.startswith("-") and before not in HYDRA_FLAGS
        if is_bare and app in keys and (path.suffix or path.exists()):
            paths.setdefault(keys[app], []).append(path)
        else:
            others.append(argument)
    found = []
    for key, several in paths.items():
        values = ",".join(map(quoted, several))
        found.append(f"{key}={values}" if len(several) == 1 else f"{key}=[{values}]")
    return [*found, *others]


def quoted(path: Path) -> str:
    r"""A path as the value of an override, whatever characters are in its name.

    Hydra reads a backslash as itself, but for those in front of a quote.

    >>> print(quoted(Path(r"C:\photos\it's")))
    'C:\photos\it\'s'
    """
    text = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), str(path))
    return f"'{text}'"


def flags_of(hydra: Any) -> list[str]:
    """--config-dir and --config-name of a run, from the `hydra` part of its configuration."""
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    values = {"--config-dir": next(iter(folders), None), "--config-name": hydra.job.config_name}
    return [f"{flag}={value}" for flag, value in values.items() if value]


def joined(earlier: list[str], later: list[str]) -> list[str]:
    """The overrides of both lists; of a key that both set, only the later one, because Hydra adds no key twice."""
    keys = {override.partition("=")[0] for override in later}
    return [override for override in earlier if override.partition("=")[0] not in keys] + later

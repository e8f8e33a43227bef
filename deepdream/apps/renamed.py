"""Keys and choices that version 0.1.0 called otherwise.

The command line answers an old name with the new one, and a configuration that version 0.1.0 kept inside an image is
translated by the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Old -> new. An entry with "=" is about one value of a key, or one choice of a group.
RENAMED = {
    # train.py
    "adversary": "adversarial_eps",
    "average": "ema",
    "schedule": "scheduler",
    "trainer.extra": "trainer",
    "logger=default": "logger=tensorboard",
    "experiment=box": "experiment=bundled",
    "experiment=box_adversary": "experiment=bundled_adversarial",
    "experiment=ablation/training/average": "experiment=ablation/training/ema",
    "callbacks.gradcam.pictures": "callbacks.gradcam.images",
    "callbacks.dreams.preset=atlas": "callbacks.dreams.preset=channel_grid",
    # data
    "data.store": "data.cache_images",
    "data.store_size": "data.cache_image_size",
    "data.cache": "data.cache_dir",
    "data.url.pictures": "data.url.images",
    # dream.py
    "again": "reproduce",
    "dream=atlas": "dream=channel_grid",
    "dream.keep": "dream.preserve",
    "dream.tone": "dream.contrast",
    "dream.space": "dream.parameterization",
    "dream.carry": "dream.octave_mode",
    "dream.carry=picture": "dream.octave_mode=resize_image",
    "dream.carry=detail": "dream.octave_mode=add_detail",
    "dream.start": "dream.init",
    "dream.start=picture": "dream.init=image",
    "dream.sheet": "mode=channels channels",
    "dream.list_layers": "mode=layers",
    "dream.device": "device",
    "dream.precision": "precision",
    "dream.compile": "compile",
    "dream.max_pixels": "max_pixels",
    # explain.py
    "explain.precision": "precision",
}


def new_name(key: str, value: str | None = None) -> str | None:
    """ "`dream.keep` is now `dream.preserve`", for a key or a `key=value` of version 0.1.0; None for any other.

    >>> new_name("dream.keep", "0.5")
    '`dream.keep` is now `dream.preserve`'
    >>> new_name("dream.carry", "picture")
    '`dream.carry=picture` is now `dream.octave_mode=resize_image`'
    >>> new_name("trainer.extra.fast_dev_run")
    '`trainer.extra.fast_dev_run` is now `trainer.fast_dev_run`'
    """
    if (choice := f"{key}={value}") in RENAMED:
        return f"`{choice}` is now `{RENAMED[choice]}`"
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        new = RENAMED.get(".".join(parts[:length]))
        if new is not None and " " in new:  # the new name stands for two keys, and the value belongs to the second
            return f"`{key}` is now `{new}={value or 'N'}`"
        if new is not None:
            return f"`{key}` is now `{'.'.join([new, *parts[length:]])}`"
    return None


def translate(config: Mapping[str, Any]) -> dict[str, Any]:
    """A nested configuration of version 0.1.0 with today's keys and values; what has today's names already stays.

    >>> translate({"again": None, "dream": {"keep": 0.5, "carry": "picture", "device": "cpu", "sheet": 12}})
    {'dream': {'preserve': 0.5, 'octave_mode': 'resize_image'}, 'reproduce': None, 'mode': 'channels', 'channels': 12, \
'device': 'cpu'}
    """
    new = _copied(config)
    for old, name in RENAMED.items():
        above, _, key = old.rpartition(".")
        parent = _below(new, above)
        if "=" in old or parent is None or key not in parent:
            continue
        value = parent.pop(key)
        if name == "mode=layers":
            continue
        if " " in name:
            if isinstance(value, int) and value > 0:
                new |= {"mode": "channels", "channels": value}
            continue
        if isinstance(value, str) and (choice := RENAMED.get(f"{old}={value}")):
            value = choice.partition("=")[2]
        above, _, key = name.rpartition(".")
        target = _below(new, above)
        if target is None:
            continue
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            target[key] |= value
        else:
            target[key] = value
    return new


def _copied(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) if isinstance(value, Mapping) else value for key, value in config.items()}


def _below(config: dict[str, Any], path: str) -> dict[str, Any] | None:
    """The dictionary at a dotted path; None where there is none."""
    found: Any = config
    for key in path.split(".") if path else ():
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None

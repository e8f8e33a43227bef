"""The knobs of the page Dream, as the arguments of a command line, and back from the recipe inside an image."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from deepdream.apps.arguments import as_overrides
from deepdream.apps.renamed import translate
from deepdream.console import command_line
from deepdream.dreaming.config import DreamAppConfig, DreamConfig
from deepdream.interactive.settings import as_arguments
from deepdream.models.config import BUNDLED
from deepdream.registry import only_ours
from deepdream.schema import choices, compose, typed

FIRST_PRESET, FIRST_PHOTO = "vivid", "china"
NOT_OFFERED = ("channel_grid", "vital")  # of conf/dream: a grid of images, and a dream of a folder of photos
GUIDED = ("guided", "style")
WITH_TARGET = ("class", "maco")
# Knob -> the least and the largest value that it shows; a recipe beyond them keeps its value as a further argument.
RANGES = {"strength": (0.1, 4.0), "octaves": (1, 8), "steps": (1, 64), "preserve": (0.0, 1.0), "color": (0.0, 1.0)}
STRENGTH_STEP = 0.05
WIDTHS = (64, 4096)

_composing = threading.Lock()  # Hydra's state is that of the process


@dataclass(frozen=True)
class Setting:
    """What the knobs say.

    strength: factor of the preset's step_size. mask: "gradcam", "not-gradcam", a file's name, or None for everywhere.
    others: further keys of the dream, with their values, which no knob shows.
    """

    ckpt: str
    preset: str
    layers: tuple[str, ...]
    target: str | None
    strength: float
    steps: int
    octaves: int
    width: int | None
    preserve: float
    color: float
    seed: int = 0
    mask: str | None = None
    guide: str | None = None
    others: tuple[tuple[str, Any], ...] = ()

    def without_mask(self) -> Setting:
        """The same everywhere in the photo."""
        return dataclasses.replace(self, mask=None)


def presets() -> list[str]:
    """The presets that the page offers: those of conf/dream, and of the user's --config-dir."""
    with _composing:
        return [name for name in choices("dream") if name not in NOT_OFFERED]


@cache
def preset_config(name: str) -> DreamConfig:
    """The values of a preset."""
    with _composing:
        return DreamConfig.preset(name)


def of_preset(name: str, ckpt: str = BUNDLED) -> Setting:
    """The knobs as a preset has them."""
    config = preset_config(name)
    return Setting(
        ckpt=ckpt,
        preset=name,
        layers=tuple(config.layers),
        target=config.target,
        strength=1.0,
        **{key: getattr(config, key) for key in ("steps", "octaves", "width", "preserve", "color")},
    )


def arguments(setting: Setting, image: str, *machine: str) -> list[str]:
    """What to type after `dream.py` for this setting; keys that the preset has already are left out.

    image: the name of the photo. machine: further arguments, such as device=cpu.
    """
    preset = preset_config(setting.preset)
    values: dict[str, Any] = {
        "layers": list(setting.layers),
        "target": setting.target,
        "steps": setting.steps,
        "octaves": setting.octaves,
        "width": setting.width,
        "preserve": setting.preserve,
        "color": setting.color,
        "step_size": _step_size(setting.preset, setting.strength),
        **dict(setting.others),
    }
    changed = {key: value for key, value in values.items() if value != getattr(preset, key)}
    files = {"image": image, "guide": setting.guide, "mask": setting.mask}
    return [
        *(f"{key}={name}" for key, name in files.items() if name is not None),
        *([] if setting.ckpt == BUNDLED else [f"ckpt={setting.ckpt}"]),
        f"dream={setting.preset}",
        *as_arguments("dream", changed | ({"seed": setting.seed} if setting.seed else {})),
        *machine,
    ]


def configured(typed_arguments: Sequence[str]) -> DreamAppConfig:
    """The configuration of `dream.py` with these arguments. Raises ValueError for what the command refuses.

    An objective of the user's own code is refused, too: these arguments may come from a browser.
    """
    with _composing, only_ours():
        config: DreamAppConfig = compose("dream", as_overrides("dream", typed_arguments))
    return config


def shell_line(typed_arguments: Sequence[str], output: str) -> str:
    """The command, to copy."""
    return command_line("dream", *typed_arguments, f"output={output}")


def restored(recipe: Mapping[str, Any]) -> tuple[Setting, DreamAppConfig]:
    """The knobs of the recipe inside an image, and its configuration.

    The preset is the one with the fewest other values. Raises ValueError for a recipe of something else than one dream.
    """
    stored = recipe.get("config")
    if not isinstance(stored, dict) or not isinstance(stored.get("dream"), dict):
        raise ValueError("the recipe inside this image is none of a dream")
    data = stored
    if str(recipe.get("version")).startswith("0.1."):
        data = {"mode": "image", "channels": None, **translate(stored)}
    with only_ours():
        config = typed(DreamAppConfig, data)
    values = dataclasses.asdict(config.dream)
    differing = {name: _differing(values, preset_config(name)) for name in presets()}
    preset = min(differing, key=lambda name: len(differing[name]))
    setting = dataclasses.replace(
        of_preset(preset),
        layers=tuple(config.dream.layers),
        target=config.dream.target,
        width=config.dream.width,
        seed=config.seed,
        mask=config.mask,
        guide=config.guide,
    )
    others = {}
    for key, value in differing[preset].items():
        low, high = RANGES.get(key, (None, None))
        if key == "step_size":
            factor = value / preset_config(preset).step_size
            strength = round(round(factor / STRENGTH_STEP) * STRENGTH_STEP, 2)
            if _fits("strength", strength) and _step_size(preset, strength) == value:
                setting = dataclasses.replace(setting, strength=strength)
            else:
                others[key] = value
        elif low is not None and low <= value <= high:
            setting = dataclasses.replace(setting, **{key: value})
        elif key not in ("layers", "target", "width", "bits"):
            others[key] = value
    return dataclasses.replace(setting, others=tuple(sorted(others.items()))), config


def _differing(values: Mapping[str, Any], preset: DreamConfig) -> dict[str, Any]:
    """The values that a preset has otherwise."""
    return {key: value for key, value in values.items() if value != getattr(preset, key)}


def _fits(knob: str, value: float) -> bool:
    low, high = RANGES[knob]
    return low <= value <= high


def _step_size(preset: str, strength: float) -> float:
    return float(f"{preset_config(preset).step_size * strength:.6g}")

"""The keywords of a call are the keys of conf/: from them to a checked configuration, and to the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypedDict

from deepdream.apps.overrides import quoted
from deepdream.key_kinds import kinds_of
from deepdream.schema import UnknownName, compose, schema_of, typed, unknown_key

# Keywords that are keys of conf/<command>.yaml itself; the others are those of its group, conf/dream or conf/explain.
OUTER = {
    "dream": ("channels", "seed", "device", "precision", "compile", "max_pixels"),
    "explain": ("target", "against", "methods", "score", "crop", "seed", "device", "precision"),
}
# What a command's key is called here.
CALLED = {
    "ckpt": "`network`",
    "output": "the method `save` of the result",
    "from": "`python -m deepdream dream from=`",
    "film": "`python -m deepdream dream film=`",
}
# Characters of a value that Hydra reads as themselves.
UNQUOTED = re.compile(
    r"(?!(?:null|true|false|inf|nan)$)[\w/+.%*@?|:-]*[A-Za-z%][\w/+.%*@?|:-]*", re.ASCII | re.IGNORECASE
)


class DreamSettings(TypedDict, total=False):
    """The keywords of `dream`: the keys of conf/dream, and some of conf/dream.yaml. Their defaults are the preset's."""

    layers: str | list[str]
    objective: Any
    target: str | None
    similarity: str
    width: int | None
    octaves: int
    octave_scale: float
    octave_mode: str
    steps: int
    parameterization: str
    init: str
    decay: float
    optimizer: str
    step_size: float
    jitter: int
    jitter_sampling: str
    pad: int
    scale: float
    rotate: float
    crops: int
    crop_size: float
    crop_spread: float | None
    noise: float
    smoothing: str
    sigma: float
    spectral_clip: float | None
    normalize: str
    contrast: float
    preserve: float
    band: float
    color: float
    transparency: float | None
    bits: int | None
    channels: int | None
    seed: int
    device: str
    precision: str
    compile: bool
    max_pixels: int | None


class ExplainSettings(TypedDict, total=False):
    """The keywords of `explain`: the keys of conf/explain, and some of conf/explain.yaml."""

    against: str | None
    methods: str | list[str]
    score: bool
    crop: bool
    seed: int
    device: str
    precision: str
    layer: str | None
    smoothgrad_samples: int
    smoothgrad_noise: float
    gradient_shap_samples: int
    integrated_gradients_steps: int
    completeness: float
    lrp_gamma: float
    score_cam_share: float
    occlusion_window: float
    occlusion_stride: float
    superpixels: int
    lime_samples: int
    lime_precision: float | None
    kernel_shap_samples: int
    confidence_samples: int
    confidence_share: float
    curve_steps: int
    infidelity_samples: int
    sensitivity_samples: int
    sensitivity_radius: float
    smooth_samples: int
    repeat_share: float
    batch_size: int


def configuration(app: str, settings: Mapping[str, Any], inputs: Mapping[str, Any], *, preset: str | None) -> Any:
    """The configuration that the command `app` ("dream" or "explain") has with these keywords.

    inputs: other keys of conf/<app>.yaml. preset: of the group called like the command; None is its default.
    Raises UnknownName for a keyword that is none, and ValueError for a value of the wrong type or out of range.
    """
    base = compose(app, [] if preset is None else [f"{app}={preset}"])
    inner = {field.name for field in fields(getattr(base, app))}
    for key in settings:
        if key not in inner and key not in OUTER[app]:
            is_called = f"; here it is {CALLED[key]}" if key in CALLED else ""
            raise UnknownName(unknown_key(key, sorted(inner | set(OUTER[app]))) + is_called, key)
    values = {**asdict(base), **inputs}
    for key, value in settings.items():
        place = values[app] if key in inner and key not in OUTER[app] else values
        place[key] = value
    return typed(schema_of(app), values)


def as_arguments(app: str, settings: Mapping[str, Any]) -> list[str]:
    """The keywords as arguments of the command `app`."""
    kinds = kinds_of(schema_of(app))
    arguments = []
    for key, value in settings.items():
        name = key if key in OUTER[app] else f"{app}.{key}"
        write = str if kinds[name].verbatim and value is not None else _in_hydras_grammar
        arguments.append(f"{name}={write(value)}")
    return arguments


def as_list(settings: dict[str, Any], key: str) -> None:
    """Replace a text under `key` by the list of it."""
    if isinstance(settings.get(key), str):
        settings[key] = [settings[key]]


def _in_hydras_grammar(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_in_hydras_grammar(each)}' for key, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_in_hydras_grammar, value))}]"
    if isinstance(value, str):
        return value if UNQUOTED.fullmatch(value) else quoted(value)
    return "null" if value is None else str(value).lower()

"""Architectures by name, without weights: every classification model of torchvision, every model of timm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from deepdream.checks import at_least
from deepdream.distribution import install_extra
from deepdream.schema import did_you_mean

# Arguments that name weights or files: here an architecture is built, and nothing is loaded.
RESERVED = frozenset(
    {
        "num_classes",  # it is `classes`
        "weights",
        "weights_backbone",
        "init_weights",
        "pretrained",
        "pretrained_cfg",
        "pretrained_cfg_overlay",
        "checkpoint_path",
        "cache_dir",
    }
)


def build(name: str, classes: int | None = None, **arguments: Any) -> nn.Module:
    """The architecture `name` with fresh weights; it maps normalised images (N, 3, H, W) to logits (N, classes).

    name: "torchvision/convnext_tiny", "timm/resnet50d" ...; the tag of timm's weights (resnet50.a1_in1k) may stand.
    classes: outputs of the head; None: the number that the library gives the architecture.
    arguments: for the library's function that makes it, for example dropout=0.3.

    GoogLeNet and Inception v3 come without auxiliary classifiers, so that they return logits in training too.
    Raises ValueError, in one line, for an unknown name or argument, and where timm is not installed.
    """
    library, _, architecture = name.partition("/")
    if library not in _MAKERS:
        raise ValueError(f"there is no network {name!r}; write {' or '.join(f'{each}/NAME' for each in _MAKERS)}")
    names = architectures(library)
    if (architecture.partition(".")[0] if library == "timm" else architecture) not in names:
        near = did_you_mean(name, [f"{library}/{each}" for each in names])
        raise ValueError(f"{library} has no network {architecture!r}{near or f'; it has {len(names)}{_some(names)}'}")
    if reserved := sorted(RESERVED & arguments.keys()):
        raise ValueError(f"{name} takes no argument {reserved[0]!r} here: only its architecture is built")
    if classes is not None:
        at_least("classes", classes, 1)
        arguments["num_classes"] = classes
    try:
        return _MAKERS[library](architecture, arguments)
    except (TypeError, RuntimeError) as error:  # RuntimeError: timm knows no such tag
        raise ValueError(f"{name} cannot be built with {_written(arguments)}: {error}") from error


def architectures(library: str) -> list[str]:
    """The names of all architectures of "torchvision" or "timm", sorted. Raises ValueError where timm is missing."""
    if library == "torchvision":
        import torchvision  # takes as long as torch: a dream of our own network does without

        names: list[str] = torchvision.models.list_models(module=torchvision.models)
    else:
        names = import_timm().list_models()
    return names


def _torchvision_model(architecture: str, arguments: dict[str, Any]) -> nn.Module:
    import torchvision

    if architecture in ("googlenet", "inception_v3"):
        # torchvision's own initialisation of these takes minutes, and it announces PyTorch's as its next default.
        arguments = {"aux_logits": False, "init_weights": False, **arguments}
    model: nn.Module = torchvision.models.get_model(architecture, weights=None, **arguments)
    return model


def _timm_model(architecture: str, arguments: dict[str, Any]) -> nn.Module:
    model: nn.Module = import_timm().create_model(architecture, pretrained=False, **arguments)
    return model


_MAKERS: dict[str, Callable[[str, dict[str, Any]], nn.Module]] = {
    "torchvision": _torchvision_model,
    "timm": _timm_model,
}


def import_timm() -> Any:
    """The module timm. Raises ValueError, in one line, where it is not installed."""
    try:
        import timm
    except ImportError as error:
        raise ValueError(f"the networks of timm need the package timm; `{install_extra('timm')}` brings it") from error
    return timm


def _some(names: Sequence[str]) -> str:
    return f", such as {', '.join(names[:: max(1, len(names) // 6)])}"


def _written(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())

"""load_network: from a path or a name to a network that is ready to answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepdream.images import MAX_PIXELS
from deepdream.models.box import BOX, SHA256, box_path
from deepdream.models.named import is_published, published
from deepdream.models.network import Network, index_names
from deepdream.models.resnet import ResNet
from deepdream.models.weights_file import read_weights_file, unpacked

# Every checkpoint of our training carries these and its classes as hyper-parameters, as plain values
# (deepdream.training).
CHECKPOINT_KEYS = ("model", "mean", "std", "image_size")
LARGEST_SIDE = math.isqrt(MAX_PIXELS)


def load_network(source: str | Path) -> Network:
    """The network at a checkpoint's path, or one by name.

    Names: "box", the network in the package; "imagenet/resnet18", 34, 50, 101, 152 (torchvision's weights);
    "places365/resnet18", 50 (CSAIL's). A file of such a name goes before.
    A checkpoint of a run with averaged weights yields these; in one without names of classes they go by their index,
    see Network.has_class_names. The model is on the CPU, in float32, in eval mode. A file is opened as data only: one
    that would need to run code is refused. Raises FileNotFoundError or ValueError, in one line, where there is no
    network to be had.
    """
    name = str(source)
    if not Path(name).is_file():
        if name == BOX:
            return _from_checkpoint(box_path(), name=BOX, sha256=SHA256)
        if is_published(name):
            return published(name)
    return _from_checkpoint(Path(source))


def _from_checkpoint(path: Path, *, name: str | None = None, sha256: str | None = None) -> Network:
    checkpoint, digest = read_weights_file(path)
    if sha256 not in (None, digest):
        raise ValueError(f"{path} is not the file that was shipped (SHA-256 {digest}); install deepdream again")
    kept, state = checkpoint.get("hyper_parameters"), checkpoint.get("state_dict")
    missing = [key for key in CHECKPOINT_KEYS if not isinstance(kept, dict) or key not in kept]
    if missing or not isinstance(kept, dict) or not isinstance(state, dict):
        raise ValueError(
            f"{path} is not a checkpoint of deepdream: it lacks {', '.join(missing or ['state_dict'])}; "
            "make one with `python train.py`, or wrap a model of your own in deepdream.models.Network"
        )
    _check_record(path, kept)
    weights = {
        key.removeprefix("model."): value
        for key, value in _unpacked(path, checkpoint).items()
        if isinstance(key, str) and key.startswith("model.")
    }
    classes = list(kept.get("classes") or index_names(_outputs(weights)))
    model = _model_with(path, kept, classes, weights)
    red, green, blue = kept["mean"]
    red_std, green_std, blue_std = kept["std"]
    return Network(
        model.eval(),
        classes,
        (red, green, blue),
        (red_std, green_std, blue_std),
        kept["image_size"],
        name or str(path),
        digest,
        kept,
    )


def _check_record(path: Path, kept: Mapping[str, Any]) -> None:
    """Raises ValueError where a hyper-parameter is not what training writes: everything downstream relies on them."""
    classes, size = kept.get("classes"), kept["image_size"]
    if not isinstance(kept["model"], dict):
        raise ValueError(f"the model in {path} is not a description of one but a {type(kept['model']).__name__}")
    if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise ValueError(f"the classes in {path} are not a list of names")
    for key in ("mean", "std"):
        values = kept[key]
        numbers = isinstance(values, list | tuple) and all(type(value) in (int, float) for value in values)
        if not numbers or len(values) != 3 or not all(math.isfinite(value) for value in values):
            raise ValueError(f"{key} in {path} is not three numbers, for red, green and blue")
    if min(kept["std"]) <= 0:
        raise ValueError(f"std in {path} is {list(kept['std'])}; each must be more than 0")
    if type(size) is not int or not 1 <= size <= LARGEST_SIDE:
        raise ValueError(f"image_size in {path} is {size!r}; it must be a whole number from 1 to {LARGEST_SIDE:,}")


def _unpacked(path: Path, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return unpacked(checkpoint)
    except (AttributeError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"the scales in {path} do not fit its weights: it was not packed by deepdream") from error


def _outputs(weights: Mapping[str, Any]) -> int:
    """How many classes a network of ours has, by its last layer; 0 where there is none."""
    last = weights.get("fc.weight")
    return last.shape[0] if isinstance(last, Tensor) and last.dim() == 2 else 0


def _model_with(path: Path, kept: Mapping[str, Any], classes: Sequence[str], weights: Mapping[str, Any]) -> ResNet:
    """The model that the hyper-parameters name, with `weights`. It takes memory only once they are seen to fit."""
    misfit = f"the weights in {path} do not fit the model that it names"
    blocks = kept["model"].get("blocks")
    if isinstance(blocks, list) and any(type(count) is int and count > len(weights) for count in blocks):
        raise ValueError(f"{misfit}: it has {blocks} blocks, they are {len(weights)} tensors")

    def build() -> ResNet:
        return ResNet(num_classes=len(classes), **kept["model"])

    try:  # a checkpoint of an earlier version has fewer keys: a model without them is the classic one
        with torch.device("meta"):
            difference = first_difference(weights, build().state_dict())
        if difference:
            raise ValueError(f"{misfit}: {difference}")
        model = build()
    except (TypeError, RuntimeError) as error:  # RuntimeError: numbers that no tensor can have for its size
        version = kept.get("version", "another version")
        raise ValueError(f"{path} names a model that this version of deepdream does not know ({version})") from error
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:  # of another kind: sparse, say
        raise ValueError(f"{misfit}: {' '.join(str(error).split())[:200]}") from error
    for key, value in model.state_dict().items():
        if not value.isfinite().all():
            raise ValueError(f"the weights in {path} hold NaN or infinity ({key}): the training that wrote them failed")
    return model


def first_difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str | None:
    """The first name that is missing on a side or has another shape, in words; None where all fit."""
    for name in [*theirs, *(name for name in ours if name not in theirs)]:
        shapes = [_shape(weights.get(name)) for weights in (theirs, ours)]
        if shapes[0] != shapes[1]:
            return f"{name} is {shapes[0]} there and {shapes[1]} here"
    return None


def _shape(weights: Any) -> str:
    if not isinstance(weights, Tensor):
        return "missing" if weights is None else f"a {type(weights).__name__}"
    return "x".join(map(str, weights.shape)) or "one number"

"""Network: what the whole right half of the house works on; and the ways to get one.

A checkpoint of our own training and torchvision's weights both become one; a user's own model is wrapped by hand:

    Network(model, classes, mean, std, image_size, source="my model")
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision.models import get_model_weights

from deepdream.config import closest
from deepdream.models.resnet import ResNet

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Every checkpoint of our training carries these as hyper-parameters, as plain values (deepdream.training).
CHECKPOINT_KEYS = ("model", "classes", "mean", "std", "image_size")


@dataclass(frozen=True)
class Network:
    """A classifier and what is needed to feed it and to read its answer.

    model: maps normalised pictures (N, 3, H, W) to logits (N, len(classes)); in eval mode.
    classes: the name of each logit.
    mean, std: of red, green and blue, for pictures in [0, 1].
    image_size: side in pixels of the centre crop that the network was evaluated at.
    source: where it came from: a path or a name.
    digest: SHA-256 of the file it was read from; empty where there was none.
    hyper_parameters: what else the checkpoint says of its making (data, version), as plain values.
    """

    model: nn.Module
    classes: list[str]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    image_size: int
    source: str
    digest: str = ""
    hyper_parameters: Mapping[str, Any] | None = None


def load_network(source: str | Path) -> Network:
    """The network at a checkpoint's path, or torchvision's ImageNet weights by name ("imagenet/resnet50").

    The model is on the CPU, in float32, in eval mode. A file is opened as data only: one that would need to run
    code is refused. Raises FileNotFoundError or ValueError, in one line, where there is no network to be had.
    """
    name = str(source)
    if name.startswith("imagenet/") and not Path(name).exists():
        return _imagenet(name)
    return _from_checkpoint(Path(source))


def _from_checkpoint(path: Path) -> Network:
    checkpoint, digest = _read_checkpoint(path)
    hyper_parameters = checkpoint.get("hyper_parameters", {})
    missing = [key for key in CHECKPOINT_KEYS if key not in hyper_parameters]
    if missing or "state_dict" not in checkpoint:
        raise ValueError(
            f"{path} is not a checkpoint of deepdream: it lacks {', '.join(missing or ['state_dict'])}; "
            "make one with `python train.py`, or wrap a model of your own in deepdream.models.Network"
        )
    weights = {
        key.removeprefix("model."): value for key, value in checkpoint["state_dict"].items() if key.startswith("model.")
    }
    classes = list(hyper_parameters["classes"])
    model = ResNet(num_classes=len(classes), **hyper_parameters["model"])
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise ValueError(f"the weights in {path} do not fit the model that it names: {first}") from error
    red, green, blue = hyper_parameters["mean"]
    red_std, green_std, blue_std = hyper_parameters["std"]
    return Network(
        model.eval(),
        classes,
        (red, green, blue),
        (red_std, green_std, blue_std),
        hyper_parameters["image_size"],
        str(path),
        digest,
        hyper_parameters,
    )


def _read_checkpoint(path: Path) -> tuple[dict[str, Any], str]:
    """The content of a checkpoint file, and its SHA-256."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the checkpoint in it, for example {path}/checkpoints/best.ckpt")
    if not path.is_file():
        siblings = [str(p) for p in path.parent.glob("*.ckpt")]
        hint = f"; close by there is {', '.join(closest(str(path), siblings))}" if siblings else ""
        raise FileNotFoundError(f"there is no checkpoint {path}{hint}")
    data = path.read_bytes()
    try:
        checkpoint = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the unpickler fail in any way
        if isinstance(error, pickle.UnpicklingError) and "Unsupported" in str(error):
            raise ValueError(
                f"{path} needs to run code to be opened, and is refused; a checkpoint of deepdream is data only"
            ) from error
        raise ValueError(f"{path} is truncated, damaged or not a checkpoint ({len(data)} bytes)") from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f"{path} holds a {type(checkpoint).__name__}, not a checkpoint")
    return checkpoint, hashlib.sha256(data).hexdigest()


def _imagenet(name: str) -> Network:
    """torchvision's newest ImageNet weights in our ResNet; downloaded at the first use."""
    available = {f"imagenet/resnet{depth}": depth for depth in (18, 34, 50, 101, 152)}
    if name not in available:
        raise ValueError(f"there is no network {name!r}; there are {', '.join(available)}")
    weights = get_model_weights(name.removeprefix("imagenet/")).DEFAULT
    try:
        state_dict = weights.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise ValueError(f"the weights of {name} could not be downloaded from {weights.url}: {error}") from error
    classes = list(weights.meta["categories"])
    model = ResNet(available[name], len(classes))
    model.load_state_dict(state_dict)
    return Network(model.eval(), classes, IMAGENET_MEAN, IMAGENET_STD, 224, name)

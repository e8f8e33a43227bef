"""Checkpoint files: opened as data only, checked, and made into a Network. A file that would run code is refused."""

from __future__ import annotations

import hashlib
import io
import math
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepdream.checks import one_of
from deepdream.images import MAX_PIXELS
from deepdream.models.building import ARCHITECTURE, TARGET, build_model
from deepdream.models.config import missing_weights
from deepdream.models.matching import loaded
from deepdream.models.network import Network, index_names
from deepdream.models.preprocessing import INTERPOLATIONS

# The hyper-parameters, besides the classes, of every checkpoint that deepdream.training writes; plain values. `model`
# is what `build_model` takes.
CHECKPOINT_KEYS = ("model", "mean", "std", "image_size")
# Of ResNet in version 0.1.0, where they differ from today's. Its checkpoints may have fewer keys.
EARLIER_DEFAULTS = {"depth": 50}
PLACES = ("root", "cache", "cache_dir", "url", "workers")  # of the record of the data: paths and addresses
LARGEST_SIDE = math.isqrt(MAX_PIXELS)


def network_from_checkpoint(
    path: Path, checkpoint: Mapping[str, Any], digest: str, *, name: str | None = None, model: str | None = None
) -> Network:
    """The network of a checkpoint of our training: on the CPU, in float32, in eval mode.

    checkpoint, digest: the content of the file `path`, and its SHA-256. name: its `source`, in place of the path.
    model: the class of a network of the user's own; it must be the one that the file names, and its code is run.
    Raises ValueError, in one line.
    """
    if not is_ours(checkpoint):
        record = checkpoint.get("hyper_parameters")
        missing = [key for key in CHECKPOINT_KEYS if not isinstance(record, dict) or key not in record]
        raise ValueError(
            f"{path} is not a checkpoint of deepdream: it lacks {', '.join(missing or ['state_dict'])}; "
            "name the network that its weights are of, for example ckpt_model=torchvision/resnet50"
        )
    weights = {
        key.removeprefix("model."): value
        for key, value in _weights(path, checkpoint).items()
        if isinstance(key, str) and key.startswith("model.")
    }
    return network_of_record(path, checkpoint["hyper_parameters"], weights, name=name, digest=digest, model=model)


def is_ours(checkpoint: Mapping[str, Any]) -> bool:
    """Whether a file holds what every checkpoint of our training does: weights, and what they mean."""
    record = checkpoint.get("hyper_parameters")
    complete = isinstance(record, dict) and all(key in record for key in CHECKPOINT_KEYS)
    return complete and isinstance(checkpoint.get("state_dict"), dict)


def network_of_record(
    path: Path,
    record: Mapping[str, Any],
    weights: Mapping[str, Any],
    *,
    name: str | None = None,
    digest: str,
    model: str | None = None,
) -> Network:
    """The network that the hyper-parameters `record` describe, with `weights`; both were read from `path`.

    name, digest: its source, by default the path, and the SHA-256 of its file. model: as above.
    Raises ValueError, in one line, where the two do not fit, or the record is not one of a network.
    """
    _check_record(path, record)
    classes = list(record.get("classes") or index_names(_class_count(weights)))
    _require_trust(path, record["model"], model)
    built = _build_model(path, record, classes, weights)
    red, green, blue = record["mean"]
    red_std, green_std, blue_std = record["std"]
    return Network(
        built,
        classes,
        (red, green, blue),
        (red_std, green_std, blue_std),
        record["image_size"],
        name or str(path),
        digest,
        record,
        resize=record.get("resize"),
        interpolation=record.get("interpolation", "bilinear"),
    )


def read_checkpoint_file(path: Path) -> tuple[dict[str, Any], str]:
    """The dictionary in a file of torch.save, with its tensors on the CPU, and the file's SHA-256.

    Raises FileNotFoundError or ValueError, in one line, for a file that is missing or damaged, holds something else, or
    would run code when opened.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the checkpoint in it, for example {path}/checkpoints/best.ckpt")
    if not path.is_file():
        raise missing_weights(path)
    data = path.read_bytes()
    _refuse_compressed(path, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on unusual files; errors are raised
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the unpickler fail in any way
        if isinstance(error, pickle.UnpicklingError) and "Unsupported" in str(error):
            raise ValueError(
                f"{path} would run code when opened, and is refused; a checkpoint of deepdream is data only"
            ) from error
        raise ValueError(f"{path} is truncated, damaged or not a checkpoint ({len(data)} bytes)") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content, hashlib.sha256(data).hexdigest()


def _refuse_compressed(path: Path, data: bytes) -> None:
    """Raise ValueError for a compressed file: torch.save never compresses, and a small file could fill the memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # an older format, or damaged: torch.load raises the error
        return
    if unpacked > len(data):
        raise ValueError(f"{path} is compressed, {unpacked:,} bytes in {len(data):,}, and is refused")


def _check_record(path: Path, record: Mapping[str, Any]) -> None:
    """Raise ValueError for a hyper-parameter of another type or range than training writes."""
    classes, size = record.get("classes"), record["image_size"]
    if not isinstance(record["model"], dict):
        raise ValueError(f"the model in {path} is not a dictionary of arguments but a {type(record['model']).__name__}")
    if not isinstance(record["model"].get(ARCHITECTURE, ""), str):
        raise ValueError(f"the architecture in {path} is not a name")
    if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise ValueError(f"the classes in {path} are not a list of names")
    for key in ("mean", "std"):
        values = record[key]
        numbers = isinstance(values, list | tuple) and all(type(value) in (int, float) for value in values)
        if not numbers or len(values) != 3 or not all(math.isfinite(value) for value in values):
            raise ValueError(f"{key} in {path} is not three numbers, for red, green and blue")
    if min(record["std"]) <= 0:
        raise ValueError(f"std in {path} is {list(record['std'])}; each must be more than 0")
    if type(size) is not int or not 1 <= size <= LARGEST_SIDE:
        raise ValueError(f"image_size in {path} is {size!r}; it must be a whole number from 1 to {LARGEST_SIDE:,}")
    resize = record.get("resize")
    if resize is not None and (type(resize) is not int or not size <= resize <= LARGEST_SIDE):
        raise ValueError(f"resize in {path} is {resize!r}; it must be a whole number from image_size, {size}, on")
    one_of(f"interpolation in {path}", record.get("interpolation", "bilinear"), INTERPOLATIONS)


def _require_trust(path: Path, model: Mapping[str, Any], named: str | None) -> None:
    """Raise ValueError for a class of somebody's own that the user has not named: a file alone never runs its code."""
    if named is not None and TARGET not in model:
        raise ValueError(f"ckpt_model={named} is for a file of weights alone, and {path} has its model; leave it out")
    target = model.get(TARGET, named)
    if target == named:
        return
    raise ValueError(
        f"{path} has a network of the class {target}, which is no part of deepdream; if you trust its code, name it: "
        f"ckpt_model={target}"
    )


def _weights(path: Path, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dequantized(checkpoint)
    except (AttributeError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"the scales in {path} do not fit its weights; make it again with `python -m deepdream pack`"
        ) from error


def _class_count(weights: Mapping[str, Any]) -> int:
    """The number of classes by the shape of the last layer; 0 where that is missing."""
    last = weights.get("fc.weight")
    return last.shape[0] if isinstance(last, Tensor) and last.dim() == 2 else 0


def _build_model(
    path: Path, record: Mapping[str, Any], classes: Sequence[str], weights: Mapping[str, Any]
) -> nn.Module:
    """The model of the hyper-parameters with `weights`. Memory is allocated after all shapes have been compared."""
    misfit = f"the weights in {path} do not fit its model"
    described = record["model"]
    if not {TARGET, ARCHITECTURE} & described.keys():
        described = {**EARLIER_DEFAULTS, **described}
    blocks = described.get("blocks")
    if isinstance(blocks, list) and any(type(count) is int and count > len(weights) for count in blocks):
        raise ValueError(f"{misfit}: it has {blocks} blocks, the file {len(weights)} tensors")

    try:
        return loaded(lambda: build_model(described, len(classes)), weights, misfit)
    except (TypeError, RuntimeError) as error:  # RuntimeError: a size that no tensor can have
        version = record.get("version", "another version")
        raise ValueError(f"{path} has a model that this version of deepdream does not know ({version})") from error


def dequantized(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint by name; 8-bit weights of `quantized.pack` become float32."""
    scales = checkpoint.get("scales", {})
    return {
        name: value.float() * per_output_channel(scales[name], value) if name in scales else value
        for name, value in checkpoint["state_dict"].items()
    }


def per_output_channel(scale: Tensor, weight: Tensor) -> Tensor:
    """A scale (out,) reshaped to multiply a weight (out, ...)."""
    return scale.reshape(-1, *(1,) * (weight.dim() - 1))


def without_places(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """The record of a data set without paths and addresses."""
    return {key: value for key, value in (data or {}).items() if key not in PLACES}

"""Anybody's file of weights: safetensors, a state_dict, or a checkpoint of Lightning, timm or torchvision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from deepdream.models.checkpoint_file import read_checkpoint_file
from deepdream.models.config import missing_weights

SAFETENSORS = ".safetensors"
# Where checkpoints keep the weights, averaged ones first, as timm prefers them.
PLACES = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "weights",
    "params",
)


class _Ignored:
    """Stands for the settings of a training that others keep beside the weights: nothing of them is built or run."""

    def __new__(cls, *_: Any) -> _Ignored:
        return super().__new__(cls)

    def __setstate__(self, _: Any) -> None:
        pass


SETTINGS = (
    "argparse.Namespace",
    "functools.partial",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.dtypes.Float32DType",
    "numpy.dtypes.Float64DType",
    "numpy.dtypes.Int64DType",
    "pathlib.PosixPath",
    "pathlib.PurePosixPath",
    "pathlib.WindowsPath",
)


def read_weights_file(path: Path) -> tuple[dict[str, Any], str]:
    """The content of a file of weights, and its SHA-256. Opened as data only; no code of it is run.

    Raises FileNotFoundError or ValueError, in one line, for a file that is missing, damaged or would run code.
    """
    if path.suffix == SAFETENSORS:
        return _read_safetensors(path)
    with torch.serialization.safe_globals([(_Ignored, name) for name in SETTINGS]):
        return read_checkpoint_file(path)


def _read_safetensors(path: Path) -> tuple[dict[str, Any], str]:
    if not path.is_file():
        raise missing_weights(path)
    data = path.read_bytes()
    try:
        return dict(safetensors.torch.load(data)), hashlib.sha256(data).hexdigest()
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is truncated, damaged or no safetensors file ({len(data)} bytes)") from error


def state_dict_in(content: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    """The weights in the content of a file, by name. Raises ValueError where there are none.

    Of weights and their moving average the average is taken.
    """
    for place in PLACES:
        inner = content.get(place)
        if isinstance(inner, Mapping) and (found := _tensors(inner)):
            return found
    if found := _tensors(content):
        return found
    keys = ", ".join(map(str, list(content)[:8]))
    raise ValueError(f"{path} holds no weights; it has {keys or 'nothing at all'}")


def _tensors(mapping: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {str(name): value for name, value in mapping.items() if isinstance(value, Tensor)}

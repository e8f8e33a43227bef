"""Open a file of weights as data only: one that would need to run code is refused."""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def read_weights_file(path: Path) -> tuple[dict[str, Any], str]:
    """The dictionary in a file that torch.save wrote, on the CPU, and the file's SHA-256.

    Raises FileNotFoundError or ValueError, in one line, for a file that is not there, is damaged, holds something else,
    or would run code when opened.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the checkpoint in it, for example {path}/checkpoints/best.ckpt")
    if not path.is_file():
        siblings = sorted(map(str, path.parent.glob("*.ckpt")))
        hint = f"; close by there is {', '.join(siblings[:3])}" if siblings else ""
        raise FileNotFoundError(f"there is no checkpoint {path}{hint}")
    data = path.read_bytes()
    _refuse_compressed(path, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on odd files; what matters is raised
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the unpickler fail in any way
        if isinstance(error, pickle.UnpicklingError) and "Unsupported" in str(error):
            raise ValueError(
                f"{path} needs to run code to be opened, and is refused; a checkpoint of deepdream is data only"
            ) from error
        raise ValueError(f"{path} is truncated, damaged or not a checkpoint ({len(data)} bytes)") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content, hashlib.sha256(data).hexdigest()


def _refuse_compressed(path: Path, data: bytes) -> None:
    """torch.save stores plainly; what is compressed could fill the memory from a small file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # of an old kind, or damaged: torch.load says so
        return
    if unpacked > len(data):
        raise ValueError(f"{path} is compressed, {unpacked:,} bytes in {len(data):,}, and is refused")


def unpacked(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint by name, each a float tensor, also where it was quantized."""
    scales = checkpoint.get("scales", {})
    return {
        name: value.float() * per_output_channel(scales[name], value) if name in scales else value
        for name, value in checkpoint["state_dict"].items()
    }


def per_output_channel(scale: Tensor, weight: Tensor) -> Tensor:
    """A scale (out,) in the shape in which it multiplies a weight (out, ...)."""
    return scale.reshape(-1, *(1,) * (weight.dim() - 1))

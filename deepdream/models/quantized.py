"""Small checkpoints: weights of 8 bits, with a scale for each output channel."""

from __future__ import annotations

from pathlib import Path

import torch

from deepdream.files import atomic_path
from deepdream.models.checkpoint_file import per_output_channel, read_checkpoint_file, without_places

# The hyper-parameters that are kept: those that a network needs, and those of its data, but for paths and addresses.
KEPT = ("model", "classes", "mean", "std", "image_size", "data", "version")
SMALL = 16_384  # values; a smaller tensor keeps its dtype: it costs little, and the first layer needs the precision
STEPS = 127  # on either side of zero


def pack(source: Path, target: Path) -> None:
    """Write the checkpoint `source` to `target` with 8-bit weights, a tenth of its size.

    A large weight w becomes round(127 * w / max |w|), with the maximum of its output channel as scale. Raises what
    `read_checkpoint_file` raises, ValueError if `source` is not a checkpoint of deepdream, and OSError.
    """
    checkpoint, _ = read_checkpoint_file(source)
    if not {"hyper_parameters", "state_dict"} <= set(checkpoint):
        raise ValueError(f"{source} is not a checkpoint of deepdream; make one with `python train.py`")
    weights, scales = {}, {}
    for name, value in checkpoint["state_dict"].items():
        if not name.startswith("model."):
            continue  # the loss, and other state of the training
        weights[name] = value
        if value.dim() > 1 and value.numel() >= SMALL:
            scales[name] = value.flatten(1).abs().amax(dim=1).clamp_min(torch.finfo(value.dtype).tiny) / STEPS
            weights[name] = (value / per_output_channel(scales[name], value)).round().to(torch.int8)
    hyper_parameters = {key: value for key, value in checkpoint["hyper_parameters"].items() if key in KEPT}
    hyper_parameters["data"] = without_places(hyper_parameters.get("data"))
    with atomic_path(target) as partial:
        torch.save({"hyper_parameters": hyper_parameters, "state_dict": weights, "scales": scales}, partial)

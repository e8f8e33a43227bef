"""A checkpoint made small, to be shipped: weights of 8 bits, with a scale for each output channel."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from deepdream.models.weights_file import per_output_channel, read_weights_file

# Of the hyper-parameters: what a network needs, and with which pictures it was trained; not where they lay.
KEPT = ("model", "classes", "mean", "std", "image_size", "data", "version")
PLACES = ("root", "cache", "url", "workers")
SMALL = 16_384  # numbers; a tensor with fewer stays as it is: it costs little, and the first layer feels each bit
STEPS = 127  # on either side of zero


def pack(source: Path, target: Path) -> None:
    """Write `source` to `target`, a large weight w as round(127 * w / max |w|), the maximum taken by output channel.

    Raises what `read_weights_file` raises, and ValueError where `source` is not a checkpoint of deepdream.
    """
    checkpoint, _ = read_weights_file(source)
    if not {"hyper_parameters", "state_dict"} <= set(checkpoint):
        raise ValueError(f"{source} is not a checkpoint of deepdream; make one with `python train.py`")
    weights, scales = {}, {}
    for name, value in checkpoint["state_dict"].items():
        if not name.startswith("model."):
            continue  # the loss, and what else the training kept
        weights[name] = value
        if value.dim() > 1 and value.numel() >= SMALL:
            scales[name] = value.flatten(1).abs().amax(dim=1).clamp_min(torch.finfo(value.dtype).tiny) / STEPS
            weights[name] = (value / per_output_channel(scales[name], value)).round().to(torch.int8)
    hyper_parameters = {key: value for key, value in checkpoint["hyper_parameters"].items() if key in KEPT}
    data = hyper_parameters.get("data") or {}
    hyper_parameters["data"] = {key: value for key, value in data.items() if key not in PLACES}
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"hyper_parameters": hyper_parameters, "state_dict": weights, "scales": scales}, target)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m deepdream.models.quantized",
        description="Write a checkpoint of train.py in a tenth of its size: weights of 8 bits, and nothing else.",
    )
    parser.add_argument("checkpoint", type=Path, help="for example outputs/.../checkpoints/best.ckpt")
    parser.add_argument("packed", type=Path, help="the file to write; load_network and ckpt= take it like any other")
    options = parser.parse_args(arguments)
    try:
        pack(options.checkpoint, options.packed)
    except (OSError, ValueError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    was, became = (path.stat().st_size / 1e6 for path in (options.checkpoint, options.packed))
    print(f"{options.packed}: {became:.1f} MB, from {was:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

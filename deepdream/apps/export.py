"""python -m deepdream export: write a network as a folder to share."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.filesize import decimal

from deepdream import models
from deepdream.apps.checkpoints import chosen_network
from deepdream.apps.command import command
from deepdream.apps.model_card import details_of
from deepdream.console import relative
from deepdream.models.config import ExportConfig

ONNX = "model.onnx"


@command("export")
def main(config: ExportConfig, folder: Path) -> None:
    """Write config.json, model.safetensors and a card with its images; with onnx=true also an ONNX file."""
    target = Path(config.to).absolute() if config.to is not None else folder / "network"
    _refuse_other_folders(target)
    network = chosen_network(config.ckpt, config)
    models.export_network(network, target, details_of(network, dreams=config.dreams))
    if config.onnx:
        difference = models.write_onnx(network, target / ONNX)
        print(f"ONNX:       {relative(target / ONNX)}, within {difference:.1g} of PyTorch's largest logit")
    size = sum(path.stat().st_size for path in target.iterdir())
    print(f"exported {network.source}: {len(network.classes)} classes, {decimal(size)}")
    print(f"folder:     {relative(target)}")
    print(f"card:       {relative(target / models.CARD)}")
    here = shlex.quote(f"ckpt={relative(target)}/")
    print(f"use it:     {here}, or upload it to the hub and use ckpt=hf://USER/{target.name}")


def _refuse_other_folders(target: Path) -> None:
    """Raise ValueError before any work for a target that an export must not replace."""
    if target.exists() and not target.is_dir():
        raise ValueError(f"to={target} is a file; name a folder")
    if target.is_dir() and any(target.iterdir()) and not models.is_exported(target):
        raise ValueError(f"to={target} is a folder with something else in it; name a new or empty one")

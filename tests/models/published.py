"""Files of weights in the form in which others publish theirs."""

from __future__ import annotations

from pathlib import Path

import torch
import torchvision
from torch import nn


def write_torchvision(torch_home: Path, model: nn.Module, url: str) -> Path:
    """The weights of `model` under the name of torchvision's file, in torch.hub's cache."""
    path = torch_home / "hub" / "checkpoints" / url.rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), path)
    return path


def write_on_hub(cache: Path, repository: str, files: dict[str, bytes]) -> None:
    """A repository in the cache of huggingface_hub, as a download leaves it."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    for name, content in files.items():
        path = folder / "snapshots" / ("0" * 40) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_places365(torch_home: Path, depth: int) -> tuple[nn.Module, Path]:
    """A network with random weights in CSAIL's form, in torch.hub's cache: legacy pickle, names of several GPUs."""
    model = getattr(torchvision.models, f"resnet{depth}")(num_classes=365)
    weights = {f"module.{key}": value for key, value in model.state_dict().items()}
    content = {"epoch": 90, "arch": f"resnet{depth}", "state_dict": weights, "best_prec1": 54.7}
    path = torch_home / "hub" / "checkpoints" / f"resnet{depth}_places365.pth.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return model, path

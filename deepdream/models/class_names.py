"""The names of classes: ImageNet's, those of Places365, and those in a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from deepdream.models.network import index_names

LARGEST_FILE = 10_000_000  # bytes


def imagenet_classes() -> list[str]:
    """The 1,000 names of ImageNet, in the order of the logits of torchvision and timm."""
    from torchvision.models import ResNet18_Weights  # takes as long as torch: a dream of our own network does without

    return list(ResNet18_Weights.DEFAULT.meta["categories"])


def places365_classes() -> list[str]:
    """The 365 names, in the order of the logits, for example "apartment_building/outdoor"."""
    lines = (files("deepdream.models") / "places365.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def default_classes(count: int) -> list[str]:
    """Names for the classes of a network that names none: those of ImageNet where it has 1,000, else their index."""
    return imagenet_classes() if count == 1000 else index_names(count)


def read_classes(path: str | Path) -> list[str]:
    """The names in a file, in the order of the logits.

    One name a line; or JSON: a list, {"bar": 0} or {"0": "bar"}, in which a list's last text is the name, as in Keras'
    imagenet_class_index.json. Raises ValueError, in one line, where the file cannot be read or holds something else.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"ckpt_classes is {path}, which is no list of names: it has {path.stat().st_size:,} bytes")
        text = path.read_text(encoding="utf-8-sig")
        names = _from_json(json.loads(text)) if path.suffix == ".json" else text.splitlines()
    except OSError as error:
        raise ValueError(f"ckpt_classes is {path}, which cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"ckpt_classes is {path}, which is no text in UTF-8 or no JSON: {error}") from error
    names = [name.strip() for name in names if name.strip()]
    if not names:
        raise ValueError(f"ckpt_classes is {path}, which holds no names; write one a line, in the order of the logits")
    return names


def _from_json(content: Any) -> Sequence[str]:
    if isinstance(content, dict):
        if all(type(index) is int for index in content.values()):
            content = {index: name for name, index in content.items()}
        if all(str(index).isdecimal() for index in content):
            content = [content[index] for index in sorted(content, key=int)]
    if isinstance(content, list):
        content = [each[-1] if isinstance(each, list) and each else each for each in content]
        if all(isinstance(each, str) for each in content):
            return list(content)
    raise ValueError('ckpt_classes names JSON that is neither a list of names nor {"name": index}')

"""The model card of an exported network: Markdown, with the metadata that Hugging Face's hub reads."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from deepdream import __version__
from deepdream.markup import markdown
from deepdream.models.network import Network

CARD = "README.md"
SHOWN_CLASSES = 20


@dataclass(frozen=True)
class CardDetails:
    """What a card tells of a network beyond its architecture, classes and input.

    sections: Markdown, each with its heading. metrics: name -> value, for the hub's table of results on `dataset`.
    images: file name -> image, written beside the card.
    """

    sections: Sequence[str] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    dataset: str = ""
    images: Mapping[str, Image.Image] = field(default_factory=dict)


def card(network: Network, title: str, details: CardDetails) -> str:
    """The text of the card. title: the name of the folder."""
    model = network.hyper_parameters["model"] if network.hyper_parameters else {}
    arguments = ", ".join(f"{key}={value}" for key, value in model.items() if value not in (None, False))
    shown = ", ".join(map(markdown, network.classes[:SHOWN_CLASSES]))
    shown += " ..." if len(network.classes) > SHOWN_CLASSES else ""
    mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (network.mean, network.std))
    source = Path(network.source).name if Path(network.source).exists() else network.source
    sections = "".join(f"\n{section.strip()}\n" for section in details.sections)
    return f"""---
{_metadata(title, details)}---

# {markdown(title)}

An image classifier of {len(network.classes)} classes ({arguments}), exported by deepdream {__version__} from
`{source}`.

    deepdream dream {shlex.quote(f"ckpt={title}/")} image=photo.jpg
    deepdream explain {shlex.quote(f"ckpt={title}/")} image=photo.jpg

On the hub, `ckpt=hf://USER/{title}`. In Python, `deepdream.load_network({f"{title}/"!r})`. To install:
`pip install deepdream-lightning`.

| | |
|---|---|
| input | RGB in [0, 1], shorter side {network.resize_side} ({network.interpolation}), centre {network.image_size} |
| mean | {mean} |
| std | {std} |
| classes | {shown} |
{sections}
Weights: `model.safetensors`. Architecture, preprocessing and classes: `config.json`.
"""


def _metadata(title: str, details: CardDetails) -> str:
    """The front matter, https://huggingface.co/docs/hub/model-cards; texts are JSON, which YAML reads."""
    lines = [
        "library_name: deepdream",
        "pipeline_tag: image-classification",
        "tags:",
        "- image-classification",
        "- deepdream",
    ]
    if details.metrics:
        dataset = json.dumps(details.dataset)
        lines += [
            "model-index:",
            f"- name: {json.dumps(title)}",
            "  results:",
            "  - task: {type: image-classification}",
            f"    dataset: {{type: {dataset}, name: {dataset}}}",
            "    metrics:",
        ]
        lines += [f"    - {{type: {name}, value: {value:.4f}}}" for name, value in details.metrics.items()]
    return "".join(f"{line}\n" for line in lines)


def table(rows: Mapping[str, Any]) -> str:
    """Two columns of a Markdown table."""
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])

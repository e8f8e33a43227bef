"""What the card of an exported network tells of it: how it was trained, how good it is, its limits, what it dreams."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf
from PIL import Image

from deepdream import images
from deepdream.apps.dreamed import dream_image
from deepdream.apps.overrides import quoted, recorded
from deepdream.key_kinds import kinds_of
from deepdream.markup import markdown, text_of_cell
from deepdream.models import CardDetails, table
from deepdream.plots import contact_sheet
from deepdream.schema import compose, schema_of

if TYPE_CHECKING:
    from deepdream.models import Network

BEST = "best.ckpt"  # the checkpoint that the figures of a run folder are of
WORST_PAIRS = 3
DREAMED_CLASSES = 6
DREAM = ["image=china", "dream.width=384"]
CLASS_DREAM = ["dream=class", "dream.init=noise", "dream.width=128", "dream.steps=64"]
# Metric of evaluation.json -> its name in a sentence.
METRICS = {
    "accuracy": "accuracy",
    "mean_per_class_accuracy": "mean per-class accuracy",
    "top5_accuracy": "top-5 accuracy",
    "macro_f1": "macro F1",
    "expected_calibration_error": "expected calibration error",
    "loss": "cross-entropy",
}


def details_of(network: Network, *, dreams: bool) -> CardDetails:
    """The details of a network: all that its run folder tells, where it has one.

    dreams: make a dream and an image of each class, up to DREAMED_CLASSES; a minute on a CPU.
    """
    path = Path(network.source)
    run = path.resolve().parent.parent if path.is_file() else None
    sections: list[str] = []
    pictures: dict[str, Image.Image] = {}
    metrics, dataset = {}, ""
    if run is not None and (run / ".hydra" / "config.yaml").is_file():
        config: Any = OmegaConf.to_container(OmegaConf.load(run / ".hydra" / "config.yaml"), resolve=False)
        dataset = _dataset_name(run, config)
        sections.append(_training(run, config))
    if run is not None and path.name == BEST and (run / "figures" / "evaluation.json").is_file():
        figures = run / "figures"
        measured = json.loads((figures / "evaluation.json").read_text(encoding="utf-8"))
        metrics = {name: measured[name] for name in METRICS if name in measured and name != "loss"}
        pictures["confusion.png"] = Image.open(figures / "confusion.png")
        sections += [_evaluation(measured), _limits(network, _measured_limits(measured, figures))]
    else:
        unknown = "Its accuracy is not known: it was not exported from `checkpoints/best.ckpt` of a run folder."
        sections.append(_limits(network, [unknown]))
    if dreams:
        pictures |= _dreams(network)
        sections.append(DREAMS)
    return CardDetails(sections, metrics, dataset, pictures)


def _training(run: Path, config: Any) -> str:
    """The recipe: the data, the settings that matter, the command."""
    data, optimizer, scheduler = config["data"], config["optimizer"], config.get("scheduler") or {}
    rows = {
        "data": markdown(_dataset_name(run, config)),
        "augmentation": ", ".join(f"{key} {value}" for key, value in (config.get("augment") or {}).items() if value),
        "optimizer": f"{_short(optimizer)}, learning rate {optimizer.get('lr')}",
        "schedule": _short(scheduler),
        "epochs, images per step": f"{config['trainer'].get('max_epochs')}, {data.get('batch_size')}",
        "started from": config["model"].get("pretrained") or "random weights",
        "teachers (distillation)": len((config.get("distillation") or {}).get("teachers") or []) or "none",
        "adversarial training": config.get("adversarial_eps") or "no",
        "seed": config.get("seed"),
    }
    environment = run / "environment.json"
    if environment.is_file():
        record = json.loads(environment.read_text(encoding="utf-8"))
        packages = record.get("packages") or {}
        rows["trained with"] = f"deepdream {packages.get('deepdream')}, torch {packages.get('torch')}"
        rows["on"] = markdown(", ".join(record.get("devices") or []))
    command = shlex.join(["python", "-m", "deepdream", "train", *_public_overrides(run)])
    return f"## Training\n\n{table(rows)}\n\nPATH stands for the data set's folder:\n\n    {command}\n"


def _public_overrides(run: Path) -> Iterator[str]:
    """The arguments of the training; folders of that machine are called PATH."""
    kinds = kinds_of(schema_of("train"))
    for override in recorded(OmegaConf.load(run / ".hydra" / "overrides.yaml")):
        key, _, value = override.partition("=")
        is_folder = key.startswith("data.") and (key in ("data.root", "data.cache_dir") or _is_path(kinds, key))
        is_list = value.startswith("[") and _is_path(kinds, key)
        yield f"{key}=PATH" if is_folder or is_list or Path(value.strip("'")).is_absolute() else override


def _is_path(kinds: Any, key: str) -> bool:
    return key in kinds and kinds[key].verbatim == "path"


def _dataset_name(run: Path, config: Any) -> str:
    """The choice data=NAME; of a folder of the user's, the folder's own name."""
    chosen = [each for each in recorded(OmegaConf.load(run / ".hydra" / "overrides.yaml")) if each.startswith("data=")]
    name = chosen[-1].partition("=")[2] if chosen else "mit_indoor"
    return Path(str(config["data"].get("root"))).name if name in ("folder", "custom") else name


def _short(entry: Any) -> str:
    return str(entry.get("_target_", "none")).rpartition(".")[2]


def _evaluation(measured: Any) -> str:
    """The metrics with their intervals, and the confusion."""
    rows = {}
    for key, name in METRICS.items():
        if key in measured:
            low_high = measured["intervals"].get(key)
            interval = "" if low_high is None else f" ({low_high[0]:.1%} to {low_high[1]:.1%})"
            rows[name] = f"{measured[key]:.3f}" if key == "loss" else f"{measured[key]:.1%}{interval}"
    return (
        f"## Evaluation\n\nOn {measured['images']} test images that took no part in any decision; in brackets the 95 % "
        f"bootstrap interval over these images.\n\n{table(rows)}\n\n![Confusion matrix](confusion.png)\n\n"
        "A row is a true class, a column a prediction.\n"
    )


def _limits(network: Network, measured: list[str]) -> str:
    """What to keep in mind, from what is known. measured: further lines."""
    lines = [
        f"It knows {len(network.classes)} classes and always predicts one of them, whatever the image shows.",
        f"It sees the square centre of an image, {network.image_size} pixels a side; smaller things are lost.",
    ]
    if started := (network.hyper_parameters or {}).get("pretrained"):
        name = Path(started).name if Path(started).exists() else started
        lines.append(f"It started from `{name}`, and inherits what those weights have learned, and their licence.")
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in [*lines, *measured]) + "\n"


def _measured_limits(measured: Any, figures: Path) -> list[str]:
    """How far the metrics can be trusted, where the network fails, and whether its probabilities are right."""
    low, high = measured["intervals"]["accuracy"]
    worst = min(_rows(figures / "per_class.csv"), key=lambda row: float(row["recall"] or 1))
    lines = [
        f"{measured['images']} test images tell its accuracy to within {100 * (high - low) / 2:.0f} percentage points; "
        "photos from elsewhere may be harder.",
        f"It finds {float(worst['recall']):.0%} of class {markdown(worst['class'])}, the least of all classes.",
    ]
    for pair in _rows(figures / "confused_pairs.csv")[:WORST_PAIRS]:
        share = float(pair["share_of_class"])
        lines.append(f"It takes {share:.0%} of class {markdown(pair['class'])} for {markdown(pair['prediction'])}.")
    probabilities = [float(row["probability"]) for row in _rows(figures / "predictions.csv")]
    gap = sum(probabilities) / len(probabilities) - measured["accuracy"]
    side = ("high: it is over", "low: it is under")[gap < 0]
    return [*lines, f"Its probabilities are on average {100 * abs(gap):.0f} percentage points too {side}confident."]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{key: text_of_cell(cell) for key, cell in row.items()} for row in csv.DictReader(file)]


DREAMS = """## Dreams

![A photo and its dream](dream.jpg)

`deepdream dream image=china`: what the later layers respond to in a photo, amplified.

![An image of each class](classes.jpg)

`deepdream dream dream=class dream.init=noise target=CLASS`: from noise, an image that the network takes for the class.
"""


def _dreams(network: Network) -> dict[str, Image.Image]:
    """dream.jpg and classes.jpg."""
    made = dream_image(compose("dream", DREAM), network)
    pair = [images.to_image(made.before), images.to_image(made.after[:3])]
    names = network.classes[:DREAMED_CLASSES]
    wishes = [
        images.to_image(
            dream_image(compose("dream", [*CLASS_DREAM, f"dream.target={quoted(str(index))}"]), network).after[:3]
        )
        for index in range(len(names))
    ]
    return {
        "dream.jpg": contact_sheet(pair, ["photo", "dream"], columns=2, size=384),
        "classes.jpg": contact_sheet(wishes, names, columns=3, size=192),
    }

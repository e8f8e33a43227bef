"""python explain.py: the evidence for a prediction, as a panel for each image and a table of numbers."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from rich.table import Table

from deepdream import explaining, models
from deepdream.apps.checkpoints import chosen_network
from deepdream.apps.command import command, describe
from deepdream.apps.ground_truth import grade
from deepdream.apps.inputs import DEFAULT_PHOTO, images_below, read_photo
from deepdream.apps.run_loggers import open_loggers, places_to_look, recorded
from deepdream.console import command_line, print_table, progress_bar, relative
from deepdream.explaining.config import CHECKS, ExplainAppConfig
from deepdream.hardware import best_device
from deepdream.loggers import log_metrics, write_and_log_image
from deepdream.markup import cells
from deepdream.models.config import BUNDLED
from deepdream.provenance import content, read_provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from deepdream.models import Network

MIN_SIDE = 16  # pixels of an image: one enlarged from less has no detail to explain


@command("explain")
def main(config: ExplainAppConfig, folder: Path) -> None:
    """Write a panel for each image, a table of numbers, and with score=true a ranking of the methods.

    With ground_truth=true grade the methods on synthetic rooms instead.
    """
    images = {} if config.ground_truth.enabled else images_below(config.image)
    network = chosen_network(config.ckpt or BUNDLED, config)
    network.model.to(best_device(config.device))
    for name in (config.target, config.against):
        if name is not None:
            network.class_index(name)
    built = open_loggers(config.logger, config.tags)
    with recorded(built, asdict(config), folder) as loggers:
        if config.ground_truth.enabled:
            grade(config, network, folder, loggers)
            return
        explained = _explain_all(config, network, images, folder, loggers)
        _write_numbers(explained, folder / "explanations.csv")
        if config.score:
            _write_ranking(explained, folder / "ranking.csv", loggers)
        print(f"panels:     {relative(folder / 'explanations')}")
        for line in places_to_look(built, folder):
            print(line)
    if config.ckpt is None:
        print(_try_next(explained[0], config.image))


def _explain_all(
    config: ExplainAppConfig, network: Network, images: dict[str, str], folder: Path, loggers: Sequence[Any]
) -> list[explaining.ExplainedImage]:
    """Explain each image and write its panel. In a folder, images that cannot be explained are skipped and printed."""
    panels = folder / "explanations"
    panels.mkdir(parents=True, exist_ok=True)
    explained: list[explaining.ExplainedImage] = []
    with progress_bar("explaining", total=len(images) * len(config.methods)) as update:
        for number, (name, path) in enumerate(images.items()):

            def on_method(method: str, name: str = name, done: int = number * len(config.methods)) -> None:
                update(done + config.methods.index(method), description=f"{name}: {method}")

            try:
                one = explain_one(config, network, name, path, on_method)
            except (OSError, ValueError) as error:
                if len(images) == 1:
                    raise
                print(f"skipped: {describe(error)}", file=sys.stderr)
                continue
            _write_plot(explaining.plot_panel(one), panels / f"{name}.png", loggers, f"explanations/{name}")
            log_metrics(loggers, {"explanations/confidence": one.confidence}, len(explained))
            explained.append(one)
            print(_line(one))
    if not explained:
        raise ValueError(f"none of the {len(images)} images in {config.image} could be explained")
    return explained


def explain_one(
    config: ExplainAppConfig,
    network: Network,
    name: str,
    path: str,
    on_method: Callable[[str], object] | None = None,
) -> explaining.ExplainedImage:
    """The image at `path` explained as `config` says. Raises ValueError for one that is too small to explain."""
    image = read_photo(path)
    if min(image.size) < MIN_SIDE:
        raise ValueError(f"{path} is {image.width}x{image.height}; it needs at least {MIN_SIDE} pixels a side")
    return explaining.explain_image(
        network,
        image,
        name=name,
        methods=config.methods,
        target=config.target,
        against=config.against,
        checks=tuple(CHECKS) if config.score else None,
        crop=config.crop,
        before=_image_before_the_dream(path),
        mask=None if config.masks is None else _mask(Path(config.masks), name),
        config=config.explain,
        precision=config.precision,
        seed=config.seed,
        on_method=on_method,
    )


def _mask(folder: Path, name: str) -> Image.Image:
    path = folder / f"{name}.png"
    if not path.is_file():
        raise ValueError(f"{path} is missing: masks={folder} must hold a PNG with the name of each image")
    return read_photo(str(path))


def _image_before_the_dream(path: str) -> Image.Image | None:
    """The image that a dream was made from, if its provenance names one that still exists and has not changed."""
    try:
        stored = read_provenance(path)
        name = (stored.get("config") or {}).get("image")
        if "inputs" in stored and stored["inputs"].get("image") != content(name):
            return None
        return read_photo(name or DEFAULT_PHOTO)
    except (OSError, ValueError, AttributeError, TypeError):  # not a dream, or its image is gone
        return None


def _line(one: explaining.ExplainedImage) -> str:
    before = ""
    if one.before is not None:
        index = int(one.before.argmax())
        before = f"; before the dream {one.classes[index]} {float(one.before[index]):.0%}"
    share = float(one.probabilities.max())
    return f"{one.name}: {one.prediction} {share:.0%}, attribution-based confidence {one.confidence:.0%}{before}"


def _try_next(one: explaining.ExplainedImage, image: str | list[str]) -> str:
    """Commands to try, with the most probable class that was not explained yet."""
    others = one.probabilities.clone()
    others[one.explanations[0].index] = -1
    image = f"[{','.join(image)}]" if isinstance(image, list) else image
    other = models.class_argument(one.classes, int(others.argmax()))
    commands = {
        command_line("explain", "image=PHOTO"): "your own photo",
        command_line("explain", f"image={image}", f"target={other}"): "the evidence for another class",
        command_line("explain", f"image={image}", f"against={other}"): "the evidence that decides between the two",
        command_line("explain", "image=FOLDER", "score=true"): "rank the methods by how far they can be trusted",
    }
    width = max(map(len, commands))
    lines = [f"{command:{width}}  {purpose}" for command, purpose in commands.items()]
    return "try next:   " + "\n            ".join(lines)


def _write_numbers(explained: Sequence[explaining.ExplainedImage], path: Path) -> None:
    """Write one row for each image and method."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        checks = list(explained[0].explanations[0].scores)
        masked = [] if explained[0].mask is None else ["mass_accuracy", "pointing"]
        table.writerow(
            ["image", "prediction", "softmax", "confidence", "method", "target", "against", "seconds", *checks, *masked]
        )
        for one in explained:
            image = [one.name, one.prediction, f"{float(one.probabilities.max()):.4f}", f"{one.confidence:.4f}"]
            for each in one.explanations:
                found = (
                    each.scores
                    if one.mask is None
                    else each.scores | explaining.mask_scores(each.attribution, one.mask)
                )
                scores = (f"{found[name]:.6g}" for name in (*checks, *masked))
                table.writerow(cells([*image, each.method, each.target, each.against, f"{each.seconds:.3f}", *scores]))


def _write_ranking(explained: Sequence[explaining.ExplainedImage], path: Path, loggers: Sequence[Any]) -> None:
    """Write the methods from the best to the worst: to the console, as CSV and PNG, and to the loggers."""
    ranking = explaining.rank_methods([one.explanations for one in explained])
    checks = list(ranking[0].means)
    header = ["method", "mean_rank", *(name for check in checks for name in (check, f"{check}_se")), "seconds"]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(header)
        for row in ranking:
            values = (f"{number:.6g}" for check in checks for number in (row.means[check], row.errors[check]))
            table.writerow([row.method, f"{row.mean_rank:.3f}", *values, f"{row.seconds:.3f}"])
    _print_ranking(ranking, checks, len(explained))
    plot = explaining.plot_ranking(ranking, image_count=len(explained))
    _write_plot(plot, path.with_suffix(".png"), loggers, "explanations/ranking")
    log_metrics(loggers, {f"explanations/mean_rank/{row.method}": row.mean_rank for row in ranking})
    print(f"ranking:    {relative(path)}, {path.with_suffix('.png').name}")


def _print_ranking(ranking: Sequence[explaining.MethodMetrics], checks: list[str], image_count: int) -> None:
    means = (
        f", means without the {explaining.TRIM:.0%} lowest and highest" if int(explaining.TRIM * image_count) else ""
    )
    table = Table(title=f"methods over {image_count} images, best first{means}", title_justify="left")
    table.add_column("method")
    for title in ("mean rank ↓", *(CHECKS.details(check).title for check in checks), "seconds"):
        table.add_column(title, justify="right")
    for row in ranking:
        values = (f"{row.means[check]:.3g} ± {row.errors[check]:.1g}" for check in checks)
        table.add_row(row.method, f"{row.mean_rank:.2f}", *values, f"{row.seconds:.2f}")
    print_table(table, width=140)


def _write_plot(figure: Figure, path: Path, loggers: Sequence[Any], tag: str) -> None:
    """Write a figure as PNG, and log it under `tag`."""
    from deepdream.plots import rendered

    path.parent.mkdir(parents=True, exist_ok=True)
    write_and_log_image(path, loggers, tag, rendered(figure))

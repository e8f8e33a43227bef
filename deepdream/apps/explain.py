"""python explain.py: the evidence for a prediction, as a panel for each image and a table of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from deepdream import evaluating, explaining
from deepdream.apps.checkpoints import chosen_network
from deepdream.apps.command import command
from deepdream.apps.distributed import share_of_folder, start_of
from deepdream.apps.explained_folder import PANELS, ImageNumbers, explain_folder
from deepdream.apps.ground_truth import grade
from deepdream.apps.inputs import images_below
from deepdream.apps.run_folder import RunFolders
from deepdream.apps.run_loggers import open_loggers, places_to_look, recorded
from deepdream.console import command_line, print_table, relative
from deepdream.explaining.config import CHECKS, ExplainAppConfig
from deepdream.files import atomic_path
from deepdream.hardware import best_device
from deepdream.loggers import log_metrics, write_and_log_image
from deepdream.models.config import BUNDLED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@command("explain")
def main(config: ExplainAppConfig, folder: Path) -> None:
    """Write a panel for each image, a table of numbers, and with score=true a ranking of the methods.

    With ground_truth=true grade the methods on synthetic rooms instead.
    """
    images = {} if config.ground_truth.enabled else images_below(config.image)
    named = None if RunFolders.made else str(folder)
    rank = share_of_folder(named, key="hydra.run.dir", device=config.device) if len(images) > 1 else None
    network = chosen_network(config.ckpt or BUNDLED, config)
    network.model.to(best_device(config.device))
    for name in (config.target, config.against):
        if name is not None:
            network.class_index(name)
    built = open_loggers(config.logger, config.tags) if rank is None or rank.is_zero else {}
    with recorded(built, asdict(config), folder) as loggers:
        if config.ground_truth.enabled:
            grade(config, network, folder, loggers)
            return
        start = start_of(rank)
        explained = explain_folder(config, network, images, folder, loggers, start=start)
        _write_numbers(explained, folder / "explanations.csv")
        if config.score:
            _write_ranking(explained, folder / "ranking.csv", loggers)
        print(f"panels:     {relative(folder / PANELS)}")
        for line in places_to_look(built, folder):
            print(line)
    if config.ckpt is None and rank is None:
        print(_try_next(explained[0], config.image))


def _try_next(one: ImageNumbers, image: str | list[str]) -> str:
    """Commands to try, with the most probable class that was not explained yet."""
    image = f"[{','.join(image)}]" if isinstance(image, list) else image
    commands = {
        command_line("explain", "image=PHOTO"): "your own photo",
        command_line("explain", f"image={image}", f"target={one.other}"): "the evidence for another class",
        command_line("explain", f"image={image}", f"against={one.other}"): "the evidence that decides between the two",
        command_line("explain", "image=FOLDER", "score=true"): "rank the methods by how far they can be trusted",
    }
    width = max(map(len, commands))
    lines = [f"{command:{width}}  {purpose}" for command, purpose in commands.items()]
    return "try next:   " + "\n            ".join(lines)


def _write_numbers(explained: Sequence[ImageNumbers], path: Path) -> None:
    """Write one row for each image and method."""
    scores = [*explained[0].methods[0].scores, *explained[0].methods[0].mask_scores]
    rows = []
    for one in explained:
        image = [one.name, one.prediction, f"{one.probability:.4f}", f"{one.confidence:.4f}"]
        for each in one.methods:
            found = each.scores | each.mask_scores
            numbers = [f"{found[name]:.6g}" for name in scores]
            rows.append([*image, each.method, each.target, each.against, f"{each.seconds:.3f}", *numbers])
    header = ["image", "prediction", "softmax", "confidence", "method", "target", "against", "seconds", *scores]
    with atomic_path(path, unique=True) as partial:  # by each of several processes
        evaluating.write_csv(partial, header, rows)


def _write_ranking(explained: Sequence[ImageNumbers], path: Path, loggers: Sequence[Any]) -> None:
    """Write the methods from the best to the worst: to the console, as CSV and PNG, and to the loggers."""
    ranking = explaining.rank_methods([one.methods for one in explained])
    checks = list(ranking[0].means)
    header = ["method", "mean_rank", *(name for check in checks for name in (check, f"{check}_se")), "seconds"]
    rows = []
    for row in ranking:
        values = [f"{number:.6g}" for check in checks for number in (row.means[check], row.errors[check])]
        rows.append([row.method, f"{row.mean_rank:.3f}", *values, f"{row.seconds:.3f}"])
    with atomic_path(path, unique=True) as partial:
        evaluating.write_csv(partial, header, rows)
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

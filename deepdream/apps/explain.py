"""python explain.py: why a network answers so."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deepdream.apps.checkpoints import BOX, chosen_network
from deepdream.apps.command import command, describe
from deepdream.apps.inputs import DEFAULT_PHOTO, read_photo
from deepdream.console import relative as shown
from deepdream.explaining.config import CHEAP_CHECKS, CHECKS, ExplainAppConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image
    from torch.utils.tensorboard import SummaryWriter

    from deepdream.explaining import Examination, MethodFigures
    from deepdream.models import Network

TRY_NEXT = """\
try next:   python explain.py image=PHOTO                 a photo of your own
            python explain.py image=PHOTO target=kitchen  what speaks for another answer
            python explain.py image=FOLDER score=true     which method can be trusted most"""
MIN_SIDE = 16  # pixels of a photo: what is enlarged from less has nothing to be found in


@command("explain", ExplainAppConfig)
def main(config: ExplainAppConfig, folder: Path) -> None:
    """A panel for each picture, a table of numbers, and with score=true a ranking of the methods."""
    from torch.utils.tensorboard import SummaryWriter

    from deepdream.hardware import best_device

    pictures = pictures_at(config.image)
    network = chosen_network(config.ckpt or BOX)
    network.model.to(best_device(config.device))
    if config.target is not None:
        network.class_index(config.target)
    with SummaryWriter(folder / "tensorboard") as writer:
        examinations = _examine_all(config, network, pictures, folder, writer)
        _write_numbers(examinations, folder / "explanations.csv")
        if config.score:
            _write_ranking(examinations, folder / "ranking.csv", writer)
    print(f"panels:     {shown(folder / 'explanations')}")
    print(f"look:       tensorboard --logdir {shown(folder)}")
    if config.ckpt is None:
        print(TRY_NEXT)


def pictures_at(image: str) -> dict[str, str]:
    """The pictures to explain, by a name for each: one file or sample, or all in a folder and in those below it.

    Raises FileNotFoundError or ValueError where there is none.
    """
    if not os.path.isdir(image):
        return {Path(image).name.rpartition(".")[0] or image: image}
    from PIL import Image

    root = Path(image)
    suffixes = Image.registered_extensions()
    found = sorted(path for path in root.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    if not found:
        raise ValueError(f"there is no picture in {image}; expected files like photo.jpg or photo.png")
    return {"_".join(path.relative_to(root).parts): str(path) for path in found}


def _examine_all(
    config: ExplainAppConfig, network: Network, pictures: dict[str, str], folder: Path, writer: SummaryWriter
) -> list[Examination]:
    """Each picture's examination, its panel written; in a folder of pictures a bad one is left out, which is said."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from deepdream.explaining import draw_panel
    from deepdream.loggers import write_and_log_image
    from deepdream.plots import rendered

    panels = folder / "explanations"
    panels.mkdir(parents=True, exist_ok=True)
    examinations: list[Examination] = []
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, transient=True, disable=not Console().is_terminal) as progress:
        task = progress.add_task("explaining", total=len(pictures) * len(config.methods))
        for number, (name, path) in enumerate(pictures.items()):

            def show(method: str, name: str = name, done: int = number * len(config.methods)) -> None:
                progress.update(task, completed=done + config.methods.index(method), description=f"{name}: {method}")

            try:
                examination = _examine(config, network, name, path, show)
            except (OSError, ValueError) as error:
                if len(pictures) == 1:
                    raise
                print(f"left out: {describe(error)}", file=sys.stderr)
                continue
            picture = rendered(draw_panel(examination))
            write_and_log_image(panels / f"{name}.png", [writer], f"explanations/{name}", picture)
            examinations.append(examination)
            print(_line(examination))
    if not examinations:
        raise ValueError(f"none of the {len(pictures)} pictures in {config.image} could be explained")
    return examinations


def _examine(
    config: ExplainAppConfig, network: Network, name: str, path: str, on_method: Callable[[str], object]
) -> Examination:
    from deepdream.explaining import examine

    photo = read_photo(path)
    if min(photo.size) < MIN_SIDE:
        raise ValueError(f"{path} is {photo.width}x{photo.height}; it needs at least {MIN_SIDE} pixels a side")
    return examine(
        network,
        photo,
        name=name,
        methods=config.methods,
        target=config.target,
        checks=CHECKS if config.score else CHEAP_CHECKS,
        crop=config.crop,
        before=_before_the_dream(path),
        config=config.explain,
        seed=config.seed,
        on_method=on_method,
    )


def _before_the_dream(path: str) -> Image.Image | None:
    """The photo that a picture of dream.py was made from, where the picture says so and the photo is still there."""
    from deepdream.provenance import read_provenance

    try:
        return read_photo((read_provenance(path).get("config") or {}).get("image") or DEFAULT_PHOTO)
    except (OSError, ValueError, AttributeError, TypeError):  # no dream, or one whose photo is gone
        return None


def _line(examination: Examination) -> str:
    share = 100 * float(examination.probabilities.max())
    was = ""
    if examination.before is not None:
        before = int(examination.before.argmax())
        name = examination.classes[before]
        was = f"; before the dream {name} {100 * float(examination.before[before]):.0f}%"
    confidence = 100 * examination.confidence
    return f"{examination.name}: {examination.answer} {share:.0f}%, {confidence:.0f}% of its neighbours agree{was}"


def _write_numbers(examinations: list[Examination], path: Path) -> None:
    """A row for each picture and method."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        checks = list(examinations[0].explanations[0].scores)
        table.writerow(["picture", "answer", "softmax", "confidence", "method", "target", "seconds", *checks])
        for one in examinations:
            answer = [one.name, one.answer, f"{float(one.probabilities.max()):.4f}", f"{one.confidence:.4f}"]
            for each in one.explanations:
                scores = (f"{each.scores[check]:.6g}" for check in checks)
                table.writerow([*answer, each.method, each.target, f"{each.seconds:.3f}", *scores])


def _write_ranking(examinations: list[Examination], path: Path, writer: SummaryWriter) -> None:
    """The methods from the best to the worst: on the console, as CSV and beside it as PNG, and in TensorBoard."""
    from deepdream.explaining import draw_ranking, rank_methods
    from deepdream.loggers import write_and_log_image
    from deepdream.plots import rendered

    ranking = rank_methods([one.explanations for one in examinations])
    checks = list(ranking[0].means)
    header = ["method", "mean_rank", *(name for check in checks for name in (check, f"{check}_se")), "seconds"]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(header)
        for row in ranking:
            values = (f"{number:.6g}" for check in checks for number in (row.means[check], row.errors[check]))
            table.writerow([row.method, f"{row.mean_rank:.3f}", *values, f"{row.seconds:.3f}"])
    _print_ranking(ranking, checks, len(examinations))
    picture = rendered(draw_ranking(ranking, pictures=len(examinations)))
    write_and_log_image(path.with_suffix(".png"), [writer], "explanations/ranking", picture)
    cells = "\n".join(
        f"|{row.method}|{row.mean_rank:.2f}|" + "|".join(f"{row.means[check]:.3g}" for check in checks) + "|"
        for row in ranking
    )
    titles = "|".join(["method", "mean rank", *checks])
    writer.add_text("explanations/ranking", f"|{titles}|\n|{'---|' * (len(checks) + 2)}\n{cells}")
    print(f"ranking:    {shown(path)}, {path.with_suffix('.png').name}")


def _print_ranking(ranking: list[MethodFigures], checks: list[str], pictures: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from deepdream.explaining import CHECK_LABELS

    table = Table(title=f"methods over {pictures} pictures, the best first", title_justify="left")
    table.add_column("method")
    for title in ("mean rank ↓", *(" ".join(CHECK_LABELS[check]) for check in checks), "seconds"):
        table.add_column(title, justify="right")
    for row in ranking:
        values = (f"{row.means[check]:.3g} ± {row.errors[check]:.1g}" for check in checks)
        table.add_row(row.method, f"{row.mean_rank:.2f}", *values, f"{row.seconds:.2f}")
    Console(width=None if Console().is_terminal else 140).print(table)

"""python evaluate.py: how good a network is, and where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream.apps.checkpoints import LAST, chosen_network, run_folder
from deepdream.apps.command import command
from deepdream.console import relative as shown
from deepdream.evaluating.config import EvaluateConfig
from deepdream.scenes.config import DataConfig
from deepdream.schema import as_data, preset

if TYPE_CHECKING:
    from deepdream.evaluating import Evaluation
    from deepdream.models import Network
    from deepdream.scenes import SceneDataModule


@command("evaluate", EvaluateConfig)
def main(config: EvaluateConfig, folder: Path) -> None:
    """Evaluate checkpoints on the test pictures of the data they were trained on; compare several."""
    names = config.checkpoints
    folders = [folder] if len(names) == 1 else [folder / f"{i + 1}" for i in range(len(names))]
    evaluations = []
    for name, place in zip(names, folders, strict=True):
        network = chosen_network(name or LAST)
        data = data_of(network, root=config.root, batch_size=config.batch_size, workers=config.workers)
        evaluation = evaluate_network(
            network,
            data,
            place,
            device=config.device,
            precision=config.precision,
            tta=config.tta,
            seed=config.seed,
        )
        evaluations.append(evaluation)
    if len(evaluations) > 1:
        _compare(evaluations, folder)
    print(f"look:       tensorboard --logdir {shown(folder)}")


def data_of(network: Network, **overrides: Any) -> SceneDataModule:
    """The data that a checkpoint was trained on, split as it was then; `overrides` that are None do not count.

    Raises ValueError for a network that does not say (torchvision's), or data with other classes.
    """
    from deepdream.scenes import SceneDataModule

    kept = (network.hyper_parameters or {}).get("data")
    if not isinstance(kept, dict) or not {"seed", "fingerprint"} <= kept.keys():
        raise ValueError(
            f"{network.source} does not say which data it was trained on; evaluate a checkpoint of train.py"
        )
    record = dict(as_data(kept, network.source))
    seed, fingerprint = record.pop("seed"), record.pop("fingerprint")
    given = {key: value for key, value in overrides.items() if value is not None}
    if not {"root"} & {*record, *given}:
        raise ValueError(f"{network.source} does not say where its data are; name their folder with root=PATH")
    # A checkpoint that is older than a key of the config takes the key's value from the YAML. And the pictures that it
    # was trained on are there or they are not: nothing is fetched into the folder of that time.
    config = preset(DataConfig, "data", "mit_indoor", {**record, "download": False, "url": None, **given})
    data = SceneDataModule.from_config(config, seed=seed)
    data.prepare_data()
    if len(data.classes) != len(network.classes) or (network.has_class_names and data.classes != network.classes):
        raise ValueError(
            f"{data.root} has {len(data.classes)} classes that are not the {len(network.classes)} of {network.source}"
        )
    if data.fingerprint != fingerprint:
        print(f"note: the lists in {data.root} are not those of the training; a test picture may have been trained on")
    return data


def evaluate_network(
    network: Network,
    data: SceneDataModule,
    folder: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    tta: str = "none",
    seed: int = 0,
) -> Evaluation:
    """Evaluate on the test pictures: figures/, report.html and TensorBoard in `folder`, a table on the console."""
    from rich.console import Console
    from rich.progress import Progress
    from torch.utils.tensorboard import SummaryWriter

    from deepdream.evaluating import predict, write_evaluation, write_page
    from deepdream.hardware import best_device, best_dtype

    on = best_device(device)
    loader = data.whole_loader("test", tta=tta)
    with Progress(transient=True, disable=not Console().is_terminal) as progress:
        task = progress.add_task("evaluating", total=len(data.split("test")))
        predictions = predict(
            network,
            loader,
            device=on,
            dtype=best_dtype(precision, on),
            on_batch=lambda done: progress.update(task, completed=done),
        )
    metrics_csv = run_folder(network.source) / "metrics.csv"
    with SummaryWriter(folder / "tensorboard") as writer:
        evaluation = write_evaluation(
            predictions,
            folder / "figures",
            writer=writer,
            name=_name(network, data),
            metrics_csv=metrics_csv if metrics_csv.is_file() else None,
            paths=data.split("test").paths,
            seed=seed,
        )
    report = write_page(folder / "report.html", [evaluation])
    _print_table(evaluation)
    print(f"report:     {shown(report)}")
    return evaluation


def _name(network: Network, data: SceneDataModule) -> str:
    """The data set and the run: what tells several checkpoints apart."""
    path = Path(network.source)
    name = f"{run_folder(path).name}/{path.stem}" if path.is_file() else network.source
    return f"{data.root.name}, {name}"


def _compare(evaluations: list[Evaluation], folder: Path) -> None:
    """The figures side by side and the paired tests: on the console, as CSV, and as a report of all of them."""
    import csv

    from rich.console import Console
    from rich.table import Table

    from deepdream.evaluating import FIGURES, TEST_HEADER, paired_rows, paired_tests, with_interval, write_page

    tests = paired_tests([each.predictions for each in evaluations])
    figures = [[each.name, *(with_interval(each, key) for _, key in FIGURES)] for each in evaluations]
    tables = {
        "comparison": (["network", *(name for name, _ in FIGURES)], figures),
        "paired_tests": (list(TEST_HEADER), paired_rows(evaluations, tests)),
    }
    for name, (header, rows) in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        table = Table(title=name.replace("_", " "), title_justify="left")
        for column in header:
            table.add_column(column, overflow="fold")  # names of runs have no spaces to break at
        for row in rows:
            table.add_row(*row)
        Console(width=None if Console().is_terminal else 120).print(table)
    print(f"report:     {shown(write_page(folder / 'report.html', evaluations, tests))}")


def _print_table(evaluation: Evaluation) -> None:
    from rich.console import Console
    from rich.table import Table

    from deepdream.evaluating import FIGURES

    figures = evaluation.figures
    title = f"{evaluation.name}: {figures['pictures']} test pictures, {figures['classes']} classes"
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("95% interval", justify="right")
    for name, key in FIGURES:
        low, high = figures["intervals"][key]
        table.add_row(name, f"{100 * figures[key]:.1f}%", f"{100 * low:.1f} to {100 * high:.1f}%")
    table.add_row("expected calibration error", f"{100 * figures['expected_calibration_error']:.1f}%", "")
    table.add_row("cross-entropy", f"{figures['loss']:.3f}", "")
    Console().print(table)
    for note in evaluation.notes:
        print(f"note: {note}")
    print(f"figures:    {shown(evaluation.folder)}")

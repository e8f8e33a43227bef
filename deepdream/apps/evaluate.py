"""python evaluate.py: how good a network is, and where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream.apps.checkpoints import chosen_checkpoint, run_folder
from deepdream.apps.command import command, shown
from deepdream.config import DataConfig, EvaluateConfig, read_choice, typed

if TYPE_CHECKING:
    from deepdream.evaluating import Evaluation
    from deepdream.models import Network
    from deepdream.scenes import SceneDataModule


@command("evaluate", EvaluateConfig)
def main(config: EvaluateConfig, folder: Path) -> None:
    """Evaluate a checkpoint on the test pictures of the data it was trained on."""
    from deepdream.models import load_network

    network = load_network(chosen_checkpoint(config.ckpt))
    data = data_of(network, root=config.root, batch_size=config.batch_size, workers=config.workers)
    evaluate_network(network, data, folder, device=config.device, precision=config.precision)
    print(f"look:       tensorboard --logdir {shown(folder)}")


def data_of(network: Network, **overrides: Any) -> SceneDataModule:
    """The data that a checkpoint was trained on, split as it was then; `overrides` that are None do not count.

    Raises ValueError for a network that does not say (torchvision's), or data with other classes.
    """
    from deepdream.scenes import SceneDataModule

    record = dict((network.hyper_parameters or {}).get("data") or {})
    if not record:
        raise ValueError(
            f"{network.source} does not say which data it was trained on; evaluate a checkpoint of train.py"
        )
    seed, fingerprint = record.pop("seed"), record.pop("fingerprint")
    given = {key: value for key, value in overrides.items() if value is not None}
    # A checkpoint that is older than a key of the config takes the key's value from the YAML. And the pictures that it
    # was trained on are there or they are not: nothing is fetched into the folder of that time.
    config = typed(DataConfig, read_choice("data", "mit_indoor"), {**record, "download": False, "url": None}, given)
    data = SceneDataModule.from_config(config, seed=seed)
    data.prepare_data()
    if data.classes != network.classes:
        raise ValueError(
            f"{data.root} has {len(data.classes)} classes that are not the {len(network.classes)} of {network.source}"
        )
    if data.fingerprint != fingerprint:
        print(f"note: the lists in {data.root} are not those of the training; a test picture may have been trained on")
    return data


def evaluate_network(
    network: Network, data: SceneDataModule, folder: Path, *, device: str = "auto", precision: str = "auto"
) -> Evaluation:
    """Evaluate on the test pictures; figures/ and TensorBoard go into `folder`, a table onto the console."""
    from rich.console import Console
    from rich.progress import Progress
    from torch.utils.tensorboard import SummaryWriter

    from deepdream.evaluating import predict, write_evaluation
    from deepdream.hardware import best_device, best_dtype

    on = best_device(device)
    loader = data.whole_loader("test")
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
            name=f"{data.root.name}, {Path(network.source).name}",
            metrics_csv=metrics_csv if metrics_csv.is_file() else None,
        )
    _print_table(evaluation)
    return evaluation


def _print_table(evaluation: Evaluation) -> None:
    from rich.console import Console
    from rich.table import Table

    figures = evaluation.figures
    table = Table(title=f"{figures['pictures']} test pictures, {figures['classes']} classes", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, key in (
        ("accuracy", "accuracy"),
        ("mean accuracy of the classes", "mean_class_accuracy"),
        ("right class among the first five", "top5_accuracy"),
    ):
        table.add_row(name, f"{100 * figures[key]:.1f}%")
    table.add_row("cross-entropy", f"{figures['loss']:.3f}")
    Console().print(table)
    print(f"figures:    {shown(evaluation.files[0].parent)}")

"""python evaluate.py: the metrics of a network on its test images, and its mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from deepdream import evaluating, models, scenes
from deepdream.apps.checkpoints import LAST, chosen_network, run_folder
from deepdream.apps.command import command
from deepdream.apps.distributed import Rank, share_of_folder, start_of
from deepdream.apps.own_data import OwnTestImages, recorded_test_images
from deepdream.apps.renamed import translate
from deepdream.apps.run_folder import RunFolders
from deepdream.apps.run_loggers import Loggers, open_loggers, places_to_look, recorded
from deepdream.apps.shared_predictions import print_kept, shared_predictions
from deepdream.claims import OneFile
from deepdream.console import invocation, print_table, progress_bar, relative
from deepdream.evaluating.config import EvaluateConfig, EvaluationOptions
from deepdream.hardware import best_device, best_dtype
from deepdream.scenes.config import DataConfig
from deepdream.shared_arrays import SharedArrays
from deepdream.training.config import TARGET

REPORT = "report.html"


class _Test(NamedTuple):
    """A network, its test images, and its predictions where several processes share them."""

    network: models.Network
    data: scenes.SceneDataModule | OwnTestImages
    shared: SharedArrays | None = None


@command("evaluate")
def main(config: EvaluateConfig, folder: Path) -> None:
    """Evaluate checkpoints on the test images of their data; compare several."""
    rank = share_of_folder(None if RunFolders.made else str(folder), key="hydra.run.dir", device=config.device)
    if config.root and not Path(config.root).exists():
        raise ValueError(f"root is {config.root}, which does not exist; name the folder of the data set")
    report = OneFile(folder / REPORT)
    loggers = open_loggers(config.logger, config.tags)
    names = config.checkpoints
    folders = [folder] if len(names) == 1 else [folder / f"{i + 1}" for i in range(len(names))]
    tests = (_Test(network, _data(network, config)) for network in (chosen_network(n or LAST, config) for n in names))
    if RunFolders.made:
        _write(tests, folders, folder, config, loggers)
        return
    shared = [_shared(test, each, config, rank) for test, each in zip(tests, folders, strict=True)]
    if not report.write(lambda: _write(shared, folders, folder, config, loggers)):
        print(f"report:     {relative(folder / REPORT)}")


def _write(
    tests: Iterable[_Test], folders: Sequence[Path], folder: Path, config: EvaluateConfig, loggers: Loggers
) -> None:
    tags = ["evaluation"] if len(folders) == 1 else [f"evaluation_{i + 1}" for i in range(len(folders))]
    with recorded(loggers, asdict(config), folder) as open_ones:
        evaluations = [
            evaluate_network(network, data, own, config, loggers=open_ones, tag=tag, shared=shared)
            for (network, data, shared), own, tag in zip(tests, folders, tags, strict=True)
        ]
        if len(evaluations) > 1:
            _compare(evaluations, folder)
        for line in places_to_look(loggers, folder):
            print(line)


def _shared(test: _Test, folder: Path, config: EvaluateConfig, rank: Rank | None) -> _Test:
    """Compute this process's share of the predictions, and wait for the others'."""
    network, data, _ = test
    if isinstance(data, OwnTestImages):
        if rank is not None:
            raise ValueError(f"{data.root} is your own data module, whose images one process reads; start it alone")
        return test
    photos = [str(path) for path in data.split("test").paths]
    settings = (config.tta, config.precision, data.fingerprint)
    shared = shared_predictions(folder, network, photos, settings, batch_size=data.batch_size)
    print_kept(shared)
    with progress_bar("evaluating", total=len(photos)) as update:
        shared.compute(
            lambda part, on_batch: _predict(network, data, config, on_batch, part).arrays(),
            start=start_of(rank),
            on_done=update,
        )
    return _Test(network, data, shared)


def _predict(
    network: models.Network,
    data: scenes.SceneDataModule | OwnTestImages,
    options: EvaluationOptions,
    on_batch: Callable[[int], object],
    part: range | None = None,
) -> evaluating.Predictions:
    """The predictions for the test images, or for a part of them."""
    device = best_device(options.device)
    loader = data.whole_loader("test", tta=options.tta, part=part)
    dtype = best_dtype(options.precision, device)
    return evaluating.predict(network, loader, device=device, dtype=dtype, on_batch=on_batch)


def _data(network: models.Network, config: EvaluateConfig) -> scenes.SceneDataModule | OwnTestImages:
    record = (network.hyper_parameters or {}).get("data")
    if isinstance(record, dict) and TARGET in record:
        return recorded_test_images(record, config.ckpt_data, network.source)
    return data_of(network, root=config.root, batch_size=config.batch_size, workers=config.workers)


def data_of(network: models.Network, **overrides: Any) -> scenes.SceneDataModule:
    """The data that a checkpoint was trained on, with the same split; `overrides` that are None do not count.

    Raises ValueError if the network has no record of its data, as torchvision's, or if the classes differ.
    """
    record = (network.hyper_parameters or {}).get("data")
    if not isinstance(record, dict) or not {"seed", "fingerprint"} <= record.keys():
        raise ValueError(
            f"{network.source} has no record of its training data; evaluate a checkpoint of `{invocation('train')}`"
        )
    known = [field.name for field in fields(DataConfig)]
    values = translate({"data": record})["data"]
    seed, fingerprint = values.pop("seed"), values.pop("fingerprint")
    values.pop("spectrum", None)  # read by `Network.spectrum`
    if unknown := [str(key) for key in values if key not in known]:
        raise ValueError(f"{network.source} has a record of its data with unknown keys: {', '.join(unknown)}")
    values |= {key: value for key, value in overrides.items() if value is not None}
    if "root" not in values:
        raise ValueError(f"{network.source} has no record of the folder of its data; name it with root=PATH")
    values["against"] = [source for source in values.get("against", []) if Path(source).exists()]
    # Keys that are younger than the checkpoint have the values of the YAML, those of the rooms too. Nothing is
    # downloaded into a folder that only the checkpoint names.
    if isinstance(values.get("rooms"), dict):
        values["rooms"] = {**asdict(DataConfig.preset("rooms"))["rooms"], **values["rooms"]}
    config = DataConfig.preset(**{**values, "download": False, "url": None})
    data = scenes.SceneDataModule(config, seed=seed)
    data.prepare_data()
    _require_same_classes(network, data)
    if data.fingerprint != fingerprint:
        print(f"note: the lists in {data.root} differ from those of the training; it may have had some of these images")
    return data


def _require_same_classes(network: models.Network, data: scenes.SceneDataModule) -> None:
    if len(data.classes) != len(network.classes):
        raise ValueError(f"{data.root} has {len(data.classes)} classes, {network.source} has {len(network.classes)}")
    if network.has_class_names and data.classes != network.classes:
        here, there = next(pair for pair in zip(data.classes, network.classes, strict=True) if pair[0] != pair[1])
        raise ValueError(f"{data.root} has other classes than {network.source}: {here} in place of {there}")


def evaluate_network(
    network: models.Network,
    data: scenes.SceneDataModule | OwnTestImages,
    folder: Path,
    options: EvaluationOptions | None = None,
    *,
    loggers: Sequence[Any] = (),
    tag: str = "evaluation",
    microscope: str | None = None,
    shared: SharedArrays | None = None,
) -> evaluating.Evaluation:
    """Evaluate on the test images: figures/ and report.html in `folder`, a table on the console.

    loggers: take the plots and metrics, as <tag>/confusion and so on. microscope: the report links to this page, by its
    path from `folder`. shared: the predictions, where several processes have computed them.
    """
    options = options or EvaluationOptions()
    test = data.split("test")
    if shared is None:
        with progress_bar("evaluating", total=len(test)) as update:
            predictions = _predict(network, data, options, update)
    else:
        predictions = evaluating.Predictions.joined(shared.read(), network.classes)
    metrics_csv = run_folder(network.source) / "metrics.csv"
    evaluation = evaluating.write_evaluation(
        replace(predictions, paths=test.paths),
        folder / "figures",
        name=_name(network, data),
        loggers=loggers,
        tag=tag,
        metrics_csv=metrics_csv if metrics_csv.is_file() else None,
        seed=options.seed,
    )
    report = evaluating.write_report(folder / REPORT, [evaluation], microscope=microscope)
    _print_metrics(evaluation)
    print(f"report:     {relative(report)}")
    return evaluation


def _name(network: models.Network, data: scenes.SceneDataModule | OwnTestImages) -> str:
    """The data set and the run: together they tell checkpoints apart."""
    path = Path(network.source)
    name = f"{run_folder(path).name}/{path.stem}" if path.is_file() else network.source
    return f"{data.root.name}, {name}"


def _compare(evaluations: list[evaluating.Evaluation], folder: Path) -> None:
    """The metrics of all networks and the paired tests: on the console, as CSV, and as a report."""
    tests = evaluating.paired_tests([each.predictions for each in evaluations])
    tables = {
        "comparison": evaluating.metrics_table(evaluations),
        "paired_tests": evaluating.paired_tests_table(evaluations, tests),
    }
    for name, (header, *rows) in tables.items():
        evaluating.write_csv(folder / f"{name}.csv", header, rows)
        table = Table(title=name.replace("_", " "), title_justify="left")
        for column in header:
            table.add_column(column, overflow="fold")  # names of runs have no spaces to break at
        for row in rows:
            table.add_row(*row)
        print_table(table)
    report = evaluating.write_report(folder / REPORT, evaluations, tests)
    print(f"report:     {relative(report)}")


def _print_metrics(evaluation: evaluating.Evaluation) -> None:
    metrics = evaluation.metrics
    title = f"{evaluation.name}: {metrics['images']} test images, {metrics['classes']} classes"
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for key, name in evaluating.METRICS.items():
        table.add_row(name, evaluating.percent(metrics[key]), f"{evaluating.interval(evaluation, key)}%")
    table.add_row("expected calibration error", evaluating.percent(metrics["expected_calibration_error"]), "")
    table.add_row("cross-entropy", f"{metrics['loss']:.3f}", "")
    print_table(table)
    for note in evaluation.notes:
        print(f"note: {note}")
    print(f"figures:    {relative(evaluation.folder)}")


if __name__ == "__main__":
    main()

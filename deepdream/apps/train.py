"""python train.py: train a network, choose its best checkpoint, evaluate it.

Torch and Lightning are imported inside the functions that need them, and the package faces are lazy: help and a
misspelled key are answered before any of them is loaded.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate

from deepdream import callbacks, models, scenes, training
from deepdream.apps.command import command
from deepdream.apps.distributed import in_one_folder, require_all, tell_folder
from deepdream.apps.evaluate import evaluate_network
from deepdream.apps.own_data import OwnTestImages, has_test_images, own_data
from deepdream.apps.resume import resumed
from deepdream.apps.run_folder import alone_in
from deepdream.console import invocation, relative
from deepdream.models.config import ForeignModelConfig
from deepdream.scenes.config import DataConfig
from deepdream.training.config import TARGET, TrainConfig

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from pytorch_lightning.loggers import Logger

    from deepdream.scenes import SceneDataModule
    from deepdream.training import SceneClassifier

NORM_NEEDS_MORE = "Expected more than 1 value per channel"  # torch's error for batch norm of a single value


def best_accuracy(folder: Path) -> float:
    """The best validation accuracy of the run in `folder`: the objective of a sweep."""
    from deepdream.evaluating.sweeps import best_row

    return best_row(folder / "metrics.csv").get("val/accuracy", float("nan"))


def arguments_of_run(arguments: list[str]) -> list[str]:
    """The arguments of this process, which may be one of several, of a new or a resumed run."""
    return resumed(in_one_folder([_own_loss(argument) for argument in arguments]))


def _own_loss(argument: str) -> str:
    """`loss._target_=...` as Hydra takes it: `loss` is a name by default, below which only a plus adds keys."""
    return f"+{argument}" if argument.startswith("loss.") else argument


@command("train", arguments=arguments_of_run, objective=best_accuracy)
def main(config: TrainConfig, folder: Path) -> None:
    """Train, choose the best checkpoint on the validation images, evaluate it on the test images."""
    tell_folder(folder)
    import pytorch_lightning as pl

    training.quiet_lightning()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    last = _last_checkpoint(config, folder)
    loggers = _build_loggers(config, last)
    own_callbacks = list(instantiate(config.callbacks).values())
    shards_loaders = not isinstance(config.data, DataConfig)
    trainer = training.build_trainer(config.trainer, folder, own_callbacks, loggers, shards_loaders=shards_loaders)
    require_all(trainer.world_size)
    data, record = _build_data(config)
    classifier = training.SceneClassifier(config, data.classes, data_record=record)
    source = config.model.pretrained
    about = {"record": config.model.record, "mean": config.data.mean, "std": config.data.std}
    started = models.start_from(classifier.model, source, data.classes, **about) if source else None
    if config.trainer.compile:
        classifier.model.compile()  # in place: the names of the weights stay
    if trainer.is_global_zero:
        images = f"{len(data.split('train'))} images" if isinstance(config.data, DataConfig) else config.data.target
        print(f"training on {images} of {len(data.classes)} classes, in {relative(folder)}")
        for note in filter(None, (started, classifier.frozen)):
            print(note)
        if last:
            print(f"resuming after the last complete epoch, from {relative(last)}")
    with alone_in(folder) if trainer.is_global_zero else nullcontext():
        _fit(trainer, classifier, data, last)
        if trainer.is_global_zero:
            _finish(config, folder, trainer, data)


def _build_data(config: TrainConfig) -> tuple[Any, dict[str, Any]]:
    """The data module, prepared, and what a checkpoint keeps of it. `config.data` then describes its images."""
    if isinstance(config.data, DataConfig):
        data = scenes.SceneDataModule(config.data, config.augment, seed=config.seed)
        data.prepare_data()
        return data, data_record(config.data, data, config.seed)
    own, config.data = own_data(config.data)
    return own, config.data.record


def data_record(config: DataConfig, data: SceneDataModule, seed: int) -> dict[str, Any]:
    """What a checkpoint keeps of its data: how to find it and split it again, and a fingerprint of the splits."""
    paths: dict[str, Any] = {"root": str(data.root.resolve()), "cache_dir": str(Path(config.cache_dir).resolve())}
    paths["against"] = [str(Path(source).resolve()) for source in config.against]
    return {**asdict(config), **paths, "seed": seed, "fingerprint": data.fingerprint}


def _last_checkpoint(config: TrainConfig, folder: Path) -> Path | None:
    """The checkpoint that a resumed run continues from; None where there is none yet, and for a new run."""
    last = folder / "checkpoints" / "last.ckpt"
    return last if config.resume is not None and last.is_file() else None


def _build_loggers(config: TrainConfig, last: Path | None) -> list[Logger]:
    """The loggers of conf/logger. In a resumed run, TensorBoard drops what was logged after the checkpoint `last`."""
    purge = {}
    if last is not None:
        import torch

        purge = {"purge_step": torch.load(last, weights_only=True, mmap=True)["global_step"]}
    return [
        instantiate(entry, **(purge if str(entry.get("_target_")).endswith("TensorBoardLogger") else {}))
        for entry in config.logger.values()
    ]


def _fit(trainer: pl.Trainer, classifier: SceneClassifier, data: SceneDataModule, last: Path | None) -> None:
    """Train. Raises one-line errors for what a user can change, and with the command that resumes the run."""
    try:
        trainer.fit(classifier, data, ckpt_path=last, weights_only=True)
        trainer.strategy.barrier()
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning turns Ctrl-C into an exit with status 1
            raise KeyboardInterrupt(callbacks.how_to_resume(trainer)) from None
        raise
    except ValueError as error:
        if NORM_NEEDS_MORE not in str(error):
            raise
        size = getattr(data, "batch_size", "small")
        raise ValueError(
            f"data.batch_size is {size}, and the network reduces an image to a single position: batch norm "
            "needs more than one value per channel; use a larger data.batch_size or data.image_size"
        ) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise ChildProcessError(
            "a data-loading process was ended, as the system does with one that takes too much memory (fewer "
            f"data.workers take less); {callbacks.how_to_resume(trainer)}"
        ) from error


def _finish(config: TrainConfig, folder: Path, trainer: pl.Trainer, data: SceneDataModule) -> None:
    """Evaluate the best checkpoint, log its metrics with the hyper-parameters, and print what to look at next."""
    checkpoint = _best_checkpoint(folder, trainer)
    metrics = {}
    if (best_score := getattr(trainer.checkpoint_callback, "best_model_score", None)) is not None:
        metrics["hp/val_accuracy"] = float(best_score)
    images = _test_images(config, data)
    if config.evaluate and checkpoint is not None and images is not None:
        network = models.load_network(checkpoint, model=config.model.record.get(TARGET))
        evaluation = evaluate_network(network, images, folder)
        metrics["hp/test_accuracy"] = evaluation.metrics["accuracy"]
    _log_hyper_parameters(config, trainer, metrics)
    if checkpoint is not None:
        print(f"checkpoint: {relative(checkpoint)}")
        print(f"dream:      {invocation('dream')} ckpt={relative(checkpoint)} {_more_to_dream(config)}")
    else:
        print(f"no checkpoint was saved, so there is nothing to evaluate; the run is in {relative(folder)}")
    for line in _places_to_look(config, folder, trainer):
        print(line)


def _test_images(config: TrainConfig, data: Any) -> SceneDataModule | OwnTestImages | None:
    """What the best checkpoint is evaluated on; None for a data module of the user's own without test images."""
    if isinstance(config.data, DataConfig):
        return data  # type: ignore[no-any-return]
    return OwnTestImages(data, config.data.target) if has_test_images(data) else None


def _more_to_dream(config: TrainConfig) -> str:
    """The other arguments of a first dream of the network: of a foreign one, to list its layers."""
    if not isinstance(config.model, ForeignModelConfig):
        return "dream.layers=[layer3]"
    own = config.model.record.get(TARGET)
    return f"ckpt_model={own} mode=layers" if own else "mode=layers"


def _best_checkpoint(folder: Path, trainer: pl.Trainer) -> Path | None:
    """best.ckpt; without validation the last checkpoint; None where none was saved (trainer.fast_dev_run)."""
    best = folder / "checkpoints" / "best.ckpt"
    last = best.with_name("last.ckpt")
    if not best.is_file() and last.is_file():
        print("there was no validation to choose the best epoch: using the last one")
    other = Path(getattr(trainer.checkpoint_callback, "best_model_path", "") or best)  # of the user's own callback
    return next((path for path in (best, last, other) if path.is_file()), None)


def _log_hyper_parameters(config: TrainConfig, trainer: pl.Trainer, metrics: dict[str, float]) -> None:
    """Log the configured hyper-parameters with the final metrics, to every logger: TensorBoard's HPARAMS tab."""
    from pytorch_lightning.loggers import TensorBoardLogger

    chosen = {
        **{
            f"model.{key}": value if isinstance(value, int | float) else str(value)
            for key, value in config.model.record.items()
        },
        "image_size": config.data.image_size,
        "batch_size": config.data.batch_size * trainer.world_size,
        "optimizer": config.optimizer["_target_"].rpartition(".")[2],
        "lr": config.optimizer.get("lr", float("nan")),
        "scaled_lr": training.learning_rate(config, world_size=trainer.world_size) or float("nan"),
        "weight_decay": config.optimizer.get("weight_decay", 0.0),
        "loss": config.loss_name,
        "label_smoothing": config.label_smoothing,
        "epochs": config.trainer.max_epochs,
        "seed": config.seed,
    }
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(chosen, metrics)
            logger.save()
            logger.experiment.close()  # Lightning had closed it, and logging has opened it again
        else:
            logger.log_hyperparams(chosen)
            logger.log_metrics(metrics, step=trainer.global_step)
            logger.save()


def _places_to_look(config: TrainConfig, folder: Path, trainer: pl.Trainer) -> list[str]:
    """Lines that name the metrics of each logger, and the profiler's report."""
    from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

    lines = []
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            lines.append(f"look:       tensorboard --logdir {relative(folder)}")
        elif isinstance(logger, CSVLogger):
            lines.append(f"metrics:    {relative(Path(logger.log_dir) / logger.experiment.NAME_METRICS_FILE)}")
    if config.trainer.profiler is not None:
        lines += [f"profile:    {relative(path)}" for path in sorted(folder.glob("fit-profile*.txt"))]
    return lines


if __name__ == "__main__":
    main()

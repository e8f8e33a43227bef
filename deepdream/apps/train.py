"""python train.py: photos become a network.

In this folder torch, Lightning and what needs them are imported inside the functions: help and a misspelt key are
answered before any of it is loaded.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream.apps.command import command
from deepdream.apps.distributed import in_one_folder, require_all, tell_folder
from deepdream.apps.resume import resumed
from deepdream.apps.run_folder import alone_in
from deepdream.console import relative as shown
from deepdream.scenes.config import DataConfig
from deepdream.training.config import TrainConfig

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from deepdream.scenes import SceneDataModule
    from deepdream.training import SceneClassifier


def best_accuracy(folder: Path) -> float:
    """The best accuracy on held-out pictures of the run in `folder`: what a sweep looks for."""
    from deepdream.evaluating.sweeps import best_row

    return best_row(folder / "metrics.csv").get("val/accuracy", float("nan"))


def begun(arguments: list[str]) -> list[str]:
    """The arguments of this process, one of several maybe, of a run that is new or goes on."""
    return resumed(in_one_folder(arguments))


@command("train", TrainConfig, arguments=begun, objective=best_accuracy)
def main(config: TrainConfig, folder: Path) -> None:
    """Train, choose the best checkpoint on held-out pictures, evaluate it on the test pictures."""
    tell_folder(folder)
    import pytorch_lightning as pl
    from hydra.utils import instantiate

    from deepdream.callbacks.checkpoints import MovedCheckpoints, RoomForCheckpoints
    from deepdream.callbacks.ema import WeightAverage
    from deepdream.callbacks.finite_loss import FiniteLoss
    from deepdream.callbacks.seeding import SeededSteps
    from deepdream.callbacks.signals import StopOnSignal
    from deepdream.models import start_from
    from deepdream.scenes import SceneDataModule
    from deepdream.training import SceneClassifier, build_trainer, quiet_lightning, scaled_lr

    quiet_lightning()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    last = _last_checkpoint(config, folder)
    callbacks = [
        SeededSteps(config.seed),
        FiniteLoss(look_every=config.trainer.log_every_n_steps),
        StopOnSignal(),
        RoomForCheckpoints(folder / "checkpoints"),
        MovedCheckpoints(),
    ]
    callbacks += instantiate(config.callbacks).values()
    if config.average.half_life_epochs is not None:
        callbacks.append(WeightAverage(config.average.half_life_epochs))
    loggers = list(instantiate(config.logger).values())
    trainer = build_trainer(config.trainer, folder, callbacks, loggers)
    require_all(trainer.world_size)
    if config.scale_lr:
        pictures = config.data.batch_size * config.trainer.accumulate_grad_batches * trainer.world_size
        config.optimizer["lr"] = scaled_lr(config.optimizer["lr"], pictures)

    data = SceneDataModule(config.data, config.augment, seed=config.seed)
    data.prepare_data()
    architecture = asdict(config.model)
    pretrained = architecture.pop("pretrained")
    classifier = SceneClassifier(
        architecture,
        data.classes,
        mean=config.data.mean,
        std=config.data.std,
        image_size=config.data.image_size,
        optimizer=instantiate(config.optimizer, _partial_=True),
        schedule=instantiate(config.schedule, _partial_=True),
        decay_norm_and_bias=config.decay_norm_and_bias,
        loss=config.loss,
        label_smoothing=config.label_smoothing,
        sam_rho=config.sam_rho,
        adversary=config.adversary,
        progressive_start=config.progressive.start,
        progressive_until=config.progressive.until,
        data=data_record(config.data, data, config.seed),
        pretrained=pretrained,
    )
    start = start_from(classifier.model, pretrained, data.classes) if pretrained else None
    if config.trainer.compile:
        classifier.model.compile()  # in place: names of weights stay
    if trainer.is_global_zero:
        print(f"training on {len(data.split('train'))} pictures of {len(data.classes)} classes, in {shown(folder)}")
        if start:
            print(start)
        if last:
            print(f"going on after the last whole epoch, from {shown(last)}")
    with alone_in(folder) if trainer.is_global_zero else nullcontext():
        _fit(trainer, classifier, data, last)
        if trainer.is_global_zero:
            _finish(config, folder, trainer, data)


def _fit(trainer: pl.Trainer, classifier: SceneClassifier, data: SceneDataModule, last: Path | None) -> None:
    """Train; what ends it early is said with the way to go on."""
    from deepdream.callbacks.signals import how_to_go_on

    try:
        trainer.fit(classifier, data, ckpt_path=last, weights_only=True)
        trainer.strategy.barrier()
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning turns Ctrl-C into an exit with status 1
            raise KeyboardInterrupt(how_to_go_on(trainer)) from None
        raise
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise ChildProcessError(
            "a process that loads pictures has ended, as the system ends one that takes too much memory (fewer "
            f"data.workers take less); {how_to_go_on(trainer)}"
        ) from error


def _last_checkpoint(config: TrainConfig, folder: Path) -> Path | None:
    """Where a resumed run goes on, None for its start; TensorBoard is told to drop what came later.

    Raises ValueError where its weights in training stand beside an average that the configuration does without.
    """
    import torch

    from deepdream.callbacks.ema import RAW

    last = folder / "checkpoints" / "last.ckpt"
    if config.resume is None or not last.is_file():
        return None
    checkpoint = torch.load(last, weights_only=True, mmap=True)
    if RAW in checkpoint and config.average.half_life_epochs is None:
        raise ValueError(
            f"average.half_life_epochs is null, and {shown(folder)} was trained with averaged weights; give it the "
            "half-life that it had, or begin a new run with model.pretrained=" + shown(folder / "checkpoints/best.ckpt")
        )
    for logger in config.logger.values():
        if str(logger.get("_target_")).endswith("TensorBoardLogger"):
            logger["purge_step"] = checkpoint["global_step"]
    return last


def data_record(config: DataConfig, data: SceneDataModule, seed: int) -> dict[str, Any]:
    """What a checkpoint keeps of its data: how to find it and split it again, and which it was."""
    places = {"root": str(data.root.resolve()), "cache_dir": str(Path(config.cache_dir).resolve())}
    return {**asdict(config), **places, "seed": seed, "fingerprint": data.fingerprint}


def _finish(config: TrainConfig, folder: Path, trainer: pl.Trainer, data: SceneDataModule) -> None:
    """Evaluate the best checkpoint, put its figures beside the hyper-parameters, and say what there is to see."""
    from deepdream.apps.evaluate import evaluate_network
    from deepdream.models import load_network

    best = folder / "checkpoints" / "best.ckpt"
    if not best.exists():
        best = Path(getattr(trainer.checkpoint_callback, "best_model_path", "") or best)
    if not best.exists():
        print(f"no checkpoint was written, so there is nothing to evaluate; the run is in {shown(folder)}")
        return
    figures = {"hp/val_accuracy": _best_score(trainer)}
    if config.evaluate:
        evaluation = evaluate_network(load_network(best), data, folder)
        figures["hp/test_accuracy"] = evaluation.metrics["accuracy"]
    _log_hyper_parameters(config, trainer, figures)
    print(f"checkpoint: {shown(best)}")
    print(f"dream:      python dream.py ckpt={shown(best)} dream.layers=[layer3]")
    print(f"look:       tensorboard --logdir {shown(folder)}")


def _best_score(trainer: pl.Trainer) -> float:
    score = getattr(trainer.checkpoint_callback, "best_model_score", None)
    return float(score) if score is not None else float("nan")


def _log_hyper_parameters(config: TrainConfig, trainer: pl.Trainer, figures: dict[str, float]) -> None:
    """The HPARAMS tab of TensorBoard compares runs by these."""
    from pytorch_lightning.loggers import TensorBoardLogger

    chosen = {
        "depth": config.model.depth,
        "blocks": str(config.model.blocks or "by depth"),
        "image_size": config.data.image_size,
        "batch_size": config.data.batch_size * trainer.world_size,
        "optimizer": config.optimizer["_target_"].rpartition(".")[2],
        "lr": config.optimizer.get("lr", float("nan")),
        "weight_decay": config.optimizer.get("weight_decay", 0.0),
        "loss": config.loss,
        "label_smoothing": config.label_smoothing,
        "epochs": config.trainer.max_epochs,
        "seed": config.seed,
    }
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(chosen, figures)
            logger.save()
            logger.experiment.close()  # Lightning had closed it, and writing has opened it again


if __name__ == "__main__":
    main()

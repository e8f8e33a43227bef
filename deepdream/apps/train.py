"""python train.py: train a network, choose its best checkpoint, evaluate it.

Torch and Lightning are imported inside the functions that need them, and the package faces are lazy: help and a
misspelled key are answered before any of them is loaded.
"""

from __future__ import annotations

import traceback
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate

from deepdream import callbacks, models, scenes, training
from deepdream.apps.checkpoints import check_file
from deepdream.apps.command import command
from deepdream.apps.distributed import in_one_folder, require_all, tell_folder
from deepdream.apps.evaluate import evaluate_network
from deepdream.apps.microscope import PAGE, test_images, write_microscope
from deepdream.apps.own_data import OwnTestImages, has_test_images, own_data
from deepdream.apps.resume import resumed
from deepdream.apps.run_folder import alone_in
from deepdream.apps.run_loggers import Loggers, build_loggers, places_to_look, recorded
from deepdream.console import command_line, relative
from deepdream.loggers import log_hyper_parameters
from deepdream.models.config import ForeignModelConfig
from deepdream.scenes.config import DataConfig
from deepdream.training.config import TARGET, TrainConfig

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from deepdream.scenes import SceneDataModule
    from deepdream.training import SceneClassifier

FEW = 1000  # training images: a network learns little from fewer, from scratch
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
    for weights in filter(None, [config.model.pretrained, *config.distillation.teachers]):
        check_file(weights)
    import pytorch_lightning as pl

    training.quiet_lightning()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    last = _last_checkpoint(config, folder)
    resumed_at = _resumed_step(config, last)
    loggers = build_loggers(config.logger, folder, config.tags, resumed_at=resumed_at)
    trainer = training.build_trainer(
        config.trainer,
        folder,
        list(instantiate(config.callbacks).values()),
        list(loggers.values()),
        shards_loaders=not isinstance(config.data, DataConfig),
    )
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
            print(_how_it_goes_on(config, last))
        elif isinstance(config.data, DataConfig) and (hint := _hint(config, len(data.split("train")))):
            print(hint)
    with ExitStack() as stack:
        if trainer.is_global_zero:
            stack.enter_context(alone_in(folder))
            loggers = {} if config.trainer.fast_dev_run else loggers
            stack.enter_context(recorded(loggers, asdict(config), folder, resumed_at=resumed_at))
        _fit(trainer, classifier, data, last)
        if trainer.is_global_zero:
            _finish(config, folder, trainer, data, loggers)


def _hint(config: TrainConfig, images: int) -> str | None:
    """What to try instead of a training from scratch with the default settings, by the number of training images."""
    if config.model.pretrained:
        return None
    if images < FEW:
        return "few images to learn from scratch; experiment=few_photos begins with a bundled model, in minutes"
    if isinstance(config.model, ForeignModelConfig) or HydraConfig.get().runtime.choices.get("experiment"):
        return None
    return "from scratch the recipe experiment=resnet18 is more accurate; docs/recipes.md has the measurements"


def _how_it_goes_on(config: TrainConfig, last: Path) -> str:
    """What is left of a resumed run."""
    import torch

    trained, epochs = int(torch.load(last, weights_only=True, mmap=True)["epoch"]) + 1, config.trainer.max_epochs
    if trained < epochs:
        return f"resuming after the last complete epoch, from {relative(last)}"
    longer = command_line("train", f"resume={relative(last.parents[1])}", f"trainer.max_epochs={2 * trained}")
    return f"finished: {trained} of {epochs} epochs are trained, and none is left to train; train longer with {longer}"


def _build_data(config: TrainConfig) -> tuple[Any, dict[str, Any]]:
    """The data module, prepared, and what a checkpoint keeps of it. `config.data` then describes its images."""
    if isinstance(config.data, DataConfig):
        data = scenes.SceneDataModule(config.data, config.augment, seed=config.seed)
        data.prepare_data()
        return data, data_record(config.data, data, config.seed)
    own, config.data = own_data(config.data)
    return own, config.data.record


def data_record(config: DataConfig, data: SceneDataModule, seed: int) -> dict[str, Any]:
    """What a checkpoint keeps of its data: how to find and split it again, its fingerprint, and its spectrum."""
    paths: dict[str, Any] = {"root": str(data.root.resolve()), "cache_dir": str(Path(config.cache_dir).resolve())}
    paths["against"] = [str(Path(source).resolve()) for source in config.against]
    spectrum = scenes.measure_spectrum(data.split("train")).as_record()
    measured = {"fingerprint": data.fingerprint, "spectrum": spectrum}
    return {**asdict(config), **paths, "seed": seed, **measured}


def _last_checkpoint(config: TrainConfig, folder: Path) -> Path | None:
    """The checkpoint that a resumed run continues from; None where there is none yet, and for a new run."""
    last = folder / "checkpoints" / "last.ckpt"
    return last if config.resume is not None and last.is_file() else None


def _resumed_step(config: TrainConfig, last: Path | None) -> int | None:
    """The step of the checkpoint that a resumed run continues from, 0 where it has none yet; None for a new run."""
    if config.resume is None:
        return None
    if last is None:
        return 0
    import torch

    return int(torch.load(last, weights_only=True, mmap=True)["global_step"])


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
    except (RuntimeError, OSError, EOFError) as error:
        if "DataLoader worker" not in str(error) and not _came_from_a_loading_process(error):
            raise
        raise ChildProcessError(
            "a data-loading process was ended, as the system does with one that takes too much memory (fewer "
            f"data.workers take less); {callbacks.how_to_resume(trainer)}"
        ) from error


def _came_from_a_loading_process(error: BaseException) -> bool:
    """Whether it was raised while a batch was received: from a process that ended before it had handed it over."""
    return any(
        frame.f_globals.get("__name__") == "torch.multiprocessing.reductions"
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _finish(config: TrainConfig, folder: Path, trainer: pl.Trainer, data: SceneDataModule, loggers: Loggers) -> None:
    """Evaluate the best checkpoint, log its metrics with the hyper-parameters, and print what to look at next."""
    checkpoint = _best_checkpoint(folder, trainer)
    metrics = {}
    if (best_score := getattr(trainer.checkpoint_callback, "best_model_score", None)) is not None:
        metrics["hp/val_accuracy"] = float(best_score)
    images = _test_images(config, data)
    if config.evaluate and checkpoint is not None and images is not None:
        network = models.load_network(checkpoint, model=config.model.record.get(TARGET))
        page = PAGE if config.microscope else None
        evaluation = evaluate_network(network, images, folder, loggers=list(loggers.values()), microscope=page)
        metrics["hp/test_accuracy"] = evaluation.metrics["accuracy"]
    scaled = training.learning_rate(config, world_size=trainer.world_size) or float("nan")
    log_hyper_parameters(loggers.values(), {**asdict(config), "scaled_lr": scaled}, metrics, trainer.global_step)
    if checkpoint is not None:
        print(f"checkpoint: {relative(checkpoint)}")
        print(f"dream:      {command_line('dream', f'ckpt={relative(checkpoint)}', *_more_to_dream(config))}")
    else:
        print(f"no checkpoint was saved, so there is nothing to evaluate; the run is in {relative(folder)}")
    for line in places_to_look(loggers, folder):
        print(line)
    if config.trainer.profiler is not None:
        for path in sorted(folder.glob("fit-profile*.txt")):
            print(f"profile:    {relative(path)}")
    if config.microscope and checkpoint is not None:
        if isinstance(config.data, DataConfig):
            network = models.load_network(checkpoint, model=config.model.record.get(TARGET))
            write_microscope(network, test_images(data), (folder / PAGE).parent)
        else:
            print(f"no microscope: {config.data.target} is your own data module; use microscope.py with images=FOLDER")


def _test_images(config: TrainConfig, data: Any) -> SceneDataModule | OwnTestImages | None:
    """What the best checkpoint is evaluated on; None for a data module of the user's own without test images."""
    if isinstance(config.data, DataConfig):
        return data  # type: ignore[no-any-return]
    return OwnTestImages(data, config.data.target) if has_test_images(data) else None


def _more_to_dream(config: TrainConfig) -> list[str]:
    """The other arguments of a first dream of the network: of a foreign one, to list its layers."""
    if not isinstance(config.model, ForeignModelConfig):
        return ["dream.layers=layer3"]
    own = config.model.record.get(TARGET)
    return [f"ckpt_model={own}", "mode=layers"] if own else ["mode=layers"]


def _best_checkpoint(folder: Path, trainer: pl.Trainer) -> Path | None:
    """best.ckpt; without validation the last checkpoint; None where none was saved (trainer.fast_dev_run)."""
    best = folder / "checkpoints" / "best.ckpt"
    last = best.with_name("last.ckpt")
    if not best.is_file() and last.is_file():
        print("there was no validation to choose the best epoch: using the last one")
    other = Path(getattr(trainer.checkpoint_callback, "best_model_path", "") or best)  # of the user's own callback
    return next((path for path in (best, last, other) if path.is_file()), None)


if __name__ == "__main__":
    main()

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from deepdream.scenes import DataConfig, SceneDataModule
from deepdream.training.schedulers import constant, warmup_cosine
from tests.scenes.layout import write_scenes
from tests.training.configs import classifier_of


def _rates(scheduler: object, steps: int, **options: float) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    plan = scheduler(optimizer, **options)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        plan.step()
    return rates


def _cosine(steps: int, **options: float) -> list[float]:
    return _rates(warmup_cosine, steps, total_steps=steps, steps_per_epoch=10, **options)


def test_warmup_rises_linearly_and_the_cosine_is_that_of_torch() -> None:
    rates = _cosine(100, warmup_epochs=1)
    assert rates[:10] == pytest.approx([0.4 * (i + 1) / 11 for i in range(10)])
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=90)
    expected = []
    for _ in range(90):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert rates[10:] == pytest.approx(expected, abs=1e-7)


def test_warmup_leaves_four_fifths_of_a_short_run() -> None:
    rates = _cosine(10, warmup_epochs=5)
    assert max(rates) == rates[2] == pytest.approx(0.4)


def test_the_end_is_the_final_fraction() -> None:
    assert _cosine(1000, warmup_epochs=0, final_fraction=0.1)[-1] == pytest.approx(0.04, rel=1e-3)


def test_constant_stays() -> None:
    assert set(_rates(constant, 20)) == {0.4}


class _Rates(pl.Callback):
    """The learning rate of each epoch's first step."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SceneDataModule:
    folder = tmp_path_factory.mktemp("scenes")
    root = write_scenes(folder / "scenes", {"bar": (10, 2), "pub": (10, 2)})
    sizes = {"image_size": 32, "resize": 32, "val_per_class": 2, "batch_size": 8, "workers": 0}
    return SceneDataModule(DataConfig.preset(root=str(root), cache_dir=str(folder / "cache"), **sizes))


def _rates_of_a_run(
    folder: Path, data: SceneDataModule, *overrides: str, epochs: int, ckpt: Path | None = None, **options: object
) -> list[float]:
    seen = _Rates()
    trainer = pl.Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[seen, ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=True)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(classifier_of(data, "optimizer.lr=0.4", *overrides), data, ckpt_path=ckpt)
    return seen.rates


@pytest.mark.slow
def test_a_scheduler_of_torch_is_stepped_once_per_epoch_and_continues_after_a_resume(
    tmp_path: Path, data: SceneDataModule
) -> None:
    step = ("scheduler=step", "scheduler.step_size=2", "scheduler.gamma=0.5")
    assert _rates_of_a_run(tmp_path / "a", data, *step, epochs=5) == pytest.approx([0.4, 0.4, 0.2, 0.2, 0.1])
    (middle,) = (tmp_path / "a").glob("*epoch=1*.ckpt")
    resumed = _rates_of_a_run(tmp_path / "b", data, *step, epochs=5, ckpt=middle)
    assert resumed == pytest.approx([0.2, 0.2, 0.1])


@pytest.mark.slow
def test_plateau_lowers_the_rate_after_validations_without_progress(tmp_path: Path, data: SceneDataModule) -> None:
    plateau = ("scheduler=plateau", "scheduler.patience=0", "+scheduler.threshold=10", "scheduler.factor=0.5")
    rates = _rates_of_a_run(tmp_path / "a", data, *plateau, epochs=4)
    assert rates == pytest.approx([0.4, 0.4, 0.2, 0.1])
    (middle,) = (tmp_path / "a").glob("*epoch=1*.ckpt")
    assert _rates_of_a_run(tmp_path / "b", data, *plateau, epochs=4, ckpt=middle) == pytest.approx([0.2, 0.1])
    every_second = _rates_of_a_run(tmp_path / "c", data, *plateau, epochs=6, check_val_every_n_epoch=2)
    assert every_second == pytest.approx([0.4, 0.4, 0.4, 0.4, 0.2, 0.2])


def test_plateau_without_validation_is_refused(tmp_path: Path, data: SceneDataModule) -> None:
    with pytest.raises(ValueError, match=r"needs validation, and trainer\.limit_val_batches is 0"):
        _rates_of_a_run(tmp_path, data, "scheduler=plateau", epochs=1, limit_val_batches=0)


def test_a_scheduler_that_takes_total_steps_is_stepped_with_the_optimizer(
    tmp_path: Path, data: SceneDataModule
) -> None:
    one_cycle = ("scheduler=constant", "scheduler._target_=torch.optim.lr_scheduler.OneCycleLR", "+scheduler.max_lr=1")
    rates = _rates_of_a_run(tmp_path, data, *one_cycle, epochs=2)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4, momentum=0.9)
    expected = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1, total_steps=4)
    first = expected.get_last_lr()[0]
    optimizer.step()
    expected.step()
    optimizer.step()
    expected.step()
    assert rates == pytest.approx([first, expected.get_last_lr()[0]])


def test_every_layer_follows_the_scheduler_from_its_own_rate(tmp_path: Path, data: SceneDataModule) -> None:
    step = ("scheduler=step", "scheduler.step_size=1", "scheduler.gamma=0.5", "optimizer.layer_decay=0.5")
    _rates_of_a_run(tmp_path, data, *step, epochs=2)
    (last,) = tmp_path.glob("*epoch=1*.ckpt")
    groups = torch.load(last, weights_only=True)["optimizer_states"][0]["param_groups"]
    rates = {group["name"]: group["lr"] for group in groups}
    assert rates["layer5"] == pytest.approx(0.4 * 0.25)
    assert rates["layer0"] == pytest.approx(0.4 * 0.25 * 0.5**5)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            (
                "scheduler=constant",
                "scheduler._target_=torch.optim.lr_scheduler.OneCycleLR",
                "+scheduler.max_lr=1",
                "optimizer.layer_decay=0.5",
            ),
            "OneCycleLR, which sets one learning rate for all layers",
        ),
        (
            ("scheduler._target_=torch.optim.lr_scheduler.StepLR",),
            "takes no argument `warmup_epochs`, `final_fraction`",
        ),
        (
            ("scheduler=constant", "scheduler._target_=torch.optim.lr_scheduler.StepLR"),
            "^scheduler: .*missing 1 required positional argument: 'step_size'",
        ),
    ],
)
def test_a_scheduler_with_wrong_arguments_is_an_error_in_one_line(
    overrides: tuple[str, ...], message: str, tmp_path: Path, data: SceneDataModule
) -> None:
    with pytest.raises(ValueError, match=message):
        _rates_of_a_run(tmp_path, data, *overrides, epochs=1)

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from deepdream.callbacks.ema import WeightEMA
from deepdream.models import load_network
from deepdream.scenes import DataConfig, SceneDataModule
from deepdream.training import SceneClassifier
from tests.scenes.layout import write_scenes
from tests.training.configs import classifier_of

Weights = dict[str, torch.Tensor]


class Recorder(pl.Callback):
    """The weights after each step, and those that were validated."""

    def __init__(self) -> None:
        self.steps: list[Weights] = []
        self.validated: list[Weights] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.steps.append(_copy(pl_module.model.state_dict()))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        self.steps.append(_copy(pl_module.model.state_dict()))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self.validated.append(_copy(pl_module.model.state_dict()))


def _copy(weights: Weights) -> Weights:
    return {key: value.clone() for key, value in weights.items()}


@pytest.fixture
def data(tmp_path: Path) -> SceneDataModule:
    root = write_scenes(tmp_path / "scenes", {"bar": (20, 4), "pub": (20, 4)})
    small = {"image_size": 32, "resize": 32, "val_per_class": 4, "batch_size": 8, "workers": 0}
    return SceneDataModule(DataConfig.preset(root=str(root), **small))


def _fit(
    folder: Path, data: SceneDataModule, *, epochs: int, half_life: float | None = 0.5, ckpt: Path | None = None
) -> tuple[pl.Trainer, SceneClassifier, Recorder]:
    pl.seed_everything(0, verbose=False)
    classifier = classifier_of(data, "optimizer.lr=0.1", "scheduler=constant")
    recorder = Recorder()
    trainer = pl.Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[WeightEMA(half_life), recorder, ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(classifier, data, ckpt_path=ckpt)
    return trainer, classifier, recorder


def _expected(steps: list[Weights], key: str, *, half_life_steps: float) -> torch.Tensor:
    average = steps[0][key].double()
    for t, weights in enumerate(steps[1:], start=1):
        decay = min(0.5 ** (1 / half_life_steps), (1 + t) / (10 + t))
        average = decay * average + (1 - decay) * weights[key].double()
    return average


KEYS = ("conv1.weight", "layer3.0.bn1.weight", "layer4.0.bn2.running_var", "fc.bias")


def test_validation_uses_the_average_and_training_continues_from_its_own_weights(
    tmp_path: Path, data: SceneDataModule
) -> None:
    _, classifier, recorder = _fit(tmp_path, data, epochs=2)
    per_epoch = (len(recorder.steps) - 1) // 2
    assert per_epoch == 4
    for epoch in (1, 2):
        for key in KEYS:
            expected = _expected(recorder.steps[: 1 + epoch * per_epoch], key, half_life_steps=0.5 * per_epoch)
            torch.testing.assert_close(recorder.validated[epoch - 1][key].double(), expected, rtol=1e-5, atol=1e-6)
    assert recorder.validated[1]["bn1.num_batches_tracked"] == 2 * per_epoch
    final = classifier.model.state_dict()
    assert all(torch.equal(final[key], value) for key, value in recorder.validated[1].items())


def test_a_checkpoint_opens_with_the_average_and_keeps_the_weights_in_training(
    tmp_path: Path, data: SceneDataModule
) -> None:
    _, _, recorder = _fit(tmp_path, data, epochs=1)
    (path,) = tmp_path.glob("*.ckpt")
    network = load_network(path)
    assert all(torch.equal(value, recorder.validated[0][key]) for key, value in network.model.state_dict().items())
    raw = torch.load(path, weights_only=True)["current_model_state"]
    assert all(torch.equal(raw[f"model.{key}"], value) for key, value in recorder.steps[-1].items())


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_average_of_one_that_was_not_interrupted(
    tmp_path: Path, data: SceneDataModule
) -> None:
    _, whole, _ = _fit(tmp_path / "whole", data, epochs=3)
    (middle,) = (tmp_path / "whole").glob("*epoch=1*.ckpt")
    _, resumed, recorder = _fit(tmp_path / "resumed", data, epochs=3, ckpt=middle)
    assert len(recorder.validated) == 1
    for (name, value), other in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(value, other), name


def test_validation_after_the_run_uses_the_average(tmp_path: Path, data: SceneDataModule) -> None:
    trainer, classifier, recorder = _fit(tmp_path, data, epochs=1)
    trainer.validate(classifier, data, verbose=False)
    assert torch.equal(classifier.model.fc.weight, recorder.validated[0]["fc.weight"])
    trainer.save_checkpoint(tmp_path / "after.ckpt")
    content = torch.load(tmp_path / "after.ckpt", weights_only=True)
    assert torch.equal(content["state_dict"]["model.fc.weight"], recorder.validated[0]["fc.weight"])
    assert torch.equal(content["current_model_state"]["model.fc.weight"], recorder.steps[-1]["fc.weight"])


def test_without_a_half_life_there_is_no_average(tmp_path: Path, data: SceneDataModule) -> None:
    _, classifier, recorder = _fit(tmp_path, data, epochs=1, half_life=None)
    assert torch.equal(classifier.model.fc.weight, recorder.steps[-1]["fc.weight"])
    (path,) = tmp_path.glob("*.ckpt")
    assert "current_model_state" not in torch.load(path, weights_only=True)


@pytest.mark.slow
def test_a_callback_after_the_average_finds_the_validated_weights_at_the_end_of_validation(
    tmp_path: Path, data: SceneDataModule
) -> None:
    """dreams and gradcam stand behind ema in the configuration, and show the weights that were validated."""

    class AtTheEnd(pl.Callback):
        def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            found.append(pl_module.model.fc.weight.clone())

    found: list[torch.Tensor] = []
    recorder = Recorder()
    pl.Trainer(
        default_root_dir=tmp_path,
        max_epochs=2,
        accelerator="cpu",
        callbacks=[WeightEMA(0.5), recorder, AtTheEnd()],
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(classifier_of(data, "scheduler=constant"), data)
    validated = [weights["fc.weight"] for weights in recorder.validated]
    assert len(found) == 2
    assert all(torch.equal(one, other) for one, other in zip(found, validated, strict=True))
    assert not torch.equal(found[0], recorder.steps[len(recorder.steps) // 2]["fc.weight"])

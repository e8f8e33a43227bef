from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from deepdream.models import load_network
from deepdream.scenes import DataConfig, SceneDataModule
from deepdream.training import SceneClassifier
from tests.precisions import where_fast_bf16
from tests.scenes.layout import write_scenes
from tests.training.configs import classifier_of, train_config


def _fit(folder: Path, data: SceneDataModule, *, epochs: int) -> tuple[SceneClassifier, pl.Trainer]:
    pl.seed_everything(0, verbose=False)
    classifier = classifier_of(data)
    checkpoint = ModelCheckpoint(folder, filename="best", monitor="val/accuracy", mode="max", save_last=True)
    trainer = pl.Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[checkpoint],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(classifier, data)
    return classifier, trainer


@pytest.fixture
def data(tmp_path: Path) -> SceneDataModule:
    root = write_scenes(tmp_path / "scenes", {"bar": (20, 5), "library": (20, 5), "pantry": (20, 5)})
    small = {"image_size": 32, "resize": 32, "val_per_class": 4, "batch_size": 16, "workers": 0}
    return SceneDataModule(DataConfig.preset(root=str(root), **small))


@pytest.mark.slow
def test_colors_are_learned_and_the_logged_metrics_are_those_of_a_plain_count(
    tmp_path: Path, data: SceneDataModule
) -> None:
    classifier, trainer = _fit(tmp_path, data, epochs=12)
    logged = trainer.callback_metrics
    assert logged["train/accuracy"] > 0.9
    model = classifier.model.eval()
    with torch.inference_mode():
        batches = [data.on_after_batch_transfer(batch, 0) for batch in data.whole_loader("test")]
        logits = torch.cat([model(images) for images, _ in batches])
        labels = torch.cat([labels for _, labels in batches])
    assert logged["test/accuracy"].item() == pytest.approx((logits.argmax(1) == labels).float().mean().item())
    assert logged["test/loss"].item() == pytest.approx(
        torch.nn.functional.cross_entropy(logits, labels).item(), rel=1e-4
    )
    assert {f"train/{m}" for m in ("loss", "accuracy", "mean_per_class_accuracy", "top5_accuracy")} <= set(logged)


def test_last_checkpoint_is_the_trained_network(tmp_path: Path, data: SceneDataModule) -> None:
    classifier, _ = _fit(tmp_path, data, epochs=1)
    network = load_network(tmp_path / "last.ckpt")
    for name, weights in classifier.model.state_dict().items():
        assert torch.equal(network.model.state_dict()[name], weights), name
    assert network.classes == ["bar", "library", "pantry"]


def test_the_same_seed_trains_the_same_weights(tmp_path: Path, data: SceneDataModule) -> None:
    first, _ = _fit(tmp_path / "a", data, epochs=1)
    second, _ = _fit(tmp_path / "b", data, epochs=1)
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_label_smoothing_is_in_the_training_loss_only(data: SceneDataModule) -> None:
    batch = (torch.randn(8, 3, 32, 32), torch.arange(8) % 3)
    torch.manual_seed(0)
    smooth = classifier_of(data, "label_smoothing=0.3")
    smooth.log_dict = lambda *_, **__: None
    logits = smooth(batch[0])
    expected = torch.nn.functional.cross_entropy(logits, batch[1], label_smoothing=0.3)
    assert smooth.training_step(batch, 0).item() == pytest.approx(expected.item(), rel=1e-4)
    smooth.eval()
    smooth.validation_step(batch, 0, 0)
    logged = smooth.metrics["val_metrics"].compute()["val/loss"]
    plain = torch.nn.functional.cross_entropy(smooth(batch[0]), batch[1])
    assert logged.item() == pytest.approx(plain.item(), rel=1e-4)


def test_a_mixed_image_trains_on_its_shares_and_counts_for_the_largest(data: SceneDataModule) -> None:
    classifier = classifier_of(data)
    classifier.log_dict = lambda *_, **__: None
    images, shares = torch.randn(4, 3, 32, 32), torch.tensor([[0.7, 0.3, 0], [0, 1, 0], [0.4, 0, 0.6], [0, 0.1, 0.9]])
    torch.manual_seed(0)
    logits = classifier(images)
    loss = classifier.training_step((images, shares), 0)
    assert loss.item() == pytest.approx(-(shares * logits.log_softmax(1)).sum(1).mean().item(), rel=1e-5)
    counted = classifier.metrics["train_metrics"].compute()
    assert counted["train/accuracy"].item() == (logits.argmax(1) == torch.tensor([0, 1, 2, 2])).float().mean().item()


class Counter(pl.Callback):
    """How many images the training metrics have counted, after each step."""

    def __init__(self) -> None:
        self.images: list[int] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        self.images.append(int(pl_module.metrics["train_metrics"]["loss"].weight))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["32-true", where_fast_bf16("bf16-mixed")])
def test_a_sharpness_aware_step_counts_each_image_once_and_learns(
    tmp_path: Path, data: SceneDataModule, precision: str
) -> None:
    counter = Counter()
    pl.seed_everything(0, verbose=False)
    classifier = classifier_of(data, "sam_rho=0.05")
    trainer = pl.Trainer(
        default_root_dir=tmp_path,
        max_epochs=10,
        accelerator="cpu",
        precision=precision,
        gradient_clip_val=5.0,
        callbacks=[counter],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(classifier, data)
    assert counter.images[:3] == [16, 32, 48]
    assert trainer.global_step == 30
    assert trainer.callback_metrics["train/accuracy"] > 0.8


def test_a_wise_head_takes_its_size_from_the_images_and_is_kept_in_the_checkpoint(data: SceneDataModule) -> None:
    config = train_config("model=resnet10", "model.head=wise", "data.image_size=112", "data.resize=112")
    classifier = SceneClassifier(config, data.classes)
    assert classifier.hparams["model"]["head_size"] == 4
    assert classifier.model.spatial.weight.shape == (512, 4, 4)


def test_the_loss_of_an_epoch_is_the_mean_over_images_where_the_last_batch_is_short(data: SceneDataModule) -> None:
    classifier = classifier_of(data).eval()
    classifier.log_dict = lambda *_, **__: None
    images, labels = torch.randn(11, 3, 32, 32), torch.arange(11) % 3
    for part in (slice(0, 8), slice(8, 11)):
        classifier.validation_step((images[part], labels[part]), 0, 0)
    logged = classifier.metrics["val_metrics"].compute()["val/loss"]
    with torch.inference_mode():
        expected = torch.nn.functional.cross_entropy(classifier(images), labels)
    assert logged.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_checkpoint_keeps_plain_values_under_the_keys_of_version_0_1(tmp_path: Path, data: SceneDataModule) -> None:
    _fit(tmp_path, data, epochs=1)
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)["hyper_parameters"]
    assert list(kept) == ["model", "classes", "mean", "std", "image_size", "data", "pretrained", "version"]
    assert kept["model"]["depth"] == 10
    assert "pretrained" not in kept["model"]


def test_the_optimizer_gets_the_scaled_rate(tmp_path: Path, data: SceneDataModule) -> None:
    classifier = classifier_of(data, "scale_lr=true", "optimizer.lr=0.8", "data.batch_size=16", "scheduler=constant")
    pl.Trainer(
        default_root_dir=tmp_path,
        max_steps=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(classifier, data)
    assert classifier.optimizers().param_groups[0]["lr"] == pytest.approx(0.05)

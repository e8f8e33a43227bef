from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from deepdream.models import load_network
from deepdream.scenes import SceneDataModule
from deepdream.training import SceneClassifier
from deepdream.training.schedules import warmup_cosine
from tests.scenes.layout import write_scenes


def _classifier(data: SceneDataModule, **options: object) -> SceneClassifier:
    return SceneClassifier(
        {"depth": 10},
        data.classes,
        mean=data.mean,
        std=data.std,
        image_size=data.image_size,
        optimizer=partial(torch.optim.SGD, lr=0.05, momentum=0.9),
        schedule=warmup_cosine,
        **options,
    )


def _fit(folder: Path, data: SceneDataModule, *, epochs: int) -> tuple[SceneClassifier, pl.Trainer]:
    pl.seed_everything(0, verbose=False)
    classifier = _classifier(data)
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
    return SceneDataModule(root, image_size=32, resize=32, val_per_class=4, batch_size=16, workers=0)


def test_colours_are_learned_and_the_logged_figures_are_those_of_a_plain_count(
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
    assert {f"train/{m}" for m in ("loss", "accuracy", "mean_class_accuracy", "top5_accuracy")} <= set(logged)


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
    smooth = _classifier(data, label_smoothing=0.3)
    smooth.log_dict = lambda *_, **__: None
    logits = smooth(batch[0])
    expected = torch.nn.functional.cross_entropy(logits, batch[1], label_smoothing=0.3)
    assert smooth.training_step(batch, 0).item() == pytest.approx(expected.item(), rel=1e-4)
    smooth.eval()
    smooth.validation_step(batch, 0, 0)
    logged = smooth.metrics["val_metrics"].compute()["val/loss"]
    plain = torch.nn.functional.cross_entropy(smooth(batch[0]), batch[1])
    assert logged.item() == pytest.approx(plain.item(), rel=1e-4)

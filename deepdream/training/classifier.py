"""SceneClassifier: loss, metrics and optimizer around a ResNet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from deepdream import __version__
from deepdream.models import ResNet, default_head_size
from deepdream.training.adversarial import Adversary
from deepdream.training.losses import in_full_precision, main_class, make_loss
from deepdream.training.optimizers import MakeOptimizer, build_optimizer
from deepdream.training.progressive import resized, side_at
from deepdream.training.sam import sharpness_aware

MakeSchedule = Callable[..., LRScheduler]
Batch = tuple[Tensor, Tensor]

# Validation's loaders, in the order of SceneDataModule.val_dataloader.
EVALUATED = ("val", "test")
SPLITS = ("train", *EVALUATED)


class SceneClassifier(pl.LightningModule):
    """A ResNet in training.

    model: keyword arguments of ResNet, without num_classes; a wise head without head_size takes that of image_size.
    classes: the names of its outputs.
    mean, std, image_size: how the pictures are made ready, kept for `load_network`.
    optimizer: builds the optimizer from parameter groups; schedule: builds the learning-rate schedule from the
        optimizer, with keywords total_steps and steps_per_epoch.
    decay_norm_and_bias: whether weight decay is for batch norms and biases too.
    loss, label_smoothing: what training makes smaller (deepdream.training.losses).
    sam_rho: how far sharpness-aware steps look around them (`sharpness_aware`); None takes plain steps.
    adversary: eps of pictures that are changed to mislead the network (`Adversary`); None leaves them.
    progressive_start: side of the first training pictures, a share of that of the last, which they have reached after
        `progressive_until` of the run (`side_at`); None trains at that of the last throughout.
    data: where the pictures came from, pretrained: where the weights did; plain values, kept in the checkpoint.

    Logs loss, accuracy (top-1 over pictures), mean_class_accuracy (mean of the classes' own accuracies) and
    top5_accuracy, each for train, val and test, once an epoch. The loss of val and test is plain cross-entropy whatever
    trains, so that runs compare. Where a training picture is shared between classes, its largest share counts.
    """

    def __init__(
        self,
        model: Mapping[str, Any],
        classes: Sequence[str],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        image_size: int,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule,
        decay_norm_and_bias: bool = False,
        loss: str = "cross_entropy",
        label_smoothing: float = 0.0,
        sam_rho: float | None = None,
        adversary: float | None = None,
        progressive_start: float | None = None,
        progressive_until: float = 0.75,
        data: Mapping[str, Any] | None = None,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        model = dict(model)
        if model.get("head") == "wise" and model.get("head_size") is None:
            model["head_size"] = default_head_size(image_size)
        # Plain values only: a checkpoint must open without running code.
        hyper_parameters = {
            "model": model,
            "classes": list(classes),
            "mean": list(mean),
            "std": list(std),
            "image_size": image_size,
            "data": dict(data or {}),
            "pretrained": pretrained,
            "version": __version__,
        }
        self.save_hyperparameters(hyper_parameters, logger=False)
        self.model = ResNet(num_classes=len(classes), **model).to(memory_format=torch.channels_last)
        self.example_input_array = torch.zeros(1, 3, image_size, image_size)  # for the model summary
        self._make_optimizer = optimizer
        self._make_schedule = schedule
        self._decay_norm_and_bias = decay_norm_and_bias
        self._loss = make_loss(loss, label_smoothing=label_smoothing)
        self._sam_rho = sam_rho
        self._progressive = (progressive_start, progressive_until)
        self._adversary = None if adversary is None else Adversary(adversary, mean=mean, std=std)
        self._records = True
        self.metrics = nn.ModuleDict({f"{split}_metrics": _metrics(split, len(classes)) for split in SPLITS})

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of normalised pictures (N, 3, H, W)."""
        return self.model(images)  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch."""
        images, labels = batch
        images = resized(images, self._side(images.shape[-1]))
        if self._adversary is not None:
            images = self._adversary(self.model, self._loss, images, labels)
        logits = self(images)
        loss = self._loss(in_full_precision(logits), labels)
        self._record("train", logits, labels, loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Count a batch of the held-out or of the test pictures."""
        images, labels = batch
        logits = self(images)
        self._record(EVALUATED[dataloader_idx], logits, labels, F.cross_entropy(logits, labels))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count a batch of the test pictures."""
        self.validation_step(batch, batch_idx, EVALUATED.index("test"))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer, and its schedule stepped once a step."""
        optimizer = build_optimizer(
            self._make_optimizer,
            self.model,
            decay_norm_and_bias=self._decay_norm_and_bias,
            # Under mixed precision Lightning does not clip gradients for a fused step, which may unscale by itself.
            fused=self.trainer.precision != "16-mixed" and self.trainer.gradient_clip_val is None,
        )
        optimizer.register_step_post_hook(lambda *_: self.model.project())
        total_steps = int(self.trainer.estimated_stepping_batches)
        steps_per_epoch = max(1, round(total_steps / (self.trainer.max_epochs or 1)))
        schedule = self._make_schedule(optimizer, total_steps=total_steps, steps_per_epoch=steps_per_epoch)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """One step: plain, or sharpness-aware."""
        if self._sam_rho is not None and optimizer_closure is not None:
            again = partial(self._without_record, optimizer_closure)
            optimizer_closure = partial(sharpness_aware, optimizer_closure, again, self.model, self._sam_rho)
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)

    def _side(self, full: int) -> int:
        """The side of this epoch's training pictures, which are loaded with that of `full`."""
        start, until = self._progressive
        if start is None:
            return full
        return side_at(self.current_epoch, epochs=self.trainer.max_epochs or 1, full=full, start=start, until=until)

    def _without_record(self, closure: Callable[[], Any]) -> None:
        self._records = False
        try:
            closure()
        finally:
            self._records = True

    def _record(self, split: str, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Count a batch. Nothing here waits for the device; Lightning computes at the end of the epoch."""
        if not self._records:
            return
        metrics = self.metrics[f"{split}_metrics"]
        assert isinstance(metrics, MetricCollection)
        # One value a picture: MeanMetric takes no weights unless it looks for NaN, and that would wait for the device.
        losses = loss.detach().expand(len(labels))
        metrics.update(preds=logits.detach().float(), target=main_class(labels), value=losses)
        self.log_dict(
            dict(metrics.items()), on_step=False, on_epoch=True, add_dataloader_idx=False, batch_size=len(labels)
        )


def _metrics(split: str, classes: int) -> MetricCollection:
    # validate_args would read the labels back from the device at every step.
    return MetricCollection(
        {
            "loss": MeanMetric(nan_strategy="disable"),
            "accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False),
            "mean_class_accuracy": MulticlassAccuracy(classes, average="macro", validate_args=False),
            "top5_accuracy": MulticlassAccuracy(classes, top_k=min(5, classes), average="micro", validate_args=False),
        },
        prefix=f"{split}/",
        compute_groups=False,
    )

"""SceneClassifier: loss, metrics, optimizer and scheduler around a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.data import _set_sampler_epoch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from deepdream import __version__
from deepdream.acceleration import fast_weight_gradients
from deepdream.models import build_model, default_head_size, load_network
from deepdream.models.config import ForeignModelConfig
from deepdream.training.adversarial import AdversarialPerturbation
from deepdream.training.config import TrainConfig
from deepdream.training.distillation import Teachers
from deepdream.training.layer_groups import freeze, keep_frozen_norms
from deepdream.training.losses import loss_of_outputs, main_class, main_logits, make_loss
from deepdream.training.optimizers import build_optimizer, learning_rate
from deepdream.training.progressive import resized, side_at
from deepdream.training.sam import sharpness_aware
from deepdream.training.schedulers import build_scheduler
from deepdream.training.targets import configured_partial
from deepdream.training.trial import require_logits

Batch = tuple[Tensor, Tensor]

# Validation loaders, in the order of SceneDataModule.val_dataloader.
EVALUATED = ("val", "test")
SPLITS = ("train", *EVALUATED)
METRICS = ("accuracy", "loss", "mean_per_class_accuracy", "top5_accuracy")


class SceneClassifier(pl.LightningModule):
    """A network in training, as a LightningModule: a ResNet, one of torchvision or timm, or the user's own.

    config: conf/train.yaml, as `schema.compose("train", overrides)` returns it.
    classes: the names of the network's outputs.
    data_record: where the images came from; plain values, kept in the checkpoint for `evaluate.py`.

    Logs loss, accuracy (top-1 over images), mean_per_class_accuracy and top5_accuracy, each for train, val and test,
    once per epoch. The loss of val and test is plain cross-entropy whatever the training loss is, so that runs compare.
    An image mixed by CutMix or MixUp counts for the class with the largest share.

    frozen: a line that says which parts of the network do not train; None where all do.

    Checkpoints hold the hyper-parameters that `deepdream.models.load_network` needs, as plain values: a checkpoint
    opens without running code.
    Raises ValueError for a loss, a network, a part to freeze or arguments of an optimizer that do not exist, and for a
    network that does not take the images or return logits.
    """

    def __init__(
        self, config: TrainConfig, classes: Sequence[str], *, data_record: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        model = dict(config.model.record)
        if model.get("head") == "wise" and model["head_size"] is None:
            model["head_size"] = default_head_size(config.data.image_size)
        hyper_parameters = {
            "model": model,
            "classes": list(classes),
            "mean": list(config.data.mean),
            "std": list(config.data.std),
            "image_size": config.data.image_size,
            "data": dict(data_record or {}),
            "pretrained": config.model.pretrained,
            "version": __version__,
        }
        self.save_hyperparameters(hyper_parameters, logger=False)
        self.model = build_model(model, len(classes)).to(memory_format=torch.channels_last)
        if isinstance(config.model, ForeignModelConfig):
            require_logits(self.model, classes=len(classes), image_size=config.data.image_size)
        self.frozen = freeze(self.model, config.freeze) if config.freeze else None
        keep_frozen_norms(self.model)
        self.example_input_array = torch.zeros(1, 3, config.data.image_size, config.data.image_size)  # model summary
        self.metrics = nn.ModuleDict({f"{split}_metrics": _metrics(split, len(classes)) for split in SPLITS})
        self._config = config
        self._make_optimizer = configured_partial("optimizer", config.optimizer_arguments)
        self._loss = make_loss(config.loss, label_smoothing=config.label_smoothing)
        self._perturb = (
            None
            if config.adversarial_eps is None
            else AdversarialPerturbation(config.adversarial_eps, mean=config.data.mean, std=config.data.std)
        )
        self._teachers = (
            Teachers(
                [load_network(teacher) for teacher in config.distillation.teachers],
                classes=classes,
                mean=config.data.mean,
                std=config.data.std,
                image_size=config.data.image_size,
                temperature=config.distillation.temperature,
            )
            if config.distillation.teachers
            else None
        )
        self._counts = True  # whether metrics take in the batch

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, 3, H, W)."""
        return main_logits(self.model(images))

    def train(self, mode: bool = True) -> SceneClassifier:
        """Training mode, or with `mode` False eval mode. Frozen batch norms stay in eval mode."""
        super().train(mode)
        keep_frozen_norms(self.model)
        return self

    def on_fit_start(self) -> None:
        """Move the teachers to the device of the network."""
        if self._teachers is not None:
            self._teachers.to(self.device)

    def on_train_start(self) -> None:
        """Begin a resumed run with the images of its own epoch.

        Lightning starts the workers before it restores the epoch: they have loaded the first images of epoch 0, and
        the sampler's order of epoch 0 would go on to the epoch's end.
        """
        loaders, fetcher = self.trainer.fit_loop._combined_loader, self.trainer.fit_loop._data_fetcher
        if self.trainer.current_epoch == 0 or loaders is None or fetcher is None:
            return
        for loader in loaders.flattened:
            _set_sampler_epoch(loader, self.trainer.current_epoch)
        iter(fetcher)  # the workers begin anew

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch."""
        images, labels = batch
        images = resized(images, self._side(images.shape[-1]))
        taught = None if self._teachers is None else self._teachers.probabilities(images)  # of unperturbed images
        if self._perturb is not None:
            images = self._perturb(self.model, self._loss, images, labels)
        with nullcontext() if self._config.trainer.compile else fast_weight_gradients():
            outputs = self.model(images)
        loss = loss_of_outputs(self._loss, outputs, labels)
        if self._teachers is not None and taught is not None:
            loss = torch.lerp(loss, self._teachers.loss(main_logits(outputs), taught), self._config.distillation.weight)
        self._update_metrics("train", main_logits(outputs), labels, loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Update the metrics of val (dataloader_idx 0) or test (1)."""
        images, labels = batch
        logits = self(images)
        self._update_metrics(EVALUATED[dataloader_idx], logits, labels, F.cross_entropy(logits, labels))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Update the metrics of test."""
        self.validation_step(batch, batch_idx, EVALUATED.index("test"))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer with its learning rate scaled to the batch size where configured, and the scheduler."""
        lr = learning_rate(self._config, world_size=self.trainer.world_size)
        optimizer = build_optimizer(
            self._make_optimizer if lr is None else partial(self._make_optimizer, lr=lr),
            self.model,
            decay_norm_and_bias=self._config.decay_norm_and_bias,
            layer_decay=self._config.layer_decay,
            # In float16 Lightning does not clip gradients for fused steps, because these may unscale by themselves.
            fused=self.trainer.precision != "16-mixed" and self.trainer.gradient_clip_val is None,
        )
        if callable(project := getattr(self.model, "project", None)):  # constraints on weights (models.blocks)
            optimizer.register_step_post_hook(lambda *_: project())
        return {
            "optimizer": optimizer,
            "lr_scheduler": build_scheduler(self._config.scheduler, optimizer, self.trainer),
        }

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """One step, sharpness-aware where configured. Metrics count the batch once, however often the closure runs."""
        assert optimizer_closure is not None

        def closure() -> Any:
            try:
                return optimizer_closure()
            finally:
                self._counts = False

        rho = self._config.sam_rho
        step = closure if rho is None else partial(sharpness_aware, closure, self.model, rho)
        try:
            super().optimizer_step(epoch, batch_idx, optimizer, step)
        finally:
            self._counts = True

    def lr_scheduler_step(self, scheduler: LRScheduler, metric: Any | None) -> None:
        """Step the scheduler; ReduceLROnPlateau only in epochs with validation, not on a metric of an earlier epoch."""
        if metric is None or (self.current_epoch + 1) % (self.trainer.check_val_every_n_epoch or 1) == 0:
            super().lr_scheduler_step(scheduler, metric)

    def _side(self, full: int) -> int:
        """The side of this epoch's training images, which are loaded with the side `full`."""
        progressive = self._config.progressive
        if progressive.start is None:
            return full
        return side_at(
            self.current_epoch,
            epochs=self.trainer.max_epochs or 1,
            full=full,
            start=progressive.start,
            until=progressive.until,
        )

    def _update_metrics(self, split: str, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Take a batch into the metrics of `split`, without waiting for the device; computed at the epoch's end."""
        if not self._counts:
            return
        metrics = self.metrics[f"{split}_metrics"]
        assert isinstance(metrics, MetricCollection)
        # One value per image: MeanMetric takes no weights unless it looks for NaN, which would wait for the device.
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
            "mean_per_class_accuracy": MulticlassAccuracy(classes, average="macro", validate_args=False),
            "top5_accuracy": MulticlassAccuracy(classes, top_k=min(5, classes), average="micro", validate_args=False),
        },
        prefix=f"{split}/",
        compute_groups=False,
    )

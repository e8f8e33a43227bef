from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from deepdream.callbacks import ResumableEarlyStopping


@pytest.mark.parametrize(("patience", "ends"), [(3, True), (10, False)])
def test_a_resumed_run_has_the_patience_of_its_configuration(patience: int, ends: bool) -> None:
    before = ResumableEarlyStopping(monitor="val/accuracy", mode="max", patience=5)
    before.wait_count = 4
    stopping = ResumableEarlyStopping(monitor="val/accuracy", mode="max", patience=patience)
    stopping.load_state_dict(before.state_dict())
    assert (stopping.patience, stopping.wait_count) == (patience, 4)
    trainer = SimpleNamespace(should_stop=False)
    stopping.on_train_start(trainer, None)  # type: ignore[arg-type]
    assert trainer.should_stop is ends


class _Scores(pl.LightningModule):
    """Logs the given validation accuracies, one per epoch."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.number = torch.nn.Parameter(torch.zeros(()))
        self.scores = scores

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.number.square()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val/accuracy", self.scores[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def _fit(stopping: ResumableEarlyStopping, scores: list[float], **options: object) -> pl.Trainer:
    trainer = pl.Trainer(
        max_epochs=len(scores),
        callbacks=[stopping],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    loader = DataLoader(torch.zeros(2, 1))  # type: ignore[arg-type]
    trainer.fit(_Scores(scores), loader, loader)
    return trainer


def test_a_run_that_ends_early_prints_metric_patience_best_value_and_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    stopping = ResumableEarlyStopping(monitor="val/accuracy", mode="max", patience=2)
    trainer = _fit(stopping, [0.2, 0.75, 0.5, 0.75, 0.9, 0.9])
    assert trainer.current_epoch == 4
    lines = [line for line in capsys.readouterr().out.splitlines() if "early stopping" in line]
    assert lines == [
        "early stopping: val/accuracy has not improved in 2 validations; best value 0.750 in epoch 2",
    ]


def test_a_run_that_ends_regularly_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    _fit(ResumableEarlyStopping(monitor="val/accuracy", mode="max", patience=2), [0.2, 0.75, 0.5])
    assert "early stopping" not in capsys.readouterr().out


def test_early_stopping_without_validation_is_refused() -> None:
    stopping = ResumableEarlyStopping(monitor="val/accuracy", mode="max")
    with pytest.raises(ValueError, match=r"early stopping monitors val/accuracy, and trainer\.limit_val_batches is 0"):
        _fit(stopping, [0.2], limit_val_batches=0)

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from deepdream.callbacks.progress import EpochLine


class _Guess(pl.LightningModule):
    """One number, which learns to be 1; validation logs what train.py's does."""

    def __init__(self) -> None:
        super().__init__()
        self.number = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss = (self.number - 1).square()
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log_dict({"val/loss": self.number.detach(), "val/accuracy": torch.tensor(0.5)})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_an_epoch_without_validation_does_not_repeat_the_metrics_of_an_earlier_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainer = pl.Trainer(
        max_epochs=4,
        check_val_every_n_epoch=2,
        callbacks=[EpochLine()],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader(torch.zeros(2, 1))  # type: ignore[arg-type]
    trainer.fit(_Guess(), loader, loader)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/4", "epoch 2/4", "epoch 3/4", "epoch 4/4"]
    assert ["val/accuracy 50.0%" in line for line in lines] == [False, True, False, True]
    assert all("train/loss" in line for line in lines)

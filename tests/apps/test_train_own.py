"""A network and a data module of the user's own, through every command."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch

from tests.forks import begin, run

MINE = '''
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Sequential):
    def __init__(self, num_classes, width=4):
        head = (nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten(), nn.Linear(2 * width, num_classes))
        super().__init__(nn.Conv2d(3, width, 5, 4), nn.BatchNorm2d(width), nn.ReLU(), *head)


class Halves(pl.LightningDataModule):
    """Images with a bright left or right half."""

    classes = ["left", "right"]
    batch_size = 8

    def __init__(self, images):
        super().__init__()
        labels = torch.arange(images) % 2
        bright = torch.nn.functional.one_hot(labels, 2).repeat_interleave(32, 1).float().view(-1, 1, 1, 64)
        self.photos = TensorDataset(bright.expand(-1, 3, 64, 64) + torch.rand(images, 3, 64, 64) / 10, labels)

    def train_dataloader(self):
        return DataLoader(self.photos, self.batch_size, shuffle=True)

    def val_dataloader(self):
        return [DataLoader(self.photos, self.batch_size)] * 2

    def test_dataloader(self):
        return DataLoader(self.photos, self.batch_size)
'''
NET, DATA = "mine.Net", "mine.Halves"
TRAIN = (
    *("model=custom", f"model._target_={NET}", "+model.width=6", "data=custom", f"data._target_={DATA}"),
    *("+data.images=32", "loss._target_=torch.nn.CrossEntropyLoss", "loss.label_smoothing=0.1", "optimizer.lr=0.2"),
    *("scheduler=constant", "trainer.max_epochs=2", "trainer.accelerator=cpu", "hydra.run.dir=run"),
)


def importable() -> None:
    """As for `python train.py` in the folder of the files."""
    sys.path.insert(0, os.getcwd())


@pytest.mark.slow
def test_an_own_network_on_own_data_trains_resumes_evaluates_dreams_and_explains(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    ckpt = "ckpt=run/checkpoints/last.ckpt"
    run("train", *TRAIN, "evaluate=false", folder=tmp_path, before=importable)
    resumed = run("train", "resume=run", "trainer.max_epochs=6", "evaluate=true", folder=tmp_path, before=importable)
    assert "resuming after the last complete epoch" in resumed.stdout
    assert f"ckpt_model={NET} mode=layers" in resumed.stdout
    kept = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert kept["epoch"] == 5
    assert kept["hyper_parameters"]["model"] == {"_target_": NET, "width": 6}
    assert kept["hyper_parameters"]["data"] == {"_target_": DATA, "images": 32}
    accuracy = json.loads((tmp_path / "run" / "figures" / "evaluation.json").read_text())["accuracy"]
    assert accuracy == 1

    named = (ckpt, f"ckpt_model={NET}")
    again = ("hydra.run.dir=again", "device=cpu", f"ckpt_data={DATA}")
    run("evaluate", *named, *again, folder=tmp_path, before=importable)
    assert json.loads((tmp_path / "again" / "figures" / "evaluation.json").read_text())["accuracy"] == accuracy
    assert "Conv2d" in run("dream", *named, "mode=layers", folder=tmp_path, before=importable).stdout

    for app, arguments, key in (("dream", (ckpt,), "ckpt_model"), ("evaluate", named, "ckpt_data")):
        refused = begin(app, *arguments, folder=tmp_path, before=importable)
        assert refused.wait() == 1
        (line,) = refused.stderr.splitlines()
        assert f"if you trust its code, name it: {key}=mine." in line

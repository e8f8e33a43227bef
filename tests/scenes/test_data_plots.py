from pathlib import Path

import numpy as np
import pytest
import torch

from deepdream.scenes import DataConfig, SceneDataModule
from deepdream.scenes.data_plots import batch_sheet, plot_class_counts, plot_image_sizes, raw_sheet
from tests.scenes.layout import write_scenes


@pytest.fixture
def data(tmp_path: Path) -> SceneDataModule:
    root = write_scenes(tmp_path / "rooms", {"bar": (9, 3), "library": (12, 4)}, size=(64, 48))
    config = DataConfig.preset(root=str(root), image_size=32, resize=36, val_per_class=3, batch_size=8, workers=0)
    return SceneDataModule(config)


@pytest.mark.medium
def test_the_raw_sheet_shows_every_class(data: SceneDataModule) -> None:
    colors = {tuple(c) for c in np.asarray(raw_sheet(data)).reshape(-1, 3).tolist()}
    assert sum((40 * label + 20, 10 * n, 90) in colors for label in range(2) for n in range(12)) >= 8


def test_a_batch_is_plotted_as_it_was_before_normalisation(data: SceneDataModule) -> None:
    images = torch.full((1, 3, 128, 128), 0.25)
    normalised = (images - torch.tensor(data.mean).view(3, 1, 1)) / torch.tensor(data.std).view(3, 1, 1)
    sheet = np.asarray(batch_sheet(normalised, torch.tensor([1]), data.classes, mean=data.mean, std=data.std))
    assert (sheet == 64).all(axis=-1).sum() >= 128 * 128


def test_counts_and_sizes_are_those_of_the_images(data: SceneDataModule) -> None:
    bars = plot_class_counts(data).axes[0].patches
    assert [int(bar.get_width()) for bar in bars] == [6, 9, 3, 3, 3, 4]
    assert "64x48 (100%)" in plot_image_sizes(data.records).axes[0].get_title(loc="left")

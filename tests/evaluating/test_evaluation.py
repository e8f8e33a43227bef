import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from deepdream.evaluating import Predictions, predict, write_evaluation
from deepdream.evaluating.config import EvaluationOptions
from deepdream.evaluating.curves import plot_curves, read_curves
from deepdream.models import Network
from deepdream.schema import compose

METRICS = """epoch,step,train/accuracy,train/loss,val/accuracy,val/loss,test/accuracy,test/loss
0,9,,,0.25,1.5,0.2,1.6
0,9,0.3,1.4,,,,
1,19,,,0.5,1.1,0.4,1.2
1,19,0.6,0.9,,,,
"""


class MeanColor(nn.Module):
    """Predicts the brightest channel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 20 * images.mean(dim=(2, 3))


def _network() -> Network:
    return Network(MeanColor(), ["red", "green", "blue"], (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 8, "brightest channel")


def test_predictions_are_in_the_order_of_the_images() -> None:
    images = torch.zeros(5, 3, 8, 8, dtype=torch.uint8)
    labels = torch.tensor([0, 1, 2, 1, 0])
    images[torch.arange(5), labels] = 200
    done: list[int] = []
    batches = [(images[:2], labels[:2]), (images[2:], labels[2:])]
    predictions = predict(_network(), batches, device=torch.device("cpu"), on_batch=done.append)
    assert predictions.predicted.tolist() == labels.tolist()
    assert predictions.probabilities.sum(axis=1) == pytest.approx(np.ones(5))
    assert done == [2, 5]
    with pytest.raises(ValueError, match="no image"):
        predict(_network(), [], device=torch.device("cpu"))


@pytest.mark.parametrize("classes", [3, pytest.param(67, marks=pytest.mark.slow)])
def test_tables_and_plots_can_be_read_back(tmp_path: Path, classes: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(4 * classes) % classes
    probabilities = np.eye(classes, dtype=np.float32)[np.where(rng.random(labels.size) < 0.7, labels, 0)]
    names = [f"class {i}" for i in range(classes)]
    features = rng.normal(size=(len(labels), 12)).astype(np.float32)
    photo = tmp_path / "photo.png"
    Image.new("RGB", (60, 40), "teal").save(photo)
    (tmp_path / "metrics.csv").write_text(METRICS)
    with SummaryWriter(tmp_path / "tensorboard") as writer:
        evaluation = write_evaluation(
            Predictions(probabilities, labels, names, features, paths=[photo] * len(labels)),
            tmp_path / "figures",
            name="a run",
            loggers=[writer],
            metrics_csv=tmp_path / "metrics.csv",
        )
    assert {f.name for f in evaluation.files} == {p.name for p in (tmp_path / "figures").iterdir()}
    metrics = json.loads((tmp_path / "figures" / "evaluation.json").read_text())
    rows = list(csv.DictReader((tmp_path / "figures" / "per_class.csv").open()))
    assert [row["class"] for row in rows] == names
    assert sum(int(row["tp"]) for row in rows) == pytest.approx(metrics["accuracy"] * labels.size)
    counts = np.array([r[1:] for r in csv.reader((tmp_path / "figures" / "confusion.csv").open())][1:], int)
    assert counts.sum() == labels.size
    assert counts.trace() == sum(int(row["tp"]) for row in rows)
    predictions = list(csv.DictReader((tmp_path / "figures" / "predictions.csv").open()))
    assert list(predictions[0]) == ["image", "class", "prediction", "probability"]
    assert sum(row["class"] == row["prediction"] for row in predictions) == counts.trace()
    assert {row["image"] for row in predictions} == {str(photo)}
    for name in ("confusion", "curves", "per_class", "reliability", "pca", "tsne", "mistakes", "confused_pairs"):
        with Image.open(tmp_path / "figures" / f"{name}.png") as image:
            assert min(image.size) > 250
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (accuracy,) = events.Scalars("evaluation/mean_per_class_accuracy")
    assert accuracy.value == pytest.approx(metrics["mean_per_class_accuracy"])
    assert "evaluation/tsne" in events.Tags()["images"]


def test_curves_count_epochs_from_one(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(METRICS)
    curves = read_curves(tmp_path / "metrics.csv")
    assert curves["val/accuracy"] == {1: 0.25, 2: 0.5}
    assert curves["train/loss"] == {1: 1.4, 2: 0.9}
    labels = plot_curves(curves, title="t").axes[0].get_legend_handles_labels()[1]
    assert labels == ["train", "val", "test", "best by val: epoch 2"]


class Linear(nn.Module):
    """Two linear layers on the mean colour: the input of the second is the features."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(images.mean(dim=(2, 3))).relu())


def test_features_are_the_input_of_the_last_layer_and_no_hook_stays() -> None:
    torch.manual_seed(0)
    network = Network(Linear().eval(), ["red", "green", "blue"], (0.5,) * 3, (0.25,) * 3, 8, "test")
    images = torch.randint(0, 256, (6, 3, 8, 8), dtype=torch.uint8)
    predictions = predict(network, [(images, torch.zeros(6, dtype=torch.int64))], device=torch.device("cpu"))
    with torch.no_grad():
        logits = network.model.last(torch.from_numpy(predictions.features))
    assert logits.softmax(dim=1).numpy() == pytest.approx(predictions.probabilities, abs=1e-6)
    assert not network.model.last._forward_pre_hooks
    assert predictions.thumbnails.shape == (6, 3, 48, 48)
    assert predict(_network(), [(images, torch.zeros(6))], device=torch.device("cpu")).features is None


def test_predictions_are_averaged_over_the_views_of_an_image() -> None:
    torch.manual_seed(0)
    network = Network(Linear().eval(), ["red", "green", "blue"], (0.5,) * 3, (0.25,) * 3, 8, "test")
    views = torch.randint(0, 256, (5, 3, 3, 8, 8), dtype=torch.uint8)
    labels = torch.zeros(5, dtype=torch.int64)
    together = predict(network, [(views[:2], labels[:2]), (views[2:], labels[2:])], device=torch.device("cpu"))
    alone = [predict(network, [(views[:, i], labels)], device=torch.device("cpu")) for i in range(3)]
    assert together.probabilities == pytest.approx(np.mean([a.probabilities for a in alone], axis=0), abs=1e-6)
    assert together.features == pytest.approx(np.mean([a.features for a in alone], axis=0), abs=1e-6)
    assert np.array_equal(together.thumbnails, alone[0].thumbnails)


def test_python_and_command_line_have_the_same_defaults() -> None:
    of_command = compose("evaluate", [])
    of_python = EvaluationOptions()
    assert {key: getattr(of_command, key) for key in vars(of_python)} == vars(of_python)

"""Each option of training, in a short real run of `python train.py`."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

import deepdream.apps.train  # noqa: F401  # registers the schema
from deepdream.models import load_network
from deepdream.training.config import TrainConfig
from tests.conftest import ROOT, TINY, run_app
from tests.models.published import write_places365

FOLDERS = (  # Hydra's, in a run
    "callbacks.checkpoint.dirpath",
    "callbacks.last.dirpath",
    "callbacks.metrics.path",
    "logger.tensorboard.save_dir",
)


def composed(*overrides: str) -> TrainConfig:
    with initialize_config_module("deepdream.conf", version_base="1.3"):
        folders = [f"{key}=here" for key in FOLDERS]
        config: TrainConfig = OmegaConf.to_object(compose("train", [*overrides, *folders]))  # type: ignore[assignment]
        return config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("loss=hinge",), "loss is 'hinge'; it must be one of cross_entropy, bce, cosine"),
        (("sam_rho=0",), r"sam_rho is 0\.0; it must be more than 0"),
        (("adversary=-1",), r"adversary is -1\.0; it must be more than 0"),
        (("sam_rho=0.1", "trainer.accumulate_grad_batches=2"), "a sharpness-aware step needs its whole batch at once"),
        (("scale_lr=true", "~optimizer.lr"), r"scale_lr is true and optimizer\.lr is missing"),
        (("sam_rho=0.1", "trainer.strategy=fsdp"), r"sam_rho is 0\.1, which needs the whole network on each device"),
        (("trainer.gradient_clip_val=1", "trainer.strategy=fsdp"), r"choose trainer\.gradient_clip_val=null"),
        (("model.head=wise", "progressive.start=0.5"), r"progressive\.start is 0\.5 and model\.head is wise"),
        (("model.head=wise", "augment.crop_size=96"), r"augment\.crop_size is 96 and model\.head is wise"),
        (("augment.crop_size=8",), r"augment\.crop_size is 8; it must be 16 or more"),
        (("model.head=max",), r"model\.head is 'max'; it must be one of average, wise"),
    ],
)
def test_an_option_out_of_its_range_is_said_with_its_key(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        composed(*overrides)


@pytest.mark.parametrize("depth", [10, 14, 18, 26, 34, 50, 101, 152])
def test_every_model_of_conf_is_the_depth_that_it_is_called(depth: int) -> None:
    model = composed(f"model=resnet{depth}").model
    assert model.depth == depth
    assert (model.stem, model.pretrained, model.zero_init_residual) == ("classic", None, True)


def test_every_experiment_is_a_whole_configuration_and_has_the_last_word() -> None:
    folder = ROOT / "conf" / "experiment"
    found = {
        str(path.relative_to(folder).with_suffix("")): composed(
            f"experiment={path.relative_to(folder).with_suffix('')}"
        )
        for path in folder.rglob("*.yaml")
    }
    assert found["demo"].trainer.max_epochs == 14
    plain = found["ablation/plain"]
    assert (plain.decay_norm_and_bias, plain.evaluate, plain.data.batch_size) == (True, False, 64)
    elements = [config for name, config in found.items() if name.startswith("ablation/") and name != "ablation/plain"]
    assert all(config != plain for config in elements)
    swept = OmegaConf.load(ROOT / "conf" / "sweep" / "ablation.yaml").hydra.sweeper.params.experiment
    assert {name.strip() for name in swept.split(",")} == {name for name in found if name.startswith("ablation/")}


def train(trained: Path, folder: Path, *overrides: str, **env: str) -> tuple[Path, str]:
    """The folder of a run with `overrides`, and what it printed."""
    result = run_app("train", *TINY, f"data.root={trained / 'rooms'}", *overrides, cwd=folder, **env)
    assert result.returncode == 0, result.stdout + result.stderr
    (run,) = folder.glob("outputs/*/*")
    return run, result.stdout


def losses(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]


@pytest.mark.slow
def test_variant_loss_and_average_in_one_run(trained: Path, tmp_path: Path) -> None:
    run, _ = train(
        trained,
        tmp_path,
        "model.stem=deep",
        "model.blur=true",
        "model.width=0.5",
        "model.stochastic_depth=0.1",
        "model.dropout=0.1",
        "loss=bce",
        "label_smoothing=0.1",
        "ema.half_life_epochs=1",
        "scale_lr=true",
        "optimizer.lr=0.8",
        "trainer.max_epochs=2",
    )
    first, second = losses(run)
    assert second < first
    network = load_network(run / "checkpoints" / "last.ckpt")
    assert network.model.conv1[0].out_channels == 16
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    raw, average = (content[key]["model.fc.weight"] for key in ("current_model_state", "state_dict"))
    assert not torch.equal(raw, average)
    assert torch.equal(network.model.fc.weight, average)
    with (run / "metrics.csv").open() as file:
        rates = [float(row["lr"]) for row in csv.DictReader(file)]
    assert 0.3 * 0.05 < max(rates) <= 0.8 * 16 / 256


def test_sharpness_and_adversary_with_the_cosine_loss_and_a_wise_head(trained: Path, tmp_path: Path) -> None:
    run, _ = train(
        trained,
        tmp_path,
        "model.head=wise",
        "data.image_size=64",
        "data.resize=64",
        "loss=cosine",
        "sam_rho=0.05",
        "adversarial_eps=1.5",
        "optimizer=adamw",
        "trainer.gradient_clip_val=1.0",
    )
    network = load_network(run / "checkpoints" / "last.ckpt")
    weights = network.model.spatial.weight
    assert weights.shape == (512, 2, 2)
    assert weights.min() >= 0
    assert not torch.allclose(weights, torch.tensor(0.25), atol=1e-4)
    with (run / "metrics.csv").open() as file:
        (row,) = [row for row in csv.DictReader(file) if row["train/loss"]]
    assert float(row["train/loss"]) < 1.6  # 1 - cosine, plus a tenth of cross-entropy: counted once a picture


@pytest.mark.slow
def test_two_processes_keep_the_same_weights_under_every_option(trained: Path, tmp_path: Path) -> None:
    train(
        trained,
        tmp_path,
        "trainer.devices=2",
        "sam_rho=0.05",
        "adversarial_eps=1.5",
        "ema.half_life_epochs=1",
        "model.stochastic_depth=0.2",
        "+callbacks.same._target_=tests.apps.ranks.SameWeights",
        f"+callbacks.same.path={tmp_path / 'same.txt'}",
        PYTHONPATH=str(ROOT),
        OMP_NUM_THREADS="1",
    )
    assert (tmp_path / "same.txt").read_text() == "2 0.0"


def test_a_run_starts_from_published_weights_and_says_what_it_replaced(trained: Path, tmp_path: Path) -> None:
    write_places365(tmp_path / "torch", 18)
    overrides = ("model=resnet18", "model.pretrained=places365", "optimizer.lr=0", "optimizer.weight_decay=0")
    run, printed = train(trained, tmp_path, *overrides, TORCH_HOME=str(tmp_path / "torch"))
    assert "started from places365/resnet18; its head of 365 classes was replaced by one for these 12" in printed
    content = torch.load(tmp_path / "torch" / "hub" / "checkpoints" / "resnet18_places365.pth.tar", weights_only=True)
    network = load_network(run / "checkpoints" / "last.ckpt")
    assert network.hyper_parameters["pretrained"] == "places365"
    assert torch.equal(network.model.layer4[1].conv2.weight, content["state_dict"]["module.layer4.1.conv2.weight"])


def test_a_wrong_start_is_said_before_training(trained: Path, checkpoint: Path, tmp_path: Path) -> None:
    result = run_app(
        "train",
        *TINY,
        f"data.root={trained / 'rooms'}",
        "model=resnet14",
        f"model.pretrained={checkpoint}",
        cwd=tmp_path,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "does not fit" in line
    assert "epoch" not in result.stdout


@pytest.mark.slow
def test_a_compiled_network_of_growing_pictures_trains_and_opens(trained: Path, tmp_path: Path) -> None:
    options = ("trainer.compile=true", "progressive.start=0.5", "data.image_size=64", "data.resize=64")
    run, _ = train(trained, tmp_path, *options, TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "inductor"))
    (loss,) = losses(run)
    assert 0 < loss < 4
    assert load_network(run / "checkpoints" / "last.ckpt").image_size == 64

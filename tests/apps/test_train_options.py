"""Each option of training, in a short real run of `python train.py`."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from deepdream.apps import train as train_app
from deepdream.dreaming.films import checkpoints_of
from deepdream.models import load_network
from tests.conftest import ROOT, TINY, data_of, run_app
from tests.models.published import write_places365
from tests.training.configs import train_config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("loss=hinge",), "loss is 'hinge'; it must be one of cross_entropy, bce, cosine"),
        (("sam_rho=0",), r"sam_rho is 0\.0; it must be more than 0"),
        (("adversarial_eps=-1",), r"adversarial_eps is -1\.0; it must be more than 0"),
        (
            ("sam_rho=0.1", "trainer.accumulate_grad_batches=2"),
            "sharpness-aware steps do not work with accumulated gradients",
        ),
        (("scale_lr=true", "~optimizer.lr"), r"scale_lr is true and optimizer\.lr is missing"),
        (
            ("trainer.strategy=fsdp",),
            r"trainer\.strategy is fsdp, which shards the network; .* choose ddp",
        ),
        (("model.head=wise", "progressive.start=0.5"), r"progressive\.start is 0\.5 and model\.head is wise"),
        (("model.head=wise", "augment.crop_size=96"), r"augment\.crop_size is 96 and model\.head is wise"),
        (("augment.crop_size=8",), r"augment\.crop_size is 8; it must be 16 or more"),
        (
            ("optimizer._target_=torch.optim.LBFGS",),
            "optimizer is torch.optim.LBFGS, which does not take the gradients",
        ),
        (("distillation.weight=1.5",), r"distillation\.weight is 1\.5; it must be .* 1"),
        (("distillation.temperature=0",), r"distillation\.temperature is 0\.0; it must be more than 0"),
        (("trainer.overfit_batches=-1",), r"trainer\.overfit_batches is -1; it must be 0 or more"),
        (("model.head=max",), r"model\.head is 'max'; it must be one of average, wise"),
    ],
)
def test_an_option_out_of_its_range_is_an_error_that_names_its_key(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_config(*overrides)


@pytest.mark.parametrize("depth", [10, 14, 18, 26, 34, 50, 101, 152])
def test_every_model_of_conf_has_the_depth_of_its_name(depth: int) -> None:
    model = train_config(f"model=resnet{depth}").model
    assert model.depth == depth
    assert (model.stem, model.pretrained, model.zero_init_residual) == ("classic", None, True)


EXPERIMENTS = ROOT / "conf" / "experiment"
ABLATION = {path.relative_to(EXPERIMENTS).with_suffix("").as_posix() for path in EXPERIMENTS.glob("ablation/**/*.yaml")}


def test_every_experiment_composes_and_overrides_the_other_groups() -> None:
    found = {path.stem: train_config(f"experiment={path.stem}") for path in EXPERIMENTS.glob("*.yaml")}
    assert found["demo"].trainer.max_epochs == 16
    assert (found["few_photos"].model.pretrained, found["few_photos"].data.train_list) == ("box", None)
    plain = train_config("experiment=ablation/plain")
    assert (plain.decay_norm_and_bias, plain.evaluate, plain.data.batch_size) == (True, False, 64)
    muon = ("optimizer=muon", "optimizer.lr=0.01", "optimizer.weight_decay=0.05", "data.batch_size=32")
    assert train_config("experiment=ablation/whole_muon") == train_config("experiment=ablation/whole", *muon)


@pytest.mark.slow
def test_every_element_of_the_ablation_changes_the_plain_recipe() -> None:
    plain = train_config("experiment=ablation/plain")
    assert all(train_config(f"experiment={name}") != plain for name in ABLATION - {"ablation/plain"})


def test_the_sweep_of_the_ablation_has_every_element() -> None:
    swept = OmegaConf.load(ROOT / "conf" / "sweep" / "ablation.yaml").hydra.sweeper.params.experiment
    assert {name.strip() for name in swept.split(",")} == ABLATION


@pytest.mark.parametrize(
    ("overrides", "experiment", "images", "named"),
    [
        ((), None, 5000, "experiment=resnet18"),
        ((), None, 60, "experiment=few_photos"),
        ((), "resnet18", 5000, None),
        (("model.pretrained=imagenet",), None, 60, None),
        (("model=torchvision", "model.name=resnet18"), None, 5000, None),
    ],
)
def test_a_training_from_scratch_is_told_of_the_recipe_for_so_many_images(
    overrides: tuple[str, ...],
    experiment: str | None,
    images: int,
    named: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = train_config(*overrides)
    chosen = SimpleNamespace(runtime=SimpleNamespace(choices={"experiment": experiment}))
    monkeypatch.setattr(train_app.HydraConfig, "get", lambda: chosen)
    hint = train_app._hint(config, images)
    assert hint is None if named is None else named in str(hint)


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
def test_variant_loss_and_ema_in_one_run(trained: Path, tmp_path: Path) -> None:
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


@pytest.mark.slow
def test_sam_and_adversarial_training_with_the_cosine_loss_and_a_wise_head(trained: Path, tmp_path: Path) -> None:
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
    assert float(row["train/loss"]) < 1.6  # 1 - cosine, plus a tenth of cross-entropy: each image counts once


@pytest.mark.slow
def test_a_run_with_muon_learns_from_two_teachers_and_resumes(trained: Path, checkpoint: Path, tmp_path: Path) -> None:
    teachers = f"distillation.teachers=[{checkpoint},{checkpoint.with_name('last.ckpt')}]"
    run, _ = train(trained, tmp_path, teachers, "distillation.weight=0.9", "optimizer=muon", "evaluate=false")
    assert losses(run)
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert not any("teacher" in name for name in content["state_dict"])
    result = run_app("train", f"resume={run}", "trainer.max_epochs=2", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(losses(run)) == 2


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


@pytest.mark.slow
def test_a_run_starts_from_published_weights_and_prints_what_it_replaced(trained: Path, tmp_path: Path) -> None:
    write_places365(tmp_path / "torch", 18)
    overrides = ("model=resnet18", "model.pretrained=places365", "optimizer.lr=0", "optimizer.weight_decay=0")
    run, printed = train(trained, tmp_path, *overrides, TORCH_HOME=str(tmp_path / "torch"))
    assert "started from places365/resnet18; its head of 365 classes was replaced by one for these 12" in printed
    assert "few_photos" not in printed
    content = torch.load(tmp_path / "torch" / "hub" / "checkpoints" / "resnet18_places365.pth.tar", weights_only=True)
    network = load_network(run / "checkpoints" / "last.ckpt")
    assert network.hyper_parameters["pretrained"] == "places365"
    assert torch.equal(network.model.layer4[1].conv2.weight, content["state_dict"]["module.layer4.1.conv2.weight"])


def test_pretrained_weights_that_do_not_fit_are_refused_before_training(
    trained: Path, checkpoint: Path, tmp_path: Path
) -> None:
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
def test_a_compiled_network_with_progressive_resolution_trains_and_opens(trained: Path, tmp_path: Path) -> None:
    options = ("trainer.compile=true", "progressive.start=0.5", "data.image_size=64", "data.resize=64")
    result = run_app(
        "train",
        *TINY,
        *data_of(trained),
        *options,
        cwd=tmp_path,
        seconds=900,
        TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "inductor"),
        CUDA_HOME=str(tmp_path),  # where it is set and no GPU is there, torch warns of it
    )
    assert result.returncode == 0, result.stderr
    assert "CUDA_HOME" not in result.stdout + result.stderr
    (run,) = tmp_path.glob("outputs/*/*")
    (loss,) = losses(run)
    assert 0 < loss < 4
    assert load_network(run / "checkpoints" / "last.ckpt").image_size == 64


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("trainer.fast_dev_run=true",),
        ("trainer.overfit_batches=1", "trainer.max_epochs=2", "augment.mix_probability=1", "augment.cutmix_alpha=1"),
        ("trainer.limit_train_batches=2", "trainer.detect_anomaly=true", "trainer.profiler=simple"),
    ],
    ids=["fast_dev_run", "overfit_batches", "limits_and_profiler"],
)
def test_the_debugging_arguments_of_lightning_work(overrides: tuple[str, ...], trained: Path, tmp_path: Path) -> None:
    result = run_app("train", *TINY, *data_of(trained), *overrides, "hydra.run.dir=run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "epoch 1/" in result.stdout
    if "trainer.fast_dev_run=true" in overrides:
        assert "no checkpoint was saved" in result.stdout
        assert not list((tmp_path / "run").rglob("*.ckpt"))
        assert "tensorboard" not in result.stdout
    if "trainer.profiler=simple" in overrides:
        assert "profile:    run/fit-profile.txt" in result.stdout
        assert "run_training_epoch" in (tmp_path / "run" / "fit-profile.txt").read_text()


@pytest.mark.slow
def test_the_same_batch_is_trained_on_in_every_epoch_of_overfit_batches(trained: Path, tmp_path: Path) -> None:
    run, _ = train(
        trained, tmp_path, "trainer.overfit_batches=1", "trainer.max_epochs=12", "augment=none", "evaluate=false"
    )
    found = losses(run)
    assert found[-1] < found[0] / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("optimizer=adam", "optimizer.lr=0.001"),
        ("scheduler=step", "scheduler.step_size=1"),
        ("scheduler=plateau", "scheduler.patience=0", "+scheduler.threshold=10"),
    ],
    ids=["adam", "step", "plateau"],
)
def test_optimizers_and_schedulers_of_torch_train_and_lower_the_rate(
    overrides: tuple[str, ...], trained: Path, tmp_path: Path
) -> None:
    run, _ = train(trained, tmp_path, *overrides, "evaluate=false", "trainer.max_epochs=2")
    assert len(losses(run)) == 2
    with (run / "metrics.csv").open() as file:
        first, second = (float(row["lr"]) for row in csv.DictReader(file))
    assert second < first


def test_a_batch_of_one_image_is_an_error_in_one_line(trained: Path, tmp_path: Path) -> None:
    result = run_app("train", *TINY, *data_of(trained), "data.batch_size=1", cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: data.batch_size is 1, and the network reduces an image to a single position")


def test_without_validation_the_last_checkpoint_is_evaluated(trained: Path, tmp_path: Path) -> None:
    run, printed = train(trained, tmp_path, "trainer.limit_val_batches=0")
    assert "there was no validation to choose the best epoch: using the last one" in printed
    assert f"checkpoint: {run.relative_to(tmp_path)}/checkpoints/last.ckpt" in printed
    assert (run / "figures" / "evaluation.json").is_file()


def test_without_tensorboard_the_metrics_of_the_other_logger_are_named(trained: Path, tmp_path: Path) -> None:
    _, printed = train(
        trained,
        tmp_path,
        "~logger.tensorboard",
        "+logger.csv={_target_:pytorch_lightning.loggers.CSVLogger,save_dir:csv,name:'',version:''}",
        "evaluate=false",
    )
    assert "tensorboard" not in printed
    assert "metrics:    csv/metrics.csv" in printed
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        columns = csv.DictReader(file).fieldnames or []
    assert {"train/loss", "speed/images_per_second", "lr-SGD/weights", "hp/val_accuracy"} <= set(columns)
    assert "label_smoothing: 0.0" in (tmp_path / "csv" / "hparams.yaml").read_text()


@pytest.mark.slow
def test_a_run_without_any_logger_works(trained: Path, tmp_path: Path) -> None:
    _, printed = train(trained, tmp_path, "~logger.tensorboard", "evaluate=false")
    assert "tensorboard" not in printed


def test_hyper_parameters_have_the_configured_and_the_scaled_rate(trained: Path, tmp_path: Path) -> None:
    run, _ = train(trained, tmp_path, "scale_lr=true", "optimizer.lr=0.8", "evaluate=false")
    kept = OmegaConf.load(run / ".hydra" / "config.yaml").optimizer.lr
    logged = _hyper_parameters(run / "tensorboard")
    assert logged["optimizer/lr"].number_value == pytest.approx(kept) == pytest.approx(0.8)
    assert logged["scaled_lr"].number_value == pytest.approx(0.8 * 16 / 256)


def _hyper_parameters(events: Path) -> dict[str, Any]:
    """The hyper-parameters in a folder of TensorBoard events, one of whose files has them."""
    found: dict[str, Any] = {}
    for file in events.glob("events*"):
        metadata = EventAccumulator(str(file)).Reload().summary_metadata
        if "_hparams_/session_start_info" in metadata:
            content = metadata["_hparams_/session_start_info"].plugin_data.content
            found |= HParamsPluginData.FromString(content).session_start_info.hparams
    return found


@pytest.mark.slow
def test_one_checkpoint_per_k_epochs_is_kept_and_makes_a_film(trained: Path, tmp_path: Path) -> None:
    run, _ = train(
        trained,
        tmp_path,
        "callbacks=every_epochs",
        "callbacks.every_epochs.every_n_epochs=2",
        "trainer.max_epochs=4",
        "evaluate=false",
    )
    names = {path.name for path in (run / "checkpoints").iterdir()}
    assert names == {"best.ckpt", "last.ckpt", "epoch_0002.ckpt", "epoch_0004.ckpt"}
    second = load_network(run / "checkpoints" / "epoch_0002.ckpt").model.state_dict()
    last = load_network(run / "checkpoints" / "last.ckpt").model.state_dict()
    fourth = load_network(run / "checkpoints" / "epoch_0004.ckpt").model.state_dict()
    assert all(torch.equal(value, last[key]) for key, value in fourth.items())
    assert not torch.equal(second["fc.weight"], fourth["fc.weight"])
    epochs = [torch.load(path, weights_only=True)["epoch"] for path in checkpoints_of(run)]  # each once, from 0
    assert epochs == sorted(set(epochs))
    assert {1, 3} <= set(epochs)

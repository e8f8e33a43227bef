import inspect
import logging
from dataclasses import fields
from pathlib import Path

import pytest
import pytorch_lightning as pl
from omegaconf import OmegaConf

from deepdream.hardware import best_device, has_fast_bf16
from deepdream.schema import typed
from deepdream.training import build_trainer, quiet_lightning
from deepdream.training.config import TrainerConfig
from deepdream.training.trainer import SET_HERE, lightning_precision

DEFAULT = OmegaConf.load(Path(__file__).parents[2] / "conf" / "trainer" / "default.yaml")


def test_every_argument_of_the_trainer_is_a_key() -> None:
    arguments = set(inspect.signature(pl.Trainer).parameters) - set(SET_HERE)
    assert {field.name for field in fields(TrainerConfig)} == arguments | {"compile"}
    assert set(DEFAULT) == arguments | {"compile"}


def test_the_defaults_are_those_of_lightning_but_for_the_documented_ones() -> None:
    theirs = {name: parameter.default for name, parameter in inspect.signature(pl.Trainer).parameters.items()}
    resolved = {  # what None stands for
        "limit_train_batches": 1.0,
        "limit_val_batches": 1.0,
        "limit_test_batches": 1.0,
        "limit_predict_batches": 1.0,
        "val_check_interval": 1.0,
        "num_sanity_val_steps": 2,
        "enable_checkpointing": True,
        "enable_progress_bar": True,
        "deterministic": False,
    }
    changed = {
        "compile",
        "max_epochs",
        "devices",
        "precision",
        "benchmark",
        "log_every_n_steps",
        "enable_model_summary",
    }
    for key, value in DEFAULT.items():
        if key not in changed:
            assert value == (resolved.get(key) if theirs[key] is None else theirs[key]), key


def test_the_trainer_has_the_configured_arguments(tmp_path: Path) -> None:
    changes = {"max_epochs": 7, "accelerator": "cpu", "precision": "32-true", "max_steps": 5, "detect_anomaly": True}
    trainer = build_trainer(typed(TrainerConfig, DEFAULT, changes), tmp_path, [], [])
    assert (trainer.max_epochs, trainer.max_steps, trainer.precision) == (7, 5, "32-true")
    assert trainer._detect_anomaly
    assert trainer.progress_bar_callback is None  # the output of a test is no terminal


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "12-bit"},
        {"strategy": "dpp"},
        {"profiler": "fast"},
        {"overfit_batches": 1.5},
    ],
)
def test_arguments_that_lightning_refuses_are_an_error_in_one_line(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^trainer: ") as caught:
        build_trainer(typed(TrainerConfig, DEFAULT, {"accelerator": "cpu", **changes}), tmp_path, [], [])
    assert "\n" not in str(caught.value)


def test_automatic_precision_is_bfloat16_where_the_cpu_is_fast_at_it() -> None:
    expected = "bf16-mixed" if has_fast_bf16(best_device("cpu")) else "32-true"
    assert lightning_precision("auto", "cpu") == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fp32", "32-true"),
        ("bf16", "bf16-mixed"),
        ("fp16", "16-mixed"),
        ("64-true", "64-true"),
        ("16-mixed", "16-mixed"),
    ],
)
def test_precision_takes_the_names_of_all_commands_and_those_of_lightning(name: str, expected: str) -> None:
    assert lightning_precision(name) == expected


def test_the_accelerator_may_be_called_cuda(tmp_path: Path) -> None:
    """Without a GPU it is refused for the same reason as Lightning's own name for it."""
    config = typed(TrainerConfig, DEFAULT, {"accelerator": "cuda", "precision": "fp32"})
    with pytest.raises(ValueError, match=r"^trainer: `CUDAAccelerator` can not run on your system"):
        build_trainer(config, tmp_path, [], [])


def test_compiling_on_a_cpu_does_not_warn_of_a_missing_cuda_runtime() -> None:
    quiet_lightning()
    assert not logging.getLogger("torch.utils.cpp_extension").isEnabledFor(logging.WARNING)

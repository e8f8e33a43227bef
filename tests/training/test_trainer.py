from pathlib import Path

import pytest
from omegaconf import OmegaConf

from deepdream.hardware import has_fast_bf16
from deepdream.schema import typed
from deepdream.training import build_trainer
from deepdream.training.config import TrainerConfig
from deepdream.training.trainer import best_device, mixed_precision

DEFAULT = OmegaConf.load(Path(__file__).parents[2] / "conf" / "trainer" / "default.yaml")


def test_the_trainer_is_what_the_config_says(tmp_path: Path) -> None:
    changes = {"max_epochs": 7, "accelerator": "cpu", "precision": "32-true", "extra": {"max_steps": 5}}
    trainer = build_trainer(typed(TrainerConfig, DEFAULT, changes), tmp_path, [], [])
    assert (trainer.max_epochs, trainer.max_steps, trainer.precision) == (7, 5, "32-true")
    assert trainer.progress_bar_callback is None  # the output of a test is no terminal


@pytest.mark.parametrize(
    "changes", [{"precision": "12-bit"}, {"strategy": "dpp"}, {"extra": {"fast": True}}, {"strategy": "fsdp"}]
)
def test_what_lightning_does_not_take_is_said_in_one_line(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^trainer: ") as caught:
        build_trainer(typed(TrainerConfig, DEFAULT, {"accelerator": "cpu", **changes}), tmp_path, [], [])
    assert "\n" not in str(caught.value)


def test_automatic_precision_is_bfloat16_where_the_cpu_has_it() -> None:
    expected = "bf16-mixed" if has_fast_bf16(best_device("cpu")) else "32-true"
    assert mixed_precision("cpu") == expected

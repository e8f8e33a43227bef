import inspect
import re
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from deepdream import schema
from deepdream.dreaming.config import DreamConfig
from deepdream.models.config import ModelConfig
from deepdream.scenes.config import RoomsConfig
from deepdream.schema import typed
from deepdream.training.config import TrainConfig, TrainerConfig


def test_preset_reads_its_yaml_and_keywords_override_it() -> None:
    dream = DreamConfig.preset("gordic", layers=["layer4"], steps=3)
    assert (dream.layers, dream.steps, dream.octaves, dream.octave_scale) == (["layer4"], 3, 4, 1.8)


@pytest.mark.parametrize(
    "name",
    ["channel_grid", "class", "gordic", "guided", "inceptionism", "laplacian", "maco", "style", "visualize", "vivid"],
)
def test_every_preset_states_every_key(name: str) -> None:
    may_be_null = {"width", "target", "max_pixels", "bits", "crop_spread", "transparency", "spectral_clip"}
    preset = DreamConfig.preset(name)
    assert {f.name for f in fields(DreamConfig) if getattr(preset, f.name) is None} <= may_be_null


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"stps": 3}, r"unknown key `dream\.stps`\. Did you mean `dream\.steps`\?"),
        ({"steps": 0}, r"dream\.steps is 0; it must be 1 or more"),
        ({"steps": "ten"}, "steps: Value 'ten'.*Integer"),
        ({"normalize": "median"}, "std, mean_abs, none"),
        ({"octave_scale": 1.0}, "more than 1"),
        ({"layers": []}, "layers is empty"),
    ],
)
def test_a_bad_dream_key_is_a_one_line_error(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        DreamConfig.preset("gordic", **overrides)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="gordic, guided, inceptionism"):
        DreamConfig.preset("deep")


def test_typed_merges_the_later_over_the_earlier() -> None:
    numbers = {"train_per_class": 10, "test_per_class": 2, "size": 48, "seed": 0}
    rooms = {**numbers, "shortcut": None, "shortcut_share": 0.95}
    assert typed(RoomsConfig, rooms, {"size": 64}).size == 64
    with pytest.raises(ValueError, match="sise"):
        typed(RoomsConfig, rooms, {"sise": 64})


@pytest.mark.parametrize("devices", [1, 8, -1, "auto", [0, 1]])
def test_devices_of_lightning_are_accepted(devices: object) -> None:
    assert _trainer(devices=devices).devices == devices


@pytest.mark.parametrize("devices", ["two", 0, -2, True, 1.5, [], ["a"]])
def test_other_devices_are_refused(devices: object) -> None:
    with pytest.raises(ValueError, match=r"^trainer\.devices is "):
        _trainer(devices=devices)


def test_model_config_names_the_arguments_of_resnet() -> None:
    from deepdream.models import ResNet

    arguments = set(inspect.signature(ResNet).parameters) - {"num_classes"}
    assert {field.name for field in fields(ModelConfig)} - {"pretrained"} == arguments


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("stem", "wide", r"model\.stem is 'wide'; it must be one of classic, deep"),
        ("width", 0.0, r"model\.width is 0\.0; it must be more than 0"),
        ("stochastic_depth", 1.0, r"model\.stochastic_depth is 1\.0; it must be 0 or more and less than 1"),
        ("dropout", -0.1, r"model\.dropout is -0\.1"),
        ("head", "max", r"model\.head is 'max'; it must be one of average, wise"),
        ("head_size", 7, r"model\.head_size is 7 and model\.head is average"),
        ("blur", "much", r"blur: Value 'much'"),
    ],
)
def test_an_invalid_model_is_an_error_that_names_its_key(key: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        typed(ModelConfig, OmegaConf.load("conf/model/resnet18.yaml"), {key: value})


def test_trainer_config_names_the_arguments_of_lightning() -> None:
    import pytorch_lightning as pl

    names = {field.name for field in fields(TrainerConfig)} - {"extra", "compile"}  # compile is done to the network
    assert names <= set(inspect.signature(pl.Trainer).parameters)


def _trainer(**overrides: object) -> TrainerConfig:
    return typed(TrainerConfig, OmegaConf.load("conf/trainer/default.yaml"), overrides)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+nonsense=1", "unknown key `nonsense`"),
        ("+model.dilation=2", "unknown key `model.dilation`"),
        ("+model.dpth=18", "unknown key `model.dpth`. Did you mean `model.depth`?"),
        ("modle.depth=18", "unknown key `modle.depth`. Did you mean `model.depth`?"),
        ("+data.rooms.sise=64", "unknown key `data.rooms.sise`. Did you mean `data.rooms.size`?"),
        ("lr=0.1", "unknown key `lr`. Did you mean `optimizer.lr`?"),
        ("class=kitchen", "unknown key `class`"),
        ("data.url.images=3", "an override sets a key below one that is null, as data.rooms.size without data=rooms"),
        ("optimizer.betas=[0,1]", "unknown key `optimizer.betas`; to add it, write +optimizer.betas=VALUE"),
        ("data=room", "unknown choice `data=room`. Did you mean `data=rooms`?"),
        (
            "data=photos",
            "unknown choice `data=photos`; choose one of custom, folder, imagenette, imagenette_320, miniplaces, "
            "mit_indoor, rooms",
        ),
    ],
)
def test_an_unknown_key_or_choice_fails_at_every_depth_with_close_names_only(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        schema.compose("train", ["data=rooms", "+callbacks.mine._target_=my.Callback", override])


def test_at_most_three_names_are_suggested() -> None:
    names = [f"layer{index}" for index in range(1, 9)]
    assert schema.did_you_mean("layer", names).count("`") == 2 * 3
    assert schema.did_you_mean("fast_dev_run", ["devices", "seed", "adversary"]) == ""


def test_a_dictionary_takes_any_key() -> None:
    config = schema.compose("train", ["+optimizer.dampening=0.1", "+callbacks.mine._target_=my.module.Callback"])
    assert config.optimizer["dampening"] == 0.1
    assert config.callbacks["mine"] == {"_target_": "my.module.Callback"}


def test_a_configuration_composed_in_python_has_the_defaults_of_the_command_line() -> None:
    train = schema.compose("train", ["data=rooms", "model=resnet34"])
    assert isinstance(train, TrainConfig)
    assert (train.data.root, train.model.depth, train.optimizer["_target_"]) == ("data/rooms", 34, "torch.optim.SGD")
    assert schema.compose("dream").dream == DreamConfig.preset("vivid")


@pytest.mark.parametrize("app", schema.SCHEMAS)
def test_every_command_is_composed_in_python(app: str) -> None:
    module, _, name = schema.SCHEMAS[app].partition(":")
    assert type(schema.compose(app)) is getattr(import_module(module), name)


def test_composing_needs_no_torch_and_leaves_a_strangers_hydra_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "theirs.yaml").write_text("value: 5")
    code = f"""
import sys, hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from deepdream import schema
from deepdream.dreaming.config import DreamConfig
assert not GlobalHydra.instance().is_initialized()
assert schema.compose("train", ["seed=3"]).seed == 3
assert not GlobalHydra.instance().is_initialized() and not HydraConfig.initialized()
with hydra.initialize_config_dir({str(tmp_path)!r}, version_base="1.1"):
    assert DreamConfig.preset("gordic").octaves == 4
    assert hydra.compose("theirs").value == 5
    assert hydra.version.getbase() is not None and str(hydra.version.getbase()) == "1.1"
assert not {{"torch", "pytorch_lightning"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)

import inspect
from dataclasses import fields

import pytest
from omegaconf import OmegaConf

from deepdream.dreaming.config import DreamConfig
from deepdream.models.config import ModelConfig
from deepdream.scenes.config import RoomsConfig
from deepdream.schema import closest, typed
from deepdream.training.config import TrainerConfig


def test_preset_reads_its_yaml_and_keywords_override_it() -> None:
    dream = DreamConfig.preset("gordic", layers=["layer4"], steps=3)
    assert (dream.layers, dream.steps, dream.octaves, dream.octave_scale) == (["layer4"], 3, 4, 1.8)


@pytest.mark.parametrize(
    "name",
    ["channel_grid", "class", "gordic", "guided", "inceptionism", "laplacian", "maco", "style", "visualize", "vivid"],
)
def test_every_preset_states_every_key(name: str) -> None:
    may_be_null = {"width", "target"}
    preset = DreamConfig.preset(name)
    assert {f.name for f in fields(DreamConfig) if getattr(preset, f.name) is None} <= may_be_null


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"stps": 3}, "close ones are steps"),
        ({"steps": 0}, r"dream\.steps is 0; it must be 1 or more"),
        ({"steps": "ten"}, "steps: Value 'ten'.*Integer"),
        ({"normalize": "median"}, "std, mean_abs, none"),
        ({"octave_scale": 1.0}, "more than 1"),
        ({"layers": []}, "layers is empty"),
    ],
)
def test_bad_dream_key_is_said_in_one_line(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        DreamConfig.preset("gordic", **overrides)
    assert "\n" not in str(caught.value)


def test_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match="gordic, guided, inceptionism"):
        DreamConfig.preset("deep")


def test_typed_merges_the_later_over_the_earlier() -> None:
    rooms = {"train_per_class": 10, "test_per_class": 2, "size": 48, "seed": 0}
    assert typed(RoomsConfig, rooms, {"size": 64}).size == 64
    with pytest.raises(ValueError, match="sise"):
        typed(RoomsConfig, rooms, {"sise": 64})


@pytest.mark.parametrize("devices", [1, 8, -1, "auto", [0, 1]])
def test_devices_that_lightning_takes(devices: object) -> None:
    assert _trainer(devices=devices).devices == devices


@pytest.mark.parametrize("devices", ["two", 0, -2, True, 1.5, [], ["a"]])
def test_devices_that_mean_nothing(devices: object) -> None:
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
def test_a_model_that_there_is_not_is_named_with_its_key(key: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        typed(ModelConfig, OmegaConf.load("conf/model/resnet18.yaml"), {key: value})


def test_trainer_config_names_the_arguments_of_lightning() -> None:
    import pytorch_lightning as pl

    names = {field.name for field in fields(TrainerConfig)} - {"extra", "compile"}  # compile is done to the network
    assert names <= set(inspect.signature(pl.Trainer).parameters)


def test_closest_names_come_first() -> None:
    assert closest("layr3", ["conv1", "layer3", "layer4"])[0] == "layer3"


def _trainer(**overrides: object) -> TrainerConfig:
    return typed(TrainerConfig, OmegaConf.load("conf/trainer/default.yaml"), overrides)

"""From knobs to a command line, and from a recipe back to the knobs."""

from __future__ import annotations

import dataclasses
import json
import shlex

import pytest

from deepdream.apps.arguments import as_overrides
from deepdream.schema import compose
from deepdream.studio import networks, settings
from tests.slow import slow_but

ODD = {
    "layers": ("layer3", "layer4:12", "-0.5*layer2", "layer3.*"),
    "strength": 1.35,
    "octaves": 3,
    "color": 0.45,
    "seed": 4,
    "mask": "not-gradcam",
    "others": (("objective", [{"term": "mean_square", "weight": 1.0}]), ("sigma", 3.5)),
}


@pytest.mark.parametrize("preset", slow_but(("vivid", "gordic", "maco", "style"), settings.presets()))
@pytest.mark.parametrize("changes", [ODD, pytest.param({}, marks=pytest.mark.slow)])
def test_a_recipe_turns_the_knobs_to_where_they_were(preset: str, changes: dict[str, object]) -> None:
    setting = dataclasses.replace(settings.of_preset(preset), **changes)
    if preset in ("visualize", "maco", "class", "accentuate"):  # do not work on pixels
        setting = dataclasses.replace(setting, others=())
    config = settings.configured(settings.arguments(setting, "photo.jpg"))
    stored = json.loads(json.dumps({"config": dataclasses.asdict(config)}))
    again, read = settings.restored(stored)
    assert read == config
    assert settings.configured(settings.arguments(again, "photo.jpg")) == config
    assert again == setting or changes  # with many changes another preset may be as close


def test_the_printed_line_is_what_is_computed() -> None:
    setting = dataclasses.replace(settings.of_preset("gordic"), **ODD)
    typed = settings.arguments(setting, "my photo.jpg", "device=cpu")
    line = shlex.split(settings.shell_line(typed, "dream.png"))
    given = [argument for argument in line if "=" in argument and not argument.startswith("output=")]
    assert compose("dream", as_overrides("dream", given)) == settings.configured(typed)


@pytest.mark.parametrize("layer", ["layer3],seed=9", "${oc.env:HOME}", "x' seed=9 'y", "null", "a\nb"])
def test_a_layer_typed_in_the_browser_is_only_a_name(layer: str) -> None:
    setting = dataclasses.replace(settings.of_preset("vivid"), layers=(layer,))
    config = settings.configured(settings.arguments(setting, "photo.jpg"))
    assert config.dream.layers == [layer]
    assert config.seed == 0


def test_code_that_a_recipe_names_is_not_run(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    setting = dataclasses.replace(settings.of_preset("vivid"), others=(("objective", "evil.py.function"),))
    with pytest.raises(ValueError, match="objective"):
        settings.configured(settings.arguments(setting, "photo.jpg"))
    recipe = {"config": {**dataclasses.asdict(compose("dream")), "logger": {}}}
    recipe["config"]["dream"]["objective"] = "evil.py.function"
    with pytest.raises(ValueError, match="objective"):
        settings.restored(recipe)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../best.ckpt", "outputs/x.ckpt", "", None, "torchvision/../x/y", "hf://a"]
)
def test_a_page_may_not_ask_for_a_path(name: str | None) -> None:
    with pytest.raises(ValueError, match="there is no network"):
        networks.checked(name, "box")


def test_a_page_may_ask_for_names_and_for_what_is_offered() -> None:
    for name in ("box", "miniplaces", "torchvision/googlenet", "timm/resnet50.a1_in1k", "hf://user/name", "/a/b.ckpt"):
        assert networks.checked(name, "/a/b.ckpt") == name

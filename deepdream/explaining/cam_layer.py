"""Which layer Grad-CAM reads."""

from __future__ import annotations

from torch import Tensor, nn

from deepdream.models.layers import feature_maps
from deepdream.schema import did_you_mean

STAGES = ("layer4", "layer3", "layer2", "layer1")


def cam_layer(model: nn.Module, picture: Tensor, name: str | None = None) -> nn.Module:
    """The module called `name`; for None the deepest stage (layer4 ...) whose map of `picture` has 2x2 positions.

    A network without such stages gives its deepest module of that kind. picture: the network's input (1, 3, H, W).
    Raises ValueError, with the close names, where there is no such layer or it yields no map.
    """
    if name is None and (layer := getattr(model, STAGES[0], None)) is not None and min(picture.shape[2:]) >= 64:
        return layer  # type: ignore[no-any-return]  # every stride 32 network: no need to measure
    maps = {layer: min(size[2:]) for layer, _, size in feature_maps(model, picture)}
    if name is not None:
        if name not in maps:
            as_deep = [other for other in maps if other.count(".") <= name.count(".")]
            raise ValueError(
                f"the network has no layer {name!r} with a feature map{did_you_mean(name, as_deep or maps)}"
            )
        return model.get_submodule(name)
    large = [layer for layer, side in maps.items() if side >= 2]
    for layer in (*STAGES, *reversed(large)):
        if layer in large:
            return model.get_submodule(layer)
    height, width = picture.shape[2:]
    raise ValueError(f"the image is {width}x{height}: no layer has a map of 2x2 positions; take a larger image")

"""The configuration of a model: which network, and the weights to start from. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deepdream.checks import above, at_least, one_of
from deepdream.key_kinds import OUTPUT, PATH
from deepdream.registry import Registry
from deepdream.schema import did_you_mean, typed

ENDINGS = (".ckpt", ".pth", ".pt", ".tar", ".safetensors")  # of files of weights
BUNDLED = "miniplaces"  # the network of the package that the commands use where none is named

# depth: (kind of block, blocks in each stage)
DEPTHS: dict[int, tuple[str, tuple[int, int, int, int]]] = {
    10: ("basic", (1, 1, 1, 1)),
    14: ("bottleneck", (1, 1, 1, 1)),
    18: ("basic", (2, 2, 2, 2)),
    26: ("bottleneck", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
    200: ("bottleneck", (3, 24, 36, 3)),
    269: ("bottleneck", (3, 30, 48, 8)),
}
BLOCKS = Registry(
    "model.block",
    {"basic": "deepdream.models.blocks:BasicBlock", "bottleneck": "deepdream.models.blocks:Bottleneck"},
)
STEMS = Registry(
    "model.stem",
    {"classic": "deepdream.models.resnet:classic_stem", "deep": "deepdream.models.resnet:deep_stem"},
)
HEADS = ("average", "wise")
LIBRARIES = ("torchvision", "timm")


def missing_weights(path: Path) -> FileNotFoundError:
    """The error for a file of weights that does not exist, with the similar names beside it."""
    siblings = [str(other) for ending in ENDINGS for other in path.parent.glob(f"*{ending}")]
    return FileNotFoundError(f"there is no checkpoint {path}{did_you_mean(str(path), siblings)}")


@dataclass(kw_only=True)
class WeightsConfig:
    """conf/weights.yaml: what a file of weights does not say of itself; the defaults are for older configurations."""

    ckpt_model: str | None = None
    ckpt_classes: str | None = field(default=None, metadata=PATH)
    ckpt_mean: list[float] | None = None
    ckpt_std: list[float] | None = None
    ckpt_size: int | None = None

    def about_weights(self) -> dict[str, Any]:
        """These keys as the arguments of `load_network`."""
        return {
            "model": self.ckpt_model,
            "classes": self.ckpt_classes,
            "mean": self.ckpt_mean,
            "std": self.ckpt_std,
            "image_size": self.ckpt_size,
        }


@dataclass(kw_only=True)
class ExportConfig(WeightsConfig):
    """conf/export.yaml."""

    ckpt: str = field(metadata=PATH)
    to: str | None = field(metadata=OUTPUT)
    onnx: bool
    dreams: bool


@dataclass
class ModelConfig:
    """conf/model: the keyword arguments of `deepdream.models.ResNet`, and the weights to start from."""

    depth: int
    blocks: list[int] | None
    block: str | None
    zero_init_residual: bool
    stem: str
    blur: bool
    width: float
    stochastic_depth: float
    dropout: float
    head: str
    head_size: int | None
    head_non_negative: bool
    pretrained: str | None = field(metadata=PATH)

    def __post_init__(self) -> None:
        stages(self.depth, self.blocks, self.block)
        check_variant(
            stem=self.stem,
            width=self.width,
            stochastic_depth=self.stochastic_depth,
            dropout=self.dropout,
            head=self.head,
            head_size=self.head_size,
        )

    @property
    def record(self) -> dict[str, Any]:
        """What `build_model` makes the model of, and a checkpoint keeps: the arguments of ResNet."""
        return {key: value for key, value in asdict(self).items() if key != "pretrained"}


@dataclass
class ForeignModelConfig:
    """A network that is not our ResNet: one of torchvision or timm, or of a class of the user's.

    record: as above, plain values: `architecture` ("timm/resnet50d") or `_target_` ("my.module.Class"), and arguments.
    pretrained: weights to start from, for `load_network`.
    """

    record: dict[str, Any]
    pretrained: str | None = field(metadata=PATH)


def model_config(values: Mapping[str, Any]) -> ModelConfig | ForeignModelConfig:
    """The checked configuration of conf/model: a foreign model with `library` or `_target_`, otherwise a ResNet.

    pretrained: true stands for the library's own weights; for a ResNet, for those of ImageNet.

    >>> model_config({"library": "timm", "name": "resnet50d", "pretrained": True, "drop_rate": 0.1})
    ForeignModelConfig(record={'architecture': 'timm/resnet50d', 'drop_rate': 0.1}, pretrained='timm/resnet50d')

    Raises ValueError, in one line, for an unknown key, a value of the wrong type, or one out of range.
    """
    pretrained = values.get("pretrained") or None
    arguments = {key: value for key, value in values.items() if key not in ("library", "name", "pretrained")}
    if "_target_" in values:
        if not isinstance(values["_target_"], str) or "." not in values["_target_"]:
            raise ValueError(f"model._target_ is {values['_target_']!r}; it must be a class, such as my.module.Class")
        if pretrained is True:
            raise ValueError("model.pretrained is true, and model._target_ has no known weights; name a checkpoint")
        own = {key: value for key, value in values.items() if key != "pretrained"}
        return ForeignModelConfig(own, pretrained)
    if "library" in values:
        one_of("model.library", values["library"], LIBRARIES)
        if not isinstance(values.get("name"), str):
            raise ValueError("model.name is missing; it names the network, such as model.name=resnet50")
        name = f"{values['library']}/{values['name']}"
        return ForeignModelConfig({"architecture": name, **arguments}, name if pretrained is True else pretrained)
    resnet = {**values, "pretrained": "imagenet" if pretrained is True else pretrained}
    return typed(ModelConfig, resnet, group="model")


def stages(depth: int, blocks: Sequence[int] | None, block: str | None) -> tuple[str, tuple[int, ...]]:
    """The kind of block and the number of blocks in each of the four stages; `blocks` and `block` go before `depth`.

    >>> stages(50, None, None)
    ('bottleneck', (3, 4, 6, 3))

    Raises ValueError for an unknown depth or kind of block, and for other than four positive numbers of blocks.
    """
    if depth not in DEPTHS:
        raise ValueError(
            f"model.depth is {depth}; it must be one of {', '.join(map(str, DEPTHS))}. "
            "For another depth set the blocks of each stage, for example model.blocks=[3,4,6,3]"
        )
    kind, counts = DEPTHS[depth]
    if block is not None:
        BLOCKS.check(block)
    if blocks is not None and (len(blocks) != 4 or min(blocks) < 1):
        raise ValueError(f"model.blocks is {list(blocks)}; it must be four numbers of 1 or more, one for each stage")
    return block or kind, counts if blocks is None else tuple(blocks)


def check_variant(
    *, stem: str, width: float, stochastic_depth: float, dropout: float, head: str, head_size: int | None
) -> None:
    """Raise ValueError for a variant of ResNet that does not exist, and for a number out of its range."""
    STEMS.check(stem)
    above("model.width", width, 0)
    for key, probability in (("model.stochastic_depth", stochastic_depth), ("model.dropout", dropout)):
        if not 0 <= probability < 1:
            raise ValueError(f"{key} is {probability}; it must be 0 or more and less than 1")
    one_of("model.head", head, HEADS)
    if head_size is not None:
        at_least("model.head_size", head_size, 1)
        if head != "wise":
            raise ValueError(f"model.head_size is {head_size} and model.head is {head}; only a wise head has a size")

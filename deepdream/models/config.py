"""The network."""

from __future__ import annotations

from dataclasses import dataclass

from deepdream.checks import above, at_least, one_of

STEMS = ("classic", "deep")
HEADS = ("average", "wise")


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
    pretrained: str | None

    def __post_init__(self) -> None:
        check_variant(
            stem=self.stem,
            width=self.width,
            stochastic_depth=self.stochastic_depth,
            dropout=self.dropout,
            head=self.head,
            head_size=self.head_size,
        )


def check_variant(
    *, stem: str, width: float, stochastic_depth: float, dropout: float, head: str, head_size: int | None
) -> None:
    """Raise ValueError where a variant of ResNet does not exist or a number of it is out of range."""
    one_of("model.stem", stem, STEMS)
    above("model.width", width, 0)
    for key, chance in (("model.stochastic_depth", stochastic_depth), ("model.dropout", dropout)):
        if not 0 <= chance < 1:
            raise ValueError(f"{key} is {chance}; it must be 0 or more and less than 1")
    one_of("model.head", head, HEADS)
    if head_size is not None:
        at_least("model.head_size", head_size, 1)
        if head != "wise":
            raise ValueError(f"model.head_size is {head_size} and model.head is {head}; only a wise head has a size")

"""A data module of the user's own, which `data._target_` names, and its test images for an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream.registry import build_target
from deepdream.schema import as_data
from deepdream.training.config import TARGET, OwnDataConfig

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import Tensor


def own_data(values: Mapping[str, Any]) -> tuple[pl.LightningDataModule, OwnDataConfig]:
    """The data module that `values` names, prepared and set up, and what a training must know of its images.

    values: `_target_` and arguments. The module has `classes`, their names in the order of the labels; its batches are
    (images, labels), float (N, 3, H, W) and int64 (N,). Its attributes `image_size`, `mean`, `std` and `batch_size` are
    used where it has them; otherwise the size is that of the first training image, and images are taken to be in
    [0, 1]. `val_dataloader` returns one loader, or two: of validation and test images.

    Raises ValueError, in one line, for what is no such module.
    """
    import pytorch_lightning as pl

    target = values[TARGET]
    arguments = {key: value for key, value in values.items() if key != TARGET}
    data = build_target("data", target, arguments)
    if not isinstance(data, pl.LightningDataModule):
        raise ValueError(f"data._target_ is {target}, which made a {type(data).__name__}, not a LightningDataModule")
    data.prepare_data()
    data.setup("fit")
    names = getattr(data, "classes", None)
    if not isinstance(names, Sequence) or isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{target} has no list of names `classes`; give it one, in the order of the labels")
    images = _images(next(iter(data.train_dataloader())), data, target)
    config = OwnDataConfig(
        target=target,
        arguments=arguments,
        image_size=int(getattr(data, "image_size", images.shape[-1])),
        mean=_color(data, "mean", 0.0),
        std=_color(data, "std", 1.0),
        batch_size=int(getattr(data, "batch_size", len(images))),
    )
    return data, config


def recorded_test_images(record: Mapping[str, Any], named: str | None, source: str) -> OwnTestImages:
    """The test images of the module that the checkpoint `source` was trained on, where the user has named it too.

    Raises ValueError, in one line, where the user has not: a file alone never runs its code.
    """
    target = str(record[TARGET])
    if target != named:
        raise ValueError(
            f"{source} was trained on {target}, which is no part of deepdream; if you trust its code, name it: "
            f"ckpt_data={target}"
        )
    data, config = own_data(as_data(record, source))
    if not has_test_images(data):
        raise ValueError(f"{target} has no test_dataloader, and so no images to evaluate")
    return OwnTestImages(data, config.target)


class OwnTestImages:
    """The test images of a data module of the user's own, as `evaluate_network` takes them from a SceneDataModule."""

    paths = None  # not known

    def __init__(self, data: Any, target: str) -> None:
        self._data = data
        self.root = Path(target)
        self.classes = list(data.classes)

    def split(self, name: str) -> OwnTestImages:
        """Itself: there is no other split to evaluate."""
        return self

    def __len__(self) -> int:
        return len(self._data.test_dataloader().dataset)

    def whole_loader(
        self, name: str, *, tta: str = "none", part: range | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of normalised images and labels, each image once. Raises ValueError for test-time augmentation."""
        assert part is None, "a loader of the user's own has no parts"
        if tta != "none":
            raise ValueError(f"tta is {tta}, and {self.root} is your own data module, which knows tta=none only")
        for batch in self._data.test_dataloader():
            images, labels, *_ = self._data.on_after_batch_transfer(batch, 0)
            yield images, labels


def has_test_images(data: pl.LightningDataModule) -> bool:
    """Whether the module has a test loader of its own."""
    from pytorch_lightning.utilities.model_helpers import is_overridden

    return is_overridden("test_dataloader", data)


def _images(batch: Any, data: Any, target: str) -> Tensor:
    import torch

    batch = data.on_after_batch_transfer(batch, 0)
    images = batch[0] if isinstance(batch, Sequence) and len(batch) >= 2 else None
    if not (isinstance(images, torch.Tensor) and images.is_floating_point() and images.shape[1:2] == (3,)):
        kind = f"{images.dtype} {tuple(images.shape)}" if isinstance(images, torch.Tensor) else type(batch).__name__
        raise ValueError(f"{target} makes batches of {kind}; they must be (images, labels), images float (N, 3, H, W)")
    return images


def _color(data: Any, key: str, default: float) -> list[float]:
    values = [float(value) for value in getattr(data, key, [default] * 3)]
    if len(values) != 3:
        raise ValueError(f"{key} of {type(data).__name__} has {len(values)} values; it needs three, for RGB")
    return values

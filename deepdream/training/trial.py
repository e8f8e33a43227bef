"""One pass of a foreign network before a run: does it take the images of the data, and return logits?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepdream.training.batch_statistics import keep_running_statistics
from deepdream.training.losses import AUXILIARY_WEIGHTS, main_logits


@torch.no_grad()
def require_logits(model: nn.Module, *, classes: int, image_size: int) -> None:
    """Raise ValueError, in one line, where `model` in training mode does not map images to logits (N, classes).

    Two empty images of `image_size` pixels pass through it. Running statistics and random generators do not change.
    """
    images = torch.zeros(2, 3, image_size, image_size)
    with torch.random.fork_rng(devices=[]), keep_running_statistics(model):
        try:
            outputs = model(images)
        except Exception as error:  # of the network's own code, which may fail in any way
            cause = str(error).partition("\n")[0].rstrip(".! ") or type(error).__name__
            raise ValueError(
                f"the network does not take images of {image_size}x{image_size} px: {cause}. Choose another "
                f"data.image_size, or an argument that sets its size, such as +model.image_size={image_size} or "
                f"+model.img_size={image_size}"
            ) from error
    kind = type(outputs).__name__
    if not isinstance(outputs, Tensor) and kind not in AUXILIARY_WEIGHTS:
        raise ValueError(f"the network returned a {kind}; it must return logits, a tensor of shape (N, {classes})")
    if (shape := tuple(main_logits(outputs).shape)) != (2, classes):
        raise ValueError(f"the network returned {shape} for 2 images; it must return logits of shape (N, {classes})")

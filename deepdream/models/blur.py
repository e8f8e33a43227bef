"""BlurPool: half the size without aliasing.

Source: Zhang 2019, "Making Convolutional Networks Shift-Invariant Again".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BlurPool(nn.Module):
    """Half the size, low-passed by the binomial filter [1, 2, 1] / 4 each way, with reflected borders.

    Taking every second value alone folds fine detail into coarse, and the answer jumps when the picture shifts by a
    pixel. There are no weights, and the filter is not kept in a checkpoint: the names stay torchvision's.
    A map of a single row or column has nothing to reflect: RuntimeError (pictures need 32 pixels a side or more).
    """

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([0.25, 0.5, 0.25])
        kernel = torch.outer(row, row).expand(channels, 1, 3, 3).contiguous()
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, channels, H/2, W/2), rounded up."""
        return _low_pass_half(x, self.kernel)

    def extra_repr(self) -> str:
        """What print(model) shows."""
        return str(len(self.kernel))


@torch.fx.wrap  # one step for torch.fx, which cannot follow a branch on the device
def _low_pass_half(x: Tensor, kernel: Tensor) -> Tensor:
    # Autocast would pad in float32. On a CPU a depthwise convolution takes some 20 times as long in bfloat16.
    dtype = torch.promote_types(x.dtype, torch.float32) if x.device.type == "cpu" else x.dtype
    with torch.autocast(x.device.type, enabled=False):
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect").to(dtype)
        return F.conv2d(padded, kernel.to(dtype), stride=2, groups=len(kernel)).to(x.dtype)

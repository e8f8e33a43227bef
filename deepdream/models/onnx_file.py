"""A network as an ONNX file, compared with PyTorch by onnxruntime."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import torch

from deepdream.distribution import install_extra
from deepdream.files import atomic_path
from deepdream.models.network import Network

LARGEST_DIFFERENCE = 1e-3  # of the logits, as a share of the largest: float32 sums in another order


def write_onnx(network: Network, path: Path) -> float:
    """Write the model of `network`, from `images` (N, 3, S, S), normalised, to `logits` (N, classes), with any N.

    Returns the largest difference from PyTorch's logits for random images, as a share of the largest logit.
    Raises ValueError, in one line, where the packages are missing, PyTorch cannot export the model, or ONNX computes
    something else.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  # torch.onnx needs it
    except ImportError as error:
        raise ValueError(f"onnx=true needs more packages; `{install_extra('onnx')}` brings them") from error
    model = network.model.cpu().float().eval()
    images = torch.rand(2, 3, network.image_size, network.image_size, generator=torch.Generator().manual_seed(0))
    images = network.normalize(images)
    with atomic_path(path) as partial:
        _quiet_export(model, images, partial)
        session = onnxruntime.InferenceSession(str(partial), providers=["CPUExecutionProvider"])
        (theirs,) = session.run(["logits"], {"images": images.numpy()})
        with torch.no_grad():
            ours = model(images)
        difference = float((torch.from_numpy(theirs) - ours).abs().max() / ours.abs().max())
        if not difference <= LARGEST_DIFFERENCE:
            raise ValueError(
                f"ONNX computes other logits than PyTorch for {network.source}: they differ by {difference:.1%}"
            )
    return difference


def _quiet_export(model: torch.nn.Module, images: torch.Tensor, path: Path) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model,
                (images,),
                str(path),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # exporting runs the model's own code on symbols, which may fail in any way
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"PyTorch cannot export this network as ONNX: {reason}") from error

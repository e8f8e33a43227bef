"""load_network: from a path or a name to a network that is ready to answer."""

from __future__ import annotations

from pathlib import Path

from deepdream.models.network import Network, index_names
from deepdream.models.packing import unpacked
from deepdream.models.published import is_published, published
from deepdream.models.resnet import ResNet
from deepdream.models.weights_file import read_weights_file

# Every checkpoint of our training carries these and its classes as hyper-parameters, as plain values
# (deepdream.training).
CHECKPOINT_KEYS = ("model", "mean", "std", "image_size")


def load_network(source: str | Path) -> Network:
    """The network at a checkpoint's path, or one that is published, by name.

    Names: "imagenet/resnet18", 34, 50, 101, 152 (torchvision's weights); "places365/resnet18", 50 (CSAIL's).
    A checkpoint of a run with averaged weights yields these; in one without names of classes they go by their index,
    see Network.names_classes. The model is on the CPU, in float32, in eval mode. A file
    is opened as data only: one that would need to run code is refused. Raises FileNotFoundError or ValueError, in one
    line, where there is no network to be had.
    """
    name = str(source)
    if is_published(name) and not Path(name).exists():
        return published(name)
    return _from_checkpoint(Path(source))


def _from_checkpoint(path: Path) -> Network:
    checkpoint, digest = read_weights_file(path)
    hyper_parameters = checkpoint.get("hyper_parameters", {})
    missing = [key for key in CHECKPOINT_KEYS if key not in hyper_parameters]
    if missing or "state_dict" not in checkpoint:
        raise ValueError(
            f"{path} is not a checkpoint of deepdream: it lacks {', '.join(missing or ['state_dict'])}; "
            "make one with `python train.py`, or wrap a model of your own in deepdream.models.Network"
        )
    weights = {
        key.removeprefix("model."): value for key, value in unpacked(checkpoint).items() if key.startswith("model.")
    }
    classes = list(hyper_parameters.get("classes") or index_names(len(weights.get("fc.weight", ()))))
    try:  # a checkpoint of an earlier version has fewer keys: a model without them is the classic one
        model = ResNet(num_classes=len(classes), **hyper_parameters["model"])
    except TypeError as error:
        version = hyper_parameters.get("version", "another version")
        raise ValueError(f"{path} names a model that this version of deepdream does not know ({version})") from error
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise ValueError(f"the weights in {path} do not fit the model that it names: {first}") from error
    red, green, blue = hyper_parameters["mean"]
    red_std, green_std, blue_std = hyper_parameters["std"]
    return Network(
        model.eval(),
        classes,
        (red, green, blue),
        (red_std, green_std, blue_std),
        hyper_parameters["image_size"],
        str(path),
        digest,
        hyper_parameters,
    )

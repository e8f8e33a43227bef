"""Networks by name: the bundled one, and published weights for ImageNet and Places365."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import torch
from torchvision.models import get_model_weights

from deepdream.models.checkpoint_file import network_from_checkpoint, read_checkpoint_file
from deepdream.models.config import BUNDLED
from deepdream.models.network import Network
from deepdream.models.resnet import ResNet

BUNDLED_SHA256 = "0fae598b00bbd6b8993b47077a9575137e0040dca5305ed30e5a92acbcc03312"

# The preprocessing of the published weights, at 224 pixels.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
IMAGE_SIZE = 224

PLACES365_URL = "http://places2.csail.mit.edu/models_places365/resnet{depth}_places365.pth.tar"


def bundled() -> Network:
    """The network that comes with the package: trained by our own train.py, see deepdream/weights/README.md."""
    return network_from_checkpoint(bundled_path(), name=BUNDLED, sha256=BUNDLED_SHA256)


def bundled_path() -> Path:
    """The checkpoint of the bundled network, with 8-bit weights."""
    return Path(str(files("deepdream.weights") / "box.ckpt"))


def imagenet(depth: int) -> Network:
    """Our ResNet with torchvision's newest ImageNet weights, downloaded at the first use."""
    weights = get_model_weights(f"resnet{depth}").DEFAULT
    name = f"imagenet/resnet{depth}"
    try:
        state_dict = weights.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise ValueError(f"the weights of {name} could not be downloaded from {weights.url}: {error}") from error
    classes = list(weights.meta["categories"])
    model = ResNet(depth, len(classes))
    model.load_state_dict(state_dict)
    return Network(model.eval(), classes, MEAN, STD, IMAGE_SIZE, name)


def places365(depth: int) -> Network:
    """Our ResNet with CSAIL's weights for the 365 kinds of places, downloaded at the first use.

    Source: Zhou et al., "Places: A 10 Million Image Database for Scene Recognition" (2017); the weights are CC BY.
    """
    url, name = PLACES365_URL.format(depth=depth), f"places365/resnet{depth}"
    path = _downloaded(url, name)
    content, digest = read_checkpoint_file(path)
    weights = content.get("state_dict")
    weights = weights if isinstance(weights, dict) else {}
    classes = places365_classes()
    model = ResNet(depth, len(classes))
    try:  # names begin with "module.": it was trained on several GPUs
        model.load_state_dict({key.removeprefix("module."): value for key, value in weights.items()})
    except RuntimeError as error:
        raise ValueError(
            f"{path} does not hold the weights of {name}; remove it to download it again from {url}"
        ) from error
    return Network(model.eval(), classes, MEAN, STD, IMAGE_SIZE, name, digest)


def places365_classes() -> list[str]:
    """The 365 names, in the order of the logits, for example "apartment_building/outdoor"."""
    lines = (files("deepdream.models") / "places365.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


# family: (what makes one of it, its depths)
FAMILIES: dict[str, tuple[Callable[[int], Network], tuple[int, ...]]] = {
    "imagenet": (imagenet, (18, 34, 50, 101, 152)),
    "places365": (places365, (18, 50)),
}


def is_named(name: str) -> bool:
    """Whether `name` is "box", or begins with a family: "imagenet/..." or "places365/..."."""
    family, slash, _ = name.partition("/")
    return name == BUNDLED or bool(slash and family in FAMILIES)


def named_network(name: str) -> Network:
    """The network called `name`: "box", "imagenet/resnet50" ... Raises ValueError for a name that does not exist."""
    if name == BUNDLED:
        return bundled()
    family = name.partition("/")[0]
    make, depths = FAMILIES[family]
    available = {f"{family}/resnet{depth}": depth for depth in depths}
    if name not in available:
        raise ValueError(f"there is no network {name!r}; there are {', '.join(available)}")
    return make(available[name])


def _downloaded(url: str, name: str) -> Path:
    """The file of `url` in torch.hub's cache, beside torchvision's; downloaded if it is missing."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path))
        except OSError as error:
            raise ValueError(f"the weights of {name} could not be downloaded from {url}: {error}") from error
    return path

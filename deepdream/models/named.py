"""Networks by name: the bundled ones, and published weights of torchvision, timm and Places365."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from importlib.resources import files
from pathlib import Path

import torch
from torch import nn

from deepdream.console import BYTES, progress_bar
from deepdream.download import RetryPolicy, download
from deepdream.files import exclusive
from deepdream.models.architectures import architectures, build, import_timm
from deepdream.models.building import build_model
from deepdream.models.checkpoint_file import network_from_checkpoint, read_checkpoint_file
from deepdream.models.class_names import default_classes, places365_classes
from deepdream.models.config import BUNDLED
from deepdream.models.foreign import OUR_RESNETS, model_record
from deepdream.models.matching import loaded, shapes_of, under_names_of
from deepdream.models.network import Network
from deepdream.models.preprocessing import Preprocessing, network_with, published_preprocessing
from deepdream.models.weights_file import read_weights_file, state_dict_in
from deepdream.schema import did_you_mean

# The networks that come with the package, deepdream/weights/NAME.ckpt: the SHA-256 of each file.
BUNDLED_SHA256 = {
    BUNDLED: "ab7b8f507484f91bcb210b93dae864a0161bd436381d94727e5c1beaf6f95f71",
    "box": "0fae598b00bbd6b8993b47077a9575137e0040dca5305ed30e5a92acbcc03312",
}

PLACES365_URL = "http://places2.csail.mit.edu/models_places365/{name}_places365.pth.tar"
PLACES365 = ("resnet18", "resnet50", "alexnet", "densenet161")  # the networks that CSAIL has published
HASH_IN_NAME = re.compile(r"-([a-f0-9]{8,})\.")  # torchvision's and timm's files: the first digits of the SHA-256
RETRIES = RetryPolicy(attempts=3)

# The families with one network per depth of our ResNet: in `start_from`, a family means that of the model's depth.
FAMILIES = ("imagenet", "places365")
LIBRARIES = ("torchvision", "timm")


def bundled(name: str = BUNDLED) -> Network:
    """A network that comes with the package: trained by our own train.py, see deepdream/weights/README.md."""
    path = bundled_path(name)
    checkpoint, digest = read_checkpoint_file(path)
    if digest != BUNDLED_SHA256[name]:
        raise ValueError(f"{path} is not the file of this version (SHA-256 {digest}); reinstall deepdream")
    return network_from_checkpoint(path, checkpoint, digest, name=name)


def bundled_path(name: str = BUNDLED) -> Path:
    """The checkpoint of a bundled network, with 8-bit weights."""
    return Path(str(files("deepdream.weights") / f"{name}.ckpt"))


def is_named(name: str) -> bool:
    """Whether `name` is a bundled network, or begins with a family or a library: "places365/...", "torchvision/..."."""
    family, slash, _ = name.partition("/")
    return name in BUNDLED_SHA256 or bool(slash and family in (*FAMILIES, *LIBRARIES))


def named_network(name: str) -> Network:
    """The network called `name`, with its published weights, downloaded at the first use.

    name: "miniplaces", "box", "torchvision/convnext_tiny" (any classification model), "timm/resnet50.a1_in1k" (the tag
        may be left out), "imagenet/resnet50" (our ResNet with torchvision's weights), "places365/resnet18" ...
    Raises ValueError, in one line, for a name that does not exist, and where its weights cannot be had.
    """
    if name in BUNDLED_SHA256:
        return bundled(name)
    family, _, rest = name.partition("/")
    if family == "timm":
        return _of_timm(name)
    if family == "places365":
        return _of_places365(name, rest)
    official = f"torchvision/{rest}"
    if family == "imagenet" and official not in OUR_RESNETS:
        raise _unknown(name, [each.replace("torchvision", "imagenet") for each in OUR_RESNETS])
    return _of_torchvision(name, official)


def _of_torchvision(name: str, official: str) -> Network:
    from torchvision.models import get_model_weights  # takes as long as torch: a dream of our own network does without

    architecture = official.partition("/")[2]
    if architecture not in architectures("torchvision"):
        build(official)  # raises the error for it
    weights = get_model_weights(architecture).DEFAULT
    path = downloaded(weights.url, name)
    return _published(name, official, path, list(weights.meta["categories"]), weights.url)


def _of_places365(name: str, architecture: str) -> Network:
    """CSAIL's weights for the 365 kinds of places.

    Source: Zhou et al., "Places: A 10 Million Image Database for Scene Recognition" (2017); the weights are CC BY. They
    are files of PyTorch 0.2 and its names, and CSAIL publishes no hash of them.
    """
    if architecture not in PLACES365:
        raise _unknown(name, [f"places365/{each}" for each in PLACES365])
    url = PLACES365_URL.format(name=architecture)
    return _published(
        name, f"torchvision/{architecture}", downloaded(url, name), places365_classes(), url, Preprocessing()
    )


def _published(
    name: str, official: str, path: Path, classes: list[str], url: str, preprocessing: Preprocessing | None = None
) -> Network:
    record = model_record(official)
    make = partial(build_model, record, len(classes))
    content, digest = read_weights_file(path)
    misfit = f"{path} does not hold the weights of {name}; remove it to download it again from {url}"
    weights = under_names_of(shapes_of(make), state_dict_in(content, path))
    usual = preprocessing or published_preprocessing(official)
    return network_with(usual, loaded(make, weights, misfit), classes, source=name, digest=digest, record=record)


def _of_timm(name: str) -> Network:
    """timm loads its weights itself: from the hub, whose files it keeps in HF_HOME, or from an address of its own."""
    build_only = model_record(name)
    with torch.device("meta"):
        build(name)  # raises the error for a name or a tag that does not exist
    timm = import_timm()
    architecture = name.partition("/")[2]
    config = timm.get_pretrained_cfg(architecture)
    if config is None or not config.has_weights:
        raise ValueError(f"timm has no weights for {name}; name others with ckpt=PATH ckpt_model={name}")
    if not config.num_classes:
        raise ValueError(f"{name} has no classes: timm's weights for it are those of a backbone without a head")
    try:
        model = timm.create_model(architecture, pretrained=True)
    except Exception as error:  # of huggingface_hub, requests, httpx or urllib, and for a damaged file
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"the weights of {name} could not be loaded: {reason}") from error
    classes = list(config.label_names or default_classes(config.num_classes))
    usual = published_preprocessing(name)
    return network_with(usual, model.eval(), classes, source=name, digest=digest_of(model), record=build_only)


def _unknown(name: str, names: list[str]) -> ValueError:
    return ValueError(f"there is no network {name!r}; there are {', '.join(names)}{did_you_mean(name, names)}")


def digest_of(model: nn.Module) -> str:
    """SHA-256 of the names and values of all weights, for a network whose file is not known."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def downloaded(url: str, name: str) -> Path:
    """The file of `url` in torch.hub's cache, beside torchvision's; downloaded if it is missing.

    A download resumes where an earlier one stopped, and must have the hash that is part of its name, where one is.
    Raises ValueError, in one line, where it cannot be had.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file():
        return path
    expected = HASH_IN_NAME.search(path.name)

    def check(part: Path) -> None:
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if expected is not None and not found.startswith(expected[1]):
            raise ValueError(f"its SHA-256 begins with {found[:12]}, and by its name with {expected[1]}")

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(path.with_name(f".{path.name}.lock")), progress_bar(f"downloading {name}", columns=BYTES) as bar:
            if not path.is_file():  # another process may have downloaded it meanwhile
                download([url], path, check=check, on_bytes=bar, retry=RETRIES)
    except OSError as error:
        raise ValueError(
            f"the weights of {name} could not be downloaded: {error}. On a machine without a network, put the file of "
            f"{url} into {path.parent}"
        ) from error
    return path

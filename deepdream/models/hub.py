"""A network as a folder in the layout of Hugging Face's hub: config.json, model.safetensors and a card.

Such a folder needs no other key: it says what its classes and inputs are. Folders of timm in that layout open too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from deepdream import __version__
from deepdream.distribution import install_extra
from deepdream.files import atomic_folder
from deepdream.models.building import ARCHITECTURE, build_model
from deepdream.models.card import CARD, CardDetails, card
from deepdream.models.checkpoint_file import CHECKPOINT_KEYS, network_of_record, without_places
from deepdream.models.class_names import default_classes
from deepdream.models.matching import loaded, shapes_of, under_names_of
from deepdream.models.network import Network
from deepdream.models.preprocessing import network_with, timm_preprocessing
from deepdream.models.weights_file import read_weights_file, state_dict_in

HUB = "hf://"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
OTHER_WEIGHTS = "pytorch_model.bin"  # in older folders of the hub
LARGEST_CONFIG = 10_000_000  # bytes

# What an exported folder says of the training: of its data all but paths and addresses.
SHARED = ("model", "classes", "mean", "std", "image_size", "resize", "interpolation", "data", "version")


def is_on_hub(name: str) -> bool:
    """Whether `name` is that of a folder of the hub: "hf://user/name", with @revision where one is wanted."""
    return name.startswith(HUB)


def is_exported(path: Path) -> bool:
    """Whether `path` is a folder in the layout of the hub."""
    return (path / CONFIG).is_file()


def network_from_folder(folder: Path, *, name: str | None = None) -> Network:
    """The network in a folder that `export_network` or timm has written; `name` is its source, by default the folder.

    Raises ValueError, in one line, for a folder of another kind, and for damaged files.
    """
    config = _read_config(folder / CONFIG)
    path = next((path for path in (folder / WEIGHTS, folder / OTHER_WEIGHTS) if path.is_file()), None)
    if path is None:
        raise ValueError(f"{name or folder} has no weights: neither {WEIGHTS} nor {OTHER_WEIGHTS}")
    content, digest = read_weights_file(path)
    weights = state_dict_in(content, path)
    if all(key in config for key in CHECKPOINT_KEYS):
        return network_of_record(path, config, weights, name=name or str(folder), digest=digest)
    if isinstance(config.get(ARCHITECTURE), str):
        return _of_timm(path, config, weights, name=name or str(folder), digest=digest)
    kind = f"a model of transformers ({config['model_type']})" if "model_type" in config else "no network of deepdream"
    raise ValueError(f"{name or folder} is {kind}: its {CONFIG} has neither our keys nor timm's `{ARCHITECTURE}`")


def network_from_hub(name: str) -> Network:
    """The network in the folder `name` of the hub, "hf://user/name" or "hf://user/name@revision".

    Its files are kept in HF_HOME, and found there without a network. Raises ValueError, in one line, where huggingface-
    hub is not installed, the files cannot be had, or are not those of a network.
    """
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise ValueError(f"{name} needs the package huggingface-hub; `{install_extra('hf')}` brings it") from error
    repository, _, revision = name.removeprefix(HUB).partition("@")
    fetch = partial(hf_hub_download, repository, revision=revision or None)
    try:
        config = Path(fetch(CONFIG))
        try:
            fetch(WEIGHTS)
        except EntryNotFoundError:
            fetch(OTHER_WEIGHTS)
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{name} could not be downloaded: {reason}") from error
    return network_from_folder(config.parent, name=name)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise ValueError(f"{path} has {path.stat().st_size:,} bytes, and is no configuration of a network")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} holds a {type(config).__name__}, and not the configuration of a network")
    return config


def _of_timm(
    path: Path, config: Mapping[str, Any], weights: Mapping[str, Tensor], *, name: str, digest: str
) -> Network:
    """A folder of `timm.models.push_to_hf_hub`: architecture, model_args, pretrained_cfg."""
    try:
        pretrained = dict(config.get("pretrained_cfg") or config)
        count = int(config.get("num_classes", pretrained.get("num_classes", 1000)))
        usual = timm_preprocessing(pretrained)
        classes = [str(each) for each in pretrained.get("label_names") or config.get("label_names") or ()]
        record = {ARCHITECTURE: f"timm/{config[ARCHITECTURE]}", **(config.get("model_args") or {})}
    except (TypeError, ValueError, KeyError, ZeroDivisionError, OverflowError) as error:
        raise ValueError(f"the {CONFIG} of {name} is damaged: {error}") from error
    make = partial(build_model, record, count)
    misfit = f"the weights in {path} do not fit its {CONFIG}"
    model = loaded(make, under_names_of(shapes_of(make), weights), misfit)
    network = network_with(usual, model, classes or default_classes(count), source=name, digest=digest, record=record)
    if len(network.classes) != count:
        raise ValueError(f"the {CONFIG} of {name} has {len(network.classes)} label_names for {count} classes")
    return network


def export_network(network: Network, folder: Path, details: CardDetails | None = None) -> None:
    """Write `network` as a folder that `load_network` reads, with bit-equal weights and the same inputs and classes.

    details: what its card tells beyond that.
    Raises ValueError for a network that only Python can build, and OSError.
    """
    config = shared_record(network)
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in network.model.state_dict().items()}
    with atomic_folder(folder) as partial_folder:
        (partial_folder / WEIGHTS).write_bytes(safetensors.torch.save(weights, metadata={"format": "pt"}))
        (partial_folder / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        details = details or CardDetails()
        for name, image in details.images.items():
            image.save(partial_folder / name)
        (partial_folder / CARD).write_text(card(network, folder.name, details), encoding="utf-8")


def shared_record(network: Network) -> dict[str, Any]:
    """What an exported folder says of `network`, as plain values; no path and no address of this machine."""
    known = dict(network.hyper_parameters or {})
    if "model" not in known:
        raise ValueError(
            f"{network.source} was built in Python; only a network that load_network has built is exported"
        )
    known |= {
        "classes": network.classes,
        "mean": list(network.mean),
        "std": list(network.std),
        "image_size": network.image_size,
        "resize": network.resize_side,
        "interpolation": network.interpolation,
        "version": known.get("version", __version__),
    }
    known["data"] = without_places(known.get("data"))
    return {key: known[key] for key in SHARED}

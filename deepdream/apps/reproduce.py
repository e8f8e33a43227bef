"""The provenance of a dream: stored inside its image, and read to make the image again (from=dream.png)."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig

from deepdream import __version__, dreaming
from deepdream.apps.overrides import recorded
from deepdream.apps.renamed import translate
from deepdream.dreaming.config import DreamAppConfig
from deepdream.images import has_profile_or_alpha
from deepdream.provenance import content, read_provenance
from deepdream.registry import only_ours
from deepdream.schema import typed

if TYPE_CHECKING:
    from deepdream.dreaming import Dreamer
    from deepdream.models import Network

OLD_KEYS = "0.1."  # versions whose configuration has the names in `renamed`
IN_UNITS_OF_NETWORK = ("0.1.", "0.2.")  # versions whose `normalized` had the network's mean and std, not ImageNet's
# Keys that may be given together with reproduce.
BESIDE = ("reproduce", "ckpt", "output", "overwrite", "logger", "tags")
TRUSTED = "dream.objective"  # may be too, to trust the user's own objective that the image names


def provenance(
    config: DreamAppConfig, network: Network, dreamer: Dreamer, *, compared: Sequence[Path] = ()
) -> dict[str, Any]:
    """What is stored inside an image: enough to reproduce it, bit for bit on the same machine.

    Layers are stored by the names that they have in this network. compared: the images that were dreamed together,
    where the objective compares them.
    """
    used = dataclasses.replace(config, dream=dreamer.config, max_pixels=dreamer.max_pixels, reproduce=None, output=None)
    config_of_image = dataclasses.asdict(used)
    for key in ("logger", "tags", "overwrite"):  # of the run
        del config_of_image[key]
    inputs = {key: content(name) for key, name in _inputs(config).items()}
    return {
        "inputs": inputs | ({"compared images": content(list(map(str, compared)))} if compared else {}),
        "config": config_of_image,
        "checkpoint": {"name": network.source, "sha256": network.digest},
        "version": __version__,
    }


def _inputs(config: DreamAppConfig) -> dict[str, Any]:
    """The files that a dream is made from, by key."""
    found = {"image": config.image, "guide": config.guide, "mask": config.mask}
    return found if config.film.music is None else {**found, "film.music": config.film.music}


def check_overrides(config: DreamAppConfig) -> None:
    """Raises ValueError for a key of the command line that would have no effect beside reproduce."""
    for override in recorded(HydraConfig.get().overrides.task):
        key = override.lstrip("+~").partition("=")[0]
        is_trusted = key == TRUSTED and _names_objective(_stored_config(config), config)
        if key.partition(".")[0] not in BESIDE and not is_trusted:
            raise ValueError(f"from= makes an image again with its own configuration; leave {override} out")


def reproduced(config: DreamAppConfig) -> DreamAppConfig:
    """The configuration stored in the image `config.reproduce`, with the output of `config`, and its ckpt if given.

    What is read is data: it is checked by the schema, key by key, and names files at most. Raises ValueError where it
    is not the configuration of a dream, or one of an earlier version that this version computes otherwise.
    """
    path = Path(str(config.reproduce))
    stored, stored_config = _stored(path), _stored_config(config)
    version = str(stored.get("version"))
    try:
        with contextlib.nullcontext() if _names_objective(stored_config, config) else only_ours():
            before = _typed(stored_config, path, is_old=version.startswith(OLD_KEYS))
    except ValueError as error:
        if version in (__version__, "None"):
            raise
        raise ValueError(f"{path} was made by version {version}: {error}") from error
    _check_photos(stored_config, before, path)
    output = config.output or f"{path.stem}_reproduced{path.suffix}"
    checkpoint = stored.get("checkpoint")
    name = checkpoint.get("name") if isinstance(checkpoint, dict) else None
    return dataclasses.replace(
        before,
        ckpt=config.ckpt or name,
        output=output,
        reproduce=config.reproduce,
        overwrite=config.overwrite,
        logger=config.logger,
        tags=config.tags,
    )


def _stored_config(config: DreamAppConfig) -> dict[str, Any]:
    stored = _stored(Path(str(config.reproduce))).get("config")
    if not isinstance(stored, dict):
        raise ValueError(f"{config.reproduce} was not made by dream.py: its provenance has no config")
    return stored


def _check_photos(stored: dict[str, Any], config: DreamAppConfig, path: Path) -> None:
    """Raises ValueError for a dream of a photo that was read in other colours before dreams stored dream.bits."""
    if "bits" in stored["dream"]:
        return
    for name in (config.image, config.guide, config.mask):
        if isinstance(name, str) and has_profile_or_alpha(name):
            raise ValueError(
                f"{path} was made by a version that ignored the colour profile and the transparency of {name}; "
                "reproduce it with deepdream 0.2.0, or dream the photo again"
            )


def _names_objective(stored: dict[str, Any], config: DreamAppConfig) -> bool:
    """Whether the command line names the objective that is stored."""
    dream = stored.get("dream")
    return isinstance(dream, dict) and dream.get("objective") == config.dream.objective


def _typed(stored: dict[str, Any], path: Path, *, is_old: bool) -> DreamAppConfig:
    data: Mapping[str, Any] = stored
    if is_old:
        if data.get("mask") is not None:
            raise ValueError("its mask is computed otherwise since version 0.2.0; install that version to reproduce it")
        data = {"mode": "image", "channels": None, **translate(data)}
    return typed(DreamAppConfig, data)


def check_same_network(config: DreamAppConfig, network: Network) -> None:
    """Raises ValueError where `network` is not the one that made the image `config.reproduce`, or had other units."""
    from deepdream.models.preprocessing import IMAGENET_STD

    record = _stored(Path(str(config.reproduce)))
    stored: Any = record.get("checkpoint")
    has_other_units = network.std != IMAGENET_STD and str(record.get("version")).startswith(IN_UNITS_OF_NETWORK)
    if has_other_units and (config.dream.parameterization == "normalized" or config.dream.noise):
        raise ValueError(
            f"{config.reproduce} was made by version {record['version']}: its steps or noise had the units of "
            f"{network.source}, which today are those of ImageNet; install that version to reproduce it"
        )
    if isinstance(stored, dict) and stored.get("sha256") not in ("", network.digest):  # "": of a named network, once
        raise ValueError(
            f"{config.reproduce} was dreamed by another network: its checkpoint was {stored.get('name')} with SHA-256 "
            f"{str(stored.get('sha256'))[:12]}..., {network.source} has {network.digest[:12]}...; name the right one "
            "with ckpt=PATH"
        )


def check_same_inputs(config: DreamAppConfig) -> None:
    """Raises ValueError where a file that the image `config.reproduce` was made from has changed since.

    Images of earlier versions have no record of them.
    """
    stored = _stored(Path(str(config.reproduce))).get("inputs")
    if not isinstance(stored, dict):
        return
    for key, name in _inputs(config).items():
        was, now = stored.get(key), content(name)
        if was != now and now != name:  # a file that is missing is answered where it is read
            raise ValueError(
                f"{config.reproduce} was made from another {key}: {name} has changed since; put the earlier file back, "
                f"or dream the new one with {key}={name} and without from="
            )


def _stored(path: Path) -> dict[str, Any]:
    return dreaming.read_film_provenance(path) if path.suffix.lower() == ".mp4" else read_provenance(path)

"""The network of a call: one that is loaded already, or its checkpoint or name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepdream import models
from deepdream.apps.checkpoints import chosen_checkpoint, chosen_network
from deepdream.models import Network
from deepdream.models.config import BUNDLED


def load_network(source: str | Path = BUNDLED, **about: Any) -> Network:
    """A network from a checkpoint, from a file of weights, or by name; on the CPU, in float32, in eval mode.

    source: as `deepdream.models.load_network` takes it; "miniplaces" is the bundled model, and "last" the newest
        checkpoint of the runs below the current folder.
    about: model, classes, mean, std and image_size of a file that holds only weights, as for that function.

    Raises FileNotFoundError or ValueError, in one line.
    """
    return models.load_network(chosen_checkpoint(str(source)), **about)


def opened(network: Network | str | Path | None) -> tuple[Network, str | None]:
    """The network, and what `ckpt` is in the configuration that names it; None is the bundled model."""
    if isinstance(network, Network):
        return network, None if network.source == BUNDLED else network.source
    ckpt = None if network is None else str(network)
    return chosen_network(ckpt or BUNDLED), ckpt

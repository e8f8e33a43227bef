"""Make a dream again from what its picture keeps."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream.dreaming.config import DreamAppConfig
from deepdream.schema import as_data, typed

if TYPE_CHECKING:
    from deepdream.models import Network


def recalled(config: DreamAppConfig) -> DreamAppConfig:
    """The configuration that the picture `config.again` keeps, with the output of `config`, and its ckpt if it has one.

    What is read is data: it is checked by the schema, key by key, and names files at most. Raises ValueError where it
    is not the configuration of a dream.
    """
    assert config.again is not None
    kept = _kept(Path(config.again))
    if not isinstance(kept.get("config"), dict):
        raise ValueError(f"{config.again} was not made by dream.py: its provenance has no config")
    before = typed(DreamAppConfig, as_data(kept["config"], config.again))
    output = config.output or f"{Path(config.again).stem}_again{Path(config.again).suffix}"
    checkpoint = kept.get("checkpoint")
    name = checkpoint.get("name") if isinstance(checkpoint, dict) else None
    return dataclasses.replace(before, ckpt=config.ckpt or name, output=output, again=config.again)


def check_same_network(config: DreamAppConfig, network: Network) -> None:
    """Raises ValueError where `network` is not the one that made the picture `config.again`."""
    assert config.again is not None
    kept: Any = _kept(Path(config.again)).get("checkpoint")
    if isinstance(kept, dict) and kept.get("sha256") != network.digest:
        raise ValueError(
            f"{config.again} was dreamed by another network: its checkpoint was {kept.get('name')} with SHA-256 "
            f"{str(kept.get('sha256'))[:12]}..., {network.source} has {network.digest[:12]}...; name the right one "
            "with ckpt=PATH"
        )


def _kept(path: Path) -> dict[str, Any]:
    from deepdream.provenance import read_provenance

    if path.suffix.lower() == ".mp4":
        from deepdream.dreaming.video import read_film_provenance

        return read_film_provenance(path)
    return read_provenance(path)

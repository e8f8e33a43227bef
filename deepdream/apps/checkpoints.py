"""The checkpoint and the network that a command works on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deepdream import models
from deepdream.console import invocation
from deepdream.models.config import ENDINGS, missing_weights

if TYPE_CHECKING:
    from deepdream.models import Network
    from deepdream.models.config import WeightsConfig

BEST = ("outputs/*/*/checkpoints/best.ckpt", "multirun/*/*/*/checkpoints/best.ckpt")
LAST = "last"


def chosen_checkpoint(ckpt: str, folder: Path | None = None) -> str:
    """`ckpt`, or for "last" the newest best.ckpt of the runs and sweeps below `folder` (default: the current one).

    Raises ValueError, in one line that tells how to get one, where there is none; and what `check_file` raises.
    """
    if ckpt != LAST:
        check_file(ckpt)
        return ckpt
    found = [path for pattern in BEST for path in (folder or Path()).glob(pattern)]
    if not found:
        raise ValueError(
            "there is no checkpoint under outputs/ or multirun/: train a network with "
            f"`{invocation('train')} experiment=demo` (minutes on a CPU), or name one: ckpt=PATH, ckpt=miniplaces"
        )
    newest = max(found, key=lambda path: path.stat().st_mtime)
    print(f"checkpoint: {newest} (the newest)")
    return str(newest)


def check_file(ckpt: str) -> None:
    """Raise FileNotFoundError for the name of a file of weights that is not there: before torch is imported."""
    if ckpt.endswith(ENDINGS) and not Path(ckpt).exists():
        raise missing_weights(Path(ckpt))


def chosen_network(ckpt: str, weights: WeightsConfig | None = None) -> Network:
    """The network of `chosen_checkpoint`, with what the keys ckpt_... of `weights` say of it. Prints notes on it."""
    about = weights.about_weights() if weights is not None else {}
    chosen = chosen_checkpoint(ckpt)  # before torch is imported
    network = models.load_network(chosen, **about)
    for note in network.notes:
        print(f"note: {note}")
    if not network.has_class_names:
        print(f"note: {network.source} does not name its {len(network.classes)} classes; they go by their index")
    return network


def run_folder(ckpt: str | Path) -> Path:
    """The folder of the run that wrote a checkpoint."""
    return Path(ckpt).resolve().parent.parent

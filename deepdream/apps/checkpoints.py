"""Which checkpoint a command works on."""

from __future__ import annotations

from pathlib import Path

BEST = ("outputs/*/*/checkpoints/best.ckpt", "multirun/*/*/*/checkpoints/best.ckpt")


def chosen_checkpoint(ckpt: str | None, folder: Path | None = None) -> str:
    """`ckpt`, or where it is None the newest best.ckpt of the runs and sweeps below `folder` (the current one).

    Raises ValueError where there is none, saying how to get one.
    """
    if ckpt is not None:
        return ckpt
    found = [path for pattern in BEST for path in (folder or Path()).glob(pattern)]
    if not found:
        raise ValueError(
            "there is no checkpoint under outputs/ or multirun/: train a network with "
            "`python train.py experiment=demo` (minutes on a CPU), or name one with ckpt=PATH"
        )
    newest = max(found, key=lambda path: path.stat().st_mtime)
    print(f"checkpoint: {newest} (the newest)")
    return str(newest)


def run_folder(ckpt: str | Path) -> Path:
    """The folder of the run that made a checkpoint."""
    return Path(ckpt).resolve().parent.parent

"""Where pictures come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepdream.scenes.datamodule import SceneDataModule

__all__ = ["SceneDataModule"]


def __getattr__(name: str) -> Any:
    """SceneDataModule at its first use: it brings Lightning, and the processes that draw rooms do without."""
    if name in __all__:
        from deepdream.scenes import datamodule

        return getattr(datamodule, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

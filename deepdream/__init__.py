"""Train an image network, understand what it has learned, and make art from it.

    import deepdream as dd

    dd.dream("photo.jpg", width=640, layers=["layer4"]).save("dream.png")
    dd.visualize("layer4:12")
    dd.explain("photo.jpg")

Importing it is quick: torch is imported when it is first used.
"""

from typing import Any

import lazy_loader

_lazy, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":  # read when it is asked for: importlib.metadata takes a while to import
        from deepdream.distribution import version

        return version()
    return _lazy(name)

"""Train an image network, understand what it has learned, and make art from it.

    import deepdream as dd

    dd.dream("photo.jpg", width=640, layers=["layer4"]).save("dream.png")
    dd.visualize("layer4:12")
    dd.explain("photo.jpg")

Importing it is quick: torch is imported when it is first used.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

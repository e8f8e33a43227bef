"""Synthetic rooms: a renderer for twelve classes of MIT Indoor Scenes, and the data set made with it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""DeepDream, feature visualisation and style transfer by gradient ascent on an image."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Attributions: the evidence for a prediction in the image, and checks whether an attribution can be trusted."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

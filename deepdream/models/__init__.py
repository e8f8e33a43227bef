"""ResNet of any depth, and `Network`, the one form in which every network is handed on."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

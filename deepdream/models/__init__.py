"""ResNet of any depth, and `Network`: a model with its classes and preprocessing, which all later stations take."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

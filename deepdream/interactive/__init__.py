"""One line of Python for what a command does: dreams, visualisations and explanations that a notebook shows."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""A microscope: every channel of a network beside the images that excite it, as a folder for a browser."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

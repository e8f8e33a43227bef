"""What a network has learned: every channel beside its images, concepts, and how far each image can be trusted."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

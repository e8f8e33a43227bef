"""The same result, faster: folded and fused copies of a network, weight gradients, CUDA graphs, torch.compile.

Optional by construction: the package works without any of it (`disabled`, or DEEPDREAM_ACCELERATION=0), only slower.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

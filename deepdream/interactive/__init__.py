"""One line of Python for what a command does: dreams, visualisations and explanations that a notebook shows."""

import lazy_loader

from deepdream.hardware import let_mps_fall_back, let_pages_be_large, let_threads_sleep

# As every command does, before torch is imported: a call is then as fast.
let_threads_sleep()
let_pages_be_large()
let_mps_fall_back()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Ctrl-C that always ends a command, whatever Python or a library does with the exception that it raises."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Self

AGAIN = 0.1  # seconds


class KeptInterrupts:
    """A block that ends with KeyboardInterrupt where Ctrl-C was pressed inside it.

    Python ignores an exception that is raised while an object is deleted. Libraries have a bare `except` around an
    import, or C code that clears every exception; torch aborts the process when one comes at the wrong moment of its
    import, and Python's compiler raises a SystemError in its place. So an interrupt waits until the import that it
    comes in is over, and one that was ignored is raised at the end of the block, in place of another error too.
    Blocks may be nested: an inner one begins with the interrupt that the outer one missed. Where SIGINT is ignored or
    another handler is set, nothing changes.
    """

    def __enter__(self) -> Self:
        self._came = False
        self._bottom = sys._getframe(1)  # what is below is no business of the block: it may run inside an import
        self._before = signal.getsignal(signal.SIGINT)
        if isinstance(self._before, KeptInterrupts) and self._before._came:
            raise KeyboardInterrupt
        self._is_set = isinstance(self._before, KeptInterrupts) or self._before is signal.default_int_handler
        if self._is_set:
            signal.signal(signal.SIGINT, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_set:
            signal.signal(signal.SIGINT, self._before)
        del self._bottom
        if self._came and (error is None or isinstance(error, Exception)):
            raise KeyboardInterrupt from error

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Python calls this on Ctrl-C, between two instructions of the main thread."""
        self._came = True
        if self._is_importing(frame):
            timer = threading.Timer(AGAIN, self._interrupt_again)
            timer.daemon = True
            timer.start()
        else:
            signal.default_int_handler(number, frame)

    def _is_importing(self, frame: FrameType | None) -> bool:
        while frame is not None and frame is not self._bottom:
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                return True
            frame = frame.f_back
        return False

    def _interrupt_again(self) -> None:
        if signal.getsignal(signal.SIGINT) is self:
            _thread.interrupt_main()

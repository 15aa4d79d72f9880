"""Ctrl-C, kept waiting while a step is on its way."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any


class Interrupts:
    """A context in which the first Ctrl-C waits for the end of a step; a second one does not wait.

    Attributes
    ----------
    waits : bool
        Whether the first Ctrl-C is only noted. Otherwise it raises ``KeyboardInterrupt`` at once.
    count : int
        How often it was pressed.
    """

    def __init__(self) -> None:
        self.waits = False
        self.count = 0
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        """Take Ctrl-C, where nobody else has taken it: in the main thread, from Python."""
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: Any) -> None:
        self.count += 1
        if self.count > 1 or not self.waits:
            raise KeyboardInterrupt

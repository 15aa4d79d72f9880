"""Locks that a child process finds free.

A process that forks while another of its threads holds a lock has that lock held forever in the
child. What is held for moments only, forking waits for: `LOCK`, that of all caches of programs,
which a child so finds whole. What is held for seconds a child gets anew: `LongLock`.
"""

from __future__ import annotations

import os
import threading
from typing import Any

LOCK = threading.RLock()

_forks = hasattr(os, "register_at_fork")
if _forks:
    os.register_at_fork(
        before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release
    )


class LongLock:
    """A re-entrant lock for work that forking does not wait for, such as compiling."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._renew()
        if _forks:
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: Any) -> None:
        self._lock.release()

"""The lock of all caches of programs, which a child process finds free.

A process that forks while another of its threads holds a lock has that lock held forever in the
child. So forking waits for this one. It is held for moments only, never while recording.
"""

from __future__ import annotations

import os
import threading

LOCK = threading.RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release
    )

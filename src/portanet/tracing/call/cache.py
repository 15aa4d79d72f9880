"""The programs of one jitted function."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, NamedTuple

from portanet.tracing.call.anew import difference, warn_of_anew

_MOST_PROGRAMS = 256
_MOST_BYTES = 2**30
_MOST_RECENT = 4
_MANY = 16


class CacheInfo(NamedTuple):
    """How often a jitted function was replayed, how often recorded, and how much it keeps.

    Attributes
    ----------
    hits, misses : int
        Calls that were replayed, and calls that were recorded.
    programs : int
        The programs that are held; at most 256 and 1 GiB, the one that was found longest ago goes
        first.
    kept_bytes : int
        The memory that they hold between calls.
    """

    hits: int
    misses: int
    programs: int
    kept_bytes: int


class Cache:
    """Programs by their keys.

    Attributes
    ----------
    recent : tuple
        Those found last that can tell by themselves whether a call is theirs.
    hits : int
    """

    def __init__(self) -> None:
        self.recent: tuple[Any, ...] = ()
        self.hits = 0
        self._misses = 0
        self._programs: OrderedDict[Any, Any] = OrderedDict()
        self._passing: OrderedDict[Any, None] = OrderedDict()
        self._warned = False
        self._lock = threading.Lock()

    def find(self, key: Any) -> Any:
        """Return the program of a key, None if there is none."""
        with self._lock:
            replay = self._programs.get(key)
            if replay is not None:
                self._programs.move_to_end(key)
                self._use(replay)
        return replay

    def add(self, key: Any, replay: Any, what: str) -> None:
        """Keep a new program; warn if nearly every call of `what` makes one."""
        with self._lock:
            self._misses += 1
            if self._misses == self.hits + _MANY and not self._warned:
                self._warned = True
                warn_of_anew(what, difference(next(reversed(self._programs)), key))
            self._programs[key] = replay
            self._use(replay)
            while len(self._programs) > 1 and (
                len(self._programs) > _MOST_PROGRAMS or self._kept_bytes() > _MOST_BYTES
            ):
                _, gone = self._programs.popitem(last=False)
                self.recent = tuple(x for x in self.recent if x is not gone)

    def is_passing(self, key: Any) -> bool:
        """Whether nearly every call is another one, and this is the first with its key."""
        if not self._warned or self._misses < self.hits or key in self._passing:
            return False
        self._passing[key] = None
        if len(self._passing) > _MOST_PROGRAMS:
            self._passing.popitem(last=False)
        return True

    def info(self) -> CacheInfo:
        with self._lock:
            return CacheInfo(self.hits, self._misses, len(self._programs), self._kept_bytes())

    def _use(self, replay: Any) -> None:
        if replay.match is not None:
            others = [x for x in self.recent if x is not replay]
            self.recent = (replay, *others[: _MOST_RECENT - 1])

    def _kept_bytes(self) -> int:
        return sum(replay.kept_bytes for replay in self._programs.values())

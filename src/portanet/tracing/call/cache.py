"""The programs of one jitted function."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

from portanet.tracing.call.lock import LOCK
from portanet.tracing.call.recent import Recent
from portanet.tracing.call.retracing import difference, warn_of_retracing

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
    hits, misses : int
    """

    def __init__(self) -> None:
        self.recent: tuple[Any, ...] = ()
        self.hits = 0
        self.misses = 0
        self._programs: OrderedDict[Any, Any] = OrderedDict()
        self._passing = Recent(_MOST_PROGRAMS)
        self._refused = Recent(_MOST_PROGRAMS)
        self._changed: str | None = None
        self._warned = False

    def find(self, key: Any) -> Any:
        """Return the program of a key, None if there is none."""
        with LOCK:
            replay = self._programs.get(key)
            if replay is not None:
                self._programs.move_to_end(key)
                self._use(replay)
        return replay

    def add(self, key: Any, replay: Any, what: str) -> None:
        """Keep a new program; warn if nearly every call of `what` makes one."""
        with LOCK:
            self.misses += 1
            if self.misses == self.hits + _MANY and not self._warned:
                self._warned = True
                warn_of_retracing(what, self._reason(key))
            self._programs[key] = replay
            self._use(replay)
            while len(self._programs) > 1 and (
                len(self._programs) > _MOST_PROGRAMS or self._kept_bytes() > _MOST_BYTES
            ):
                _, gone = self._programs.popitem(last=False)
                self.recent = tuple(x for x in self.recent if x is not gone)

    def _reason(self, key: Any) -> str:
        if self._programs:
            return difference(next(reversed(self._programs)), key)
        if self._changed is None:
            return "its programs are cleared each time"
        return f"it finds another {self._changed!r} around it each time: pass that as an argument"

    def clear(self, changed: str | None = None) -> None:
        """Let go of all programs, as something around the function, `changed`, is another by now.

        Without `changed` somebody asked for it, and what was refused may be tried again.
        """
        with LOCK:
            self.recent = ()
            self._programs.clear()
            self._passing.clear()
            self._changed = changed
            if changed is None:
                self._refused.clear()

    def is_passing(self, key: Any) -> bool:
        """Whether nearly every call is another one, and this is the first with its key."""
        with LOCK:
            if not self._warned or self.misses < self.hits:
                return False
            is_new = key not in self._passing
            self._passing.put(key, None)
            return is_new

    def refuse(self, key: Any) -> None:
        """Let calls of a key run as they are from now on."""
        with LOCK:
            self._refused.put(key, None)
            gone = self._programs.pop(key, None)
            self.recent = tuple(x for x in self.recent if x is not gone)

    def is_refused(self, key: Any) -> bool:
        """Whether calls of a key run as they are."""
        return key in self._refused

    def info(self) -> CacheInfo:
        with LOCK:
            return CacheInfo(self.hits, self.misses, len(self._programs), self._kept_bytes())

    def _use(self, replay: Any) -> None:
        if replay.call is not None:
            others = [x for x in self.recent if x is not replay]
            self.recent = (replay, *others[: _MOST_RECENT - 1])

    def _kept_bytes(self) -> int:
        return sum(replay.kept_bytes for replay in self._programs.values())

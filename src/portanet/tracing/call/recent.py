"""A bounded memory: the last entries that were put in."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from portanet.tracing.call.lock import LOCK


class Recent:
    """The last entries by their keys: the one that was put in longest ago goes first.

    Parameters
    ----------
    most : int
        How many there are at most.
    """

    __slots__ = ("_entries", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[Any, Any] = OrderedDict()

    def __contains__(self, key: Any) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Any) -> Any:
        """Return what is at a key, None if there is nothing."""
        return self._entries.get(key)

    def put(self, key: Any, value: Any) -> Any:
        """Return what is at a key: `value`, unless another thread was first."""
        with LOCK:
            value = self._entries.setdefault(key, value)
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)
        return value

    def clear(self) -> None:
        with LOCK:
            self._entries.clear()

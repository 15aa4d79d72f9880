"""Batches made ahead of time in a thread."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any


class Channel:
    """A queue between a thread that makes batches and the one that uses them.

    Either end may be closed: the maker is told not to go on, the user that nothing more comes.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()
        self._abandoned = False
        self._ended = False
        self._error: BaseException | None = None

    def put(self, item: Any) -> bool:
        """Add an item when there is room; return whether somebody still wants more."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or len(self._items) < self._depth)
            self._items.append(item)
            self._changed.notify_all()
            return not self._abandoned

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing more comes, and why."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def items(self) -> Iterator[Any]:
        """Yield the items until the end; raise the error of the maker."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended)
                if not self._items:
                    break
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Say that nobody wants more."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()


def ahead(batches: Generator[Any], depth: int) -> Generator[Any]:
    """Yield the batches of a generator, which runs in a thread up to `depth` batches ahead.

    The thread begins with the first batch that is asked for. It has ended when this generator has:
    at the end, after an error, which is raised here, or when the generator is closed.
    """
    channel = Channel(depth)
    context = contextvars.copy_context()  # such as that of numpy.errstate
    thread = threading.Thread(
        target=context.run, args=(_fill, batches, channel), name="portanet-prefetch", daemon=True
    )
    thread.start()
    try:
        yield from channel.items()
    finally:
        if not sys.is_finalizing():  # when threads no longer run, and their locks stay taken
            channel.abandon()
            thread.join()


def _fill(batches: Generator[Any], channel: Channel) -> None:
    try:
        for batch in batches:
            if not channel.put(batch):
                break
        batches.close()
    except BaseException as error:
        channel.end(error)
    else:
        channel.end()

"""What `dir` and completion show of a module: its public names, and nothing that it imports."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def listing(names: Sequence[str]) -> Callable[[], list[str]]:
    """Return the ``__dir__`` of a module with the public `names`."""
    return lambda: sorted(names)

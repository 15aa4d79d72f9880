"""Properties that are made once, whatever threads ask for them at the same time."""

from __future__ import annotations

import functools
from typing import Any


class once(functools.cached_property):
    """A cached property of which all threads get the same object.

    Two threads that ask first may both make one. That of the first to finish is kept and given to
    both, where ``functools.cached_property`` gives each its own. No lock is held meanwhile: the
    making may import modules, which have locks themselves.
    """

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        name = self.attrname
        assert name is not None
        known = instance.__dict__
        try:
            return known[name]
        except KeyError:
            return known.setdefault(name, self.func(instance))

"""Random numbers that a recording would draw once and for all."""

from __future__ import annotations

import pickle
import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import TracedValueError


class Generators:
    """The generators that a function can draw from without being given them.

    Those that it finds around it, and NumPy's and Python's own.

    Parameters
    ----------
    found : list of tuple
        Generators around the function with their names, None for those of a module.
    """

    def __init__(self, found: list[tuple[str, Any]]) -> None:
        self._states: list[tuple[str, Callable[[], bytes], bytes]] = []
        self._named = {name for name, _ in found}
        for name, value in found:
            if isinstance(value, np.random.Generator):
                self._watch(name, lambda x=value: pickle.dumps(x.bit_generator.state))
            elif isinstance(value, np.random.RandomState):
                self._watch(name, lambda x=value: pickle.dumps(x.get_state()))
            elif isinstance(value, random.Random):
                self._watch(name, lambda x=value: pickle.dumps(x.getstate()))
        self._watch("numpy.random", lambda: pickle.dumps(np.random.get_state()))  # noqa: NPY002
        self._watch("random", lambda: pickle.dumps(random.getstate()))

    def _watch(self, name: str, state: Callable[[], bytes]) -> None:
        self._states.append((name, state, state()))

    def have_drawn(self) -> bool:
        """Raise `TracedValueError` if the function has drawn; return whether it might have.

        A generator whose state has moved was drawn from by the function if its code names it, or
        if no other thread could have.
        """
        moved = [name for name, state, before in self._states if state() != before]
        alone = threading.active_count() == 1
        for name in moved:
            if alone or name in self._named:
                raise TracedValueError(
                    f"the numbers of the generator {name!r} would be drawn once and for all "
                    "inside pn.jit: draw with a key, pn.random.key(seed), which is an argument "
                    "like an array"
                )
        return bool(moved)

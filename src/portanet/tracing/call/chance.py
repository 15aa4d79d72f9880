"""Random numbers that a recording would draw once and for all."""

from __future__ import annotations

import pickle
import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import TracedValueError
from portanet.tracing.call.anew import warn_user
from portanet.tracing.call.surroundings import Surroundings


class Chance:
    """The generators that a function can draw from without being given them.

    Those that it finds around it, and NumPy's and Python's own.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._states: list[tuple[str, Callable[[], bytes], bytes]] = []
        for name, value in Surroundings(function).values():
            if isinstance(value, np.random.Generator):
                self._watch(f"{name!r}", lambda x=value: pickle.dumps(x.bit_generator.state))
            elif isinstance(value, np.random.RandomState):
                self._watch(f"{name!r}", lambda x=value: pickle.dumps(x.get_state()))
        self._watch("numpy.random", lambda: pickle.dumps(np.random.get_state()))  # noqa: NPY002
        self._watch("random", lambda: pickle.dumps(random.getstate()))

    def _watch(self, name: str, state: Callable[[], bytes]) -> None:
        self._states.append((name, state, state()))

    def check(self) -> None:
        """Raise `TracedValueError` if something was drawn since then; warn if others could have."""
        for name, state, before in self._states:
            if state() != before:
                text = (
                    f"the numbers of the generator {name} would be drawn once and for all inside "
                    "pn.jit: draw with a key, pn.random.key(seed), which is an argument like an "
                    "array"
                )
                if threading.active_count() == 1:
                    raise TracedValueError(text)
                warn_user(f"{text}. Or did another thread draw from it just now?")

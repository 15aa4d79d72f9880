"""jit: record a function once, then replay it."""

from __future__ import annotations

import functools
import threading
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from portanet import trees
from portanet.backends import backend_of, is_array
from portanet.errors import ArgumentError
from portanet.stateful import StatefulModel
from portanet.tracing import replays
from portanet.tracing.anew import difference, warn_of_anew
from portanet.tracing.record import Captured
from portanet.tracing.signature import MUTABLE_MODEL, signature

_MOST_PROGRAMS = 256
_MANY = 16


class CacheInfo(NamedTuple):
    """How often a jitted function was replayed, how often recorded, and how much it keeps.

    Attributes
    ----------
    hits, misses : int
        Calls that were replayed, and calls that were recorded.
    programs : int
        The programs that are held; at most 256, the one that was used longest ago goes first.
    kept_bytes : int
        The memory that they hold between calls.
    """

    hits: int
    misses: int
    programs: int
    kept_bytes: int


class Jitted:
    """A function that is recorded once for each structure, shape and dtype, then replayed.

    Made by `jit`.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self._programs: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._last: Any = None
        self._hits = self._misses = 0
        self._warned = False

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        return jit, (self.function,)

    def __repr__(self) -> str:
        return f"jit({getattr(self.function, '__qualname__', self.function)})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        last = self._last
        if last is not None and last.match is not None:
            inputs = last.match((args, kwargs))
            if inputs is not None:
                self._hits += 1
                return last(inputs)
        return self._look_up(args, kwargs)[1]

    def _look_up(self, args: Any, kwargs: Any, run: bool = True) -> tuple[Any, Any]:
        """Return the replay for the arguments, None if there can be none, and the result."""
        leaves, structure = trees.flatten((args, kwargs))
        found = signature(leaves, structure)
        if found is None:
            return None, self.function(*args, **kwargs)
        key, places = found
        with self._lock:
            replay = self._programs.get(key)
            if replay is not None:
                self._programs.move_to_end(key)
                self._last = replay
                self._hits += run
        if replay is not None:
            return replay, replay([leaves[i] for i in places]) if run else None
        return self._record(key, leaves, structure, places, args, kwargs)

    def _record(
        self, key: Any, leaves: list[Any], structure: Any, places: list[int], args: Any, kwargs: Any
    ) -> tuple[Any, Any]:
        backend = backend_of(*(leaves[i] for i in places if is_array(leaves[i])))
        if backend.jit == "none":
            return None, self.function(*args, **kwargs)
        try:
            replay, outputs = replays.make(self.function, leaves, structure, places, backend)
        except Captured:
            return None, self.function(*args, **kwargs)
        with self._lock:
            self._misses += 1
            if self._misses == self._hits + _MANY and not self._warned:
                self._warned = True
                warn_of_anew(f"pn.jit: {self}", difference(next(reversed(self._programs)), key))
            self._last = self._programs[key] = replay
            if len(self._programs) > _MOST_PROGRAMS:
                self._programs.popitem(last=False)
        return replay, outputs

    def cache_info(self) -> CacheInfo:
        """Return how often the function was replayed and recorded, and what is kept.

        Examples
        --------
        >>> import numpy as np
        >>> import portanet as pn
        >>> double = pn.jit(lambda x: 2.0 * x)
        >>> for size in (3, 3, 4):
        ...     _ = double(np.ones(size))
        >>> double.cache_info()[:3]
        (1, 2, 2)
        """
        with self._lock:
            programs = list(self._programs.values())
        kept = sum(replay.kept_bytes for replay in programs)
        return CacheInfo(self._hits, self._misses, len(programs), kept)

    def source(self, *args: Any, **kwargs: Any) -> str:
        """Return the text of the program for these arguments, which is recorded if need be.

        Examples
        --------
        >>> import numpy as np
        >>> import portanet as pn
        >>> print(pn.jit(lambda x: 2.0 * x).source(np.ones(3)))
        def workspace(np, c0):
            multiply = np.multiply
            def replay(a0):
                v0 = multiply(c0, a0)
                return v0
            return replay
        <BLANKLINE>
        """
        replay = self._look_up(args, kwargs, run=False)[0]
        return "# run as it is\n" if replay is None else replay.text()

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """Return what the program for these arguments does and holds, as text.

        Examples
        --------
        >>> import numpy as np
        >>> import portanet as pn
        >>> print(pn.jit(lambda x: np.sin(x) + np.sin(x)).explain(np.ones(3)))
        inputs: 1
        operations: 2
            add: 1
            sin: 1
        outputs: 1
        buffers: 1
        kept bytes: 24
        """
        replay = self._look_up(args, kwargs, run=False)[0]
        return "run as it is" if replay is None else replay.explanation()


def jit(function: Callable[..., Any]) -> Jitted:
    """Make a function that is recorded once and then replayed, without Python in between.

    The first call runs `function` with stand-ins for the arrays and writes down what it does with
    them; later calls replay that. Results are those of `function`, up to rounding.

    Parameters
    ----------
    function : callable
        Takes and returns trees. Its arrays, random keys and counters are inputs. Everything else
        among the arguments is static: for another number, text or shape, dtype, device or
        structure it is recorded again. It must depend on its arguments alone: arrays that it
        takes from around it are constants, which must not be written into, and what it does
        beside computing, such as printing, happens only while it is recorded.

    Returns
    -------
    Jitted
        Called as `function` is. `Jitted.cache_info`, `Jitted.source` and `Jitted.explain` tell
        what it holds.

    Raises
    ------
    TracedValueError
        By a call, where `function` asks for the value of an array: ``if x > 0``, ``float(x)``,
        ``x[0] = 1``.
    ArgumentError
        If `function` is not callable or a `StatefulModel`; by a call with a static argument that
        cannot be hashed, or that is known to change, such as a NumPy generator.

    Notes
    -----
    Inside a derivative, a batch or another jitted function it is as if `function` itself were
    called. On NumPy the replay is a flat list of calls that write into memory kept between calls;
    results never lie in it. array_api_strict and CuPy replay their own functions, JAX uses
    ``jax.jit``, and on torch `function` runs as it is.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> slope = pn.jit(pn.grad(lambda x: np.sum(np.sin(x))))
    >>> slope(np.zeros(2)), slope(np.zeros(2))
    (array([1., 1.]), array([1., 1.]))
    >>> slope.cache_info()[:3]
    (1, 1, 1)
    """
    if isinstance(function, StatefulModel):
        raise ArgumentError(MUTABLE_MODEL)
    if not callable(function):
        raise ArgumentError(f"pn.jit: function is callable: got {type(function).__name__}")
    return Jitted(function)

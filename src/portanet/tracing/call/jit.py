"""jit: record a function once, then replay it."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.backends import backend_of, is_array
from portanet.errors import ArgumentError
from portanet.tracing.call import replays
from portanet.tracing.call.arguments import Marked
from portanet.tracing.call.cache import Cache, CacheInfo
from portanet.tracing.call.chance import Chance
from portanet.tracing.call.signature import refuse_changing, signature
from portanet.tracing.record.record import Captured


class Jitted:
    """A function that is recorded once for each structure, shape and dtype, then replayed.

    Made by `jit`.

    Attributes
    ----------
    function : callable
    around : callable
        The user's function within it, which must find no generators of random numbers.
    """

    def __init__(self, function: Callable[..., Any], static: Marked, donated: Marked) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function = self.around = function
        self._static = static
        self._donated = donated
        self._cache = Cache()

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        return Jitted, (self.function, self._static, self._donated)

    def __repr__(self) -> str:
        return f"jit({getattr(self.function, '__qualname__', self.function)})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for replay in self._cache.recent:
            inputs = replay.match((args, kwargs))
            if inputs is not None:
                self._cache.hits += 1
                return replay(inputs)
        return self._look_up(args, kwargs)[1]

    def _look_up(self, args: Any, kwargs: Any, run: bool = True) -> tuple[Any, Any]:
        """Return the replay for the arguments, None if there can be none, and the result."""
        leaves, structure = trees.flatten(self._static.wrapped(args, kwargs))
        found = signature(leaves, structure)
        if found is not None:
            key, places = found
            replay = self._cache.find(key)
            if replay is not None:
                self._cache.hits += run
                return replay, replay([leaves[i] for i in places]) if run else None
            if not (run and self._cache.is_passing(key)):
                donated = set(map(id, trees.leaves(self._donated.among(args, kwargs))))
                donated = [i for i in places if id(leaves[i]) in donated]
                replay, outputs = self._record(key, leaves, structure, places, donated)
                if replay is not None:
                    return replay, outputs
        return None, self.function(*args, **kwargs)

    def _record(
        self, key: Any, leaves: list[Any], structure: Any, places: list[int], donated: list[int]
    ) -> tuple[Any, Any]:
        """Return a new replay, None where there can be none, and the results of this call."""
        backend = backend_of(*(leaves[i] for i in places if is_array(leaves[i])))
        if backend.jit == "none":
            return None, None
        chance = Chance(self.around)
        try:
            replay, outputs = replays.make(
                self.function, leaves, structure, places, backend, donated
            )
        except Captured:
            return None, None
        chance.check()
        self._cache.add(key, replay, f"pn.jit: {self}")
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
        return self._cache.info()

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

        Each line of the program is an operation, with the shape of its result, where that lies,
        and which operation reads that memory last.

        Examples
        --------
        >>> import numpy as np
        >>> import portanet as pn
        >>> print(pn.jit(lambda x: np.sin(x) + 1.0).explain(np.ones(3)))
        inputs: 1
        operations: 2
            add: 1
            sin: 1
        outputs: 1
        buffers: 1
        kept bytes: 64
        peak bytes beside the inputs: 88 (64 kept, 24 new in each call)
        program:
            a0                  float64 (3,)   input
            v0 = sin(a0)        float64 (3,)   buffer 0   until v1
            v1 = add(v0, 1.0)   float64 (3,)   result
            return v1
        """
        replay = self._look_up(args, kwargs, run=False)[0]
        return "run as it is" if replay is None else replay.explanation()


def jit(
    function: Callable[..., Any],
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    donate_argnums: int | Sequence[int] = (),
) -> Jitted:
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
    static_argnums, static_argnames : int or str, or several, optional
        Arguments, by position or by name, that are static as a whole, whatever they hold: objects
        with a hash, told apart by ``==``. A name stands for its position too, and the other way
        round.
    donate_argnums : int or several, optional
        The positions of arguments, or the names that belong to them, whose arrays are not used
        again by the caller: results may take their memory. JAX then deletes them; elsewhere
        nothing tells a donated array from others, and it may hold anything after the call.

    Returns
    -------
    Jitted
        Called as `function` is. `Jitted.cache_info`, `Jitted.source` and `Jitted.explain` tell
        what it holds.

    Raises
    ------
    TracedValueError
        By a call, where `function` asks for the value of an array: ``if x > 0``, ``float(x)``,
        ``x[0] = 1``, or draws random numbers without a key.
    ArgumentError
        If `function` is not callable or a `StatefulModel`, or an option is no number or name; by
        a call with a static argument that cannot be hashed, or that is known to change, such as a
        NumPy generator.

    Notes
    -----
    Inside a derivative, a batch or another jitted function it is as if `function` itself were
    called. On NumPy the replay is a flat list of calls that write into memory kept between calls;
    results never lie in it. array_api_strict and CuPy replay their own functions, JAX uses
    ``jax.jit`` and torch ``torch.compile``, which takes seconds at the second call; where that
    cannot be used, one warning says why, and functions run as they are. Where nearly every call
    would be recorded anew, one warning says so too, and calls that were not seen before run as
    they are.

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
    refuse_changing(function)
    if not callable(function):
        raise ArgumentError(f"pn.jit: function is callable: got {type(function).__name__}")
    static = Marked(function, "static", static_argnums, static_argnames)
    return Jitted(function, static, Marked(function, "donate", donate_argnums))

"""Functions that are recorded once and replayed, with what they know of their programs."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

from portanet import trees
from portanet.errors import ArgumentError, PortanetError, shown
from portanet.interface import backend_of, is_array
from portanet.tape.trace import Captured
from portanet.tracing.call import replays
from portanet.tracing.call.arguments import Marked
from portanet.tracing.call.cache import Cache, CacheInfo
from portanet.tracing.call.generators import Generators
from portanet.tracing.call.guards import OTHER
from portanet.tracing.call.retracing import reason_of, warn_user
from portanet.tracing.call.signature import signature
from portanet.tracing.watch.surroundings import Surroundings


class Jitted:
    """A function that is recorded once for each structure, shape and dtype, then replayed.

    Made by `jit`.

    Attributes
    ----------
    function : callable
    recordings : int
        How often it was recorded.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        static: Marked,
        donated: Marked,
        around: Surroundings | None = None,
        mode: str | None = None,
    ) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self._static = static
        self._donated = donated
        self._around = around
        self.recordings = 0
        self._mode = mode
        self._cache = Cache()
        self._surroundings: Surroundings | None = None
        self._unchanged: Callable[[], bool] | None = None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        return Jitted, (self.function, self._static, self._donated, None, self._mode)

    def __repr__(self) -> str:
        return f"jit({getattr(self.function, '__qualname__', self.function)})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._unchanged is not None and not self._unchanged():
            self._look_around()
        cache = self._cache
        for replay in cache.recent:
            try:
                outputs = replay.call(args, kwargs)
            except Exception as error:
                failed = error
            else:
                if outputs is OTHER:
                    continue
                cache.hits += 1
                return outputs
            cache.hits += 1
            return self._without(replay.key, failed, args, kwargs)
        return self._look_up(args, kwargs)[1]

    def _look_up(self, args: Any, kwargs: Any, run: bool = True) -> tuple[Any, Any]:
        """Return the replay for the arguments, None if there can be none, and the result."""
        leaves, structure = trees.flatten(self._static.wrapped(args, kwargs))
        found = signature(leaves, structure)
        if found is not None:
            key, places = found
            replay = self._cache.find(key)
            if replay is not None:
                if not run:
                    return replay, None
                self._cache.hits += 1
                try:
                    return replay, replay([leaves[i] for i in places])
                except Exception as error:
                    failed = error
                return None, self._without(key, failed, args, kwargs)
            passing = run and self._cache.is_passing(key)
            if not passing and not self._cache.is_refused(key):
                donated = set(map(id, trees.leaves(self._donated.among(args, kwargs))))
                donated = [i for i in places if id(leaves[i]) in donated]
                try:
                    replay, outputs = self._record(key, leaves, structure, places, donated)
                except PortanetError:
                    raise
                except Exception as error:
                    failed = error
                else:
                    return replay, outputs if replay else self._as_it_is(args, kwargs)
                return None, self._without(key, failed, args, kwargs)
        return None, self._as_it_is(args, kwargs)

    def _record(
        self, key: Any, leaves: list[Any], structure: Any, places: list[int], donated: list[int]
    ) -> tuple[Any, Any]:
        """Return a new replay, None where there can be none, and the results of this call."""
        backend = backend_of(*(leaves[i] for i in places if is_array(leaves[i])))
        _check_mode(self._mode, backend)
        if backend.jit == "none":
            return None, None
        around = self._around or Surroundings(self.function)
        generators = Generators(around.generators)
        try:
            replay, outputs = replays.make(
                self.function, leaves, structure, places, backend, donated, self._mode
            )
        except Captured:
            return None, None
        if generators.have_drawn():
            return None, None
        replay.key = key
        self._take_surroundings()
        self._cache.add(key, replay, f"pn.jit: {self}")
        self.recordings = self._cache.misses
        return replay, outputs

    def _take_surroundings(self) -> None:
        """Note what the function finds around it, after it has run: its own changes do not count.

        What it changes there happens when it is recorded, as printing does.
        """
        known = self._unchanged is not None and self._unchanged()
        if self._around is None and not known:
            self._surroundings = Surroundings(self.function)
            self._unchanged = self._surroundings.unchanged

    def _as_it_is(self, args: Any, kwargs: Any) -> Any:
        outputs = self.function(*args, **kwargs)
        if self._surroundings is not None:
            self._take_surroundings()
        return outputs

    def _look_around(self) -> None:
        """Forget all programs if something around the function is really another one."""
        surroundings = self._surroundings
        if surroundings is None:
            return
        changed = surroundings.changed()
        if changed is None:
            self._unchanged = surroundings.unchanged
            return
        self._cache.clear(changed)
        self._take_surroundings()

    def _without(self, key: Any, failed: Exception, args: Any, kwargs: Any) -> Any:
        """Run the function as it is after recording or replaying it failed.

        What it raises then is the user's own error, and otherwise the fault was ours, unless
        another library refused. Arguments that were donated may be written over already: then
        there is nothing to be run.
        """
        if self._donated.among(args, kwargs):
            raise failed
        outputs = self._as_it_is(args, kwargs)
        self._cache.refuse(key)
        warn_user(f"{self} runs as it is: {reason_of(failed)}")
        return outputs

    def within(self, around: Surroundings) -> Jitted:
        """Return this without its programs, its surroundings watched by the caller."""
        return Jitted(self.function, self._static, self._donated, around, self._mode)

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

    def cache_clear(self) -> None:
        """Forget all programs and the memory that they keep; the next call records.

        Examples
        --------
        >>> import numpy as np
        >>> import portanet as pn
        >>> double = pn.jit(lambda x: 2.0 * x)
        >>> _ = double(np.ones(3))
        >>> double.cache_clear()
        >>> double.cache_info().programs
        0
        """
        self._cache.clear()

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

    def program(self, *args: Any, **kwargs: Any) -> Any:
        """Return the recorded program for these arguments; None if the function runs as it is.

        That of a library with a compiler of its own is None too.
        """
        return getattr(self._look_up(args, kwargs, run=False)[0], "program", None)

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
        operations after each pass:
            recorded: 2
            ...
        """
        replay = self._look_up(args, kwargs, run=False)[0]
        return "run as it is" if replay is None else replay.explanation()


def _check_mode(mode: Any, backend: Any) -> None:
    if mode is not None and mode not in backend.compile_modes:
        known = ", ".join(map(repr, backend.compile_modes)) or "no modes"
        raise ArgumentError(
            f"pn.jit: mode is one of those of {backend.name}, which has {known}: got {shown(mode)}"
        )

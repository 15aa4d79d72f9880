"""A model that stops where numbers end."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from portanet import trees
from portanet.autodiff import custom_vjp
from portanet.core import Argument, Layer, surround
from portanet.errors import HyperparameterError, NonFiniteError, TracedValueError, shown
from portanet.functional import stop_gradient
from portanet.interface import backend_of, is_array, is_floating
from portanet.tape import Box
from portanet.tracing.program import replaced

Path = tuple[str, ...]

_place: ContextVar[Path | None] = ContextVar("portanet_debug_place", default=None)
"""The path of the layer that runs; None while the operations are those of the search itself."""


@contextlib.contextmanager
def _at(place: Path | None) -> Iterator[None]:
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


@dataclass(frozen=True)
class Debugged(Layer):
    """A model that stops at the first NaN, made by `debug`. Its trees are those of the model."""

    model: Layer
    infinities: bool = False

    @property
    def display_name(self) -> str:
        return "debug"

    def children(self) -> Mapping[str, Layer]:
        return self.model.children()

    def with_children(self, children: Mapping[str, Layer]) -> Layer:
        return Debugged(self.model.with_children(children), self.infinities)

    def arguments(self) -> list[Argument]:
        named = [Argument("infinities", True, True)] if self.infinities else []
        return [Argument("model", self.model, False), *named]

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return self.model.initial_parameters(rng)

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return self.model.initial_states(rng)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        given = {"x": x, "ps": ps, "st": st}
        for path, leaf in trees.flatten_with_paths(given):
            self._check(leaf, lambda found, path=path: f"{path} holds {found} before the call")
        watched = surround(self.model, self._around)
        if _in_programs((x, ps, st)):
            return watched(x, ps, st)
        return self._observed(watched, (x, ps, st))

    def _observed(self, call: Callable[..., Any], given: tuple[Any, ...]) -> Any:
        """Return ``call(*given)`` after a look at every operation."""
        leaves, structure = trees.flatten(given)
        places = [i for i, leaf in enumerate(leaves) if is_array(leaf)]
        if not places:
            return call(*given)
        made: Any = None

        def run(*arrays: Any) -> list[Any]:
            nonlocal made
            for i, array in zip(places, arrays, strict=True):
                leaves[i] = array
            found, made = trees.flatten(call(*trees.unflatten(structure, leaves)))
            return found

        arrays = [leaves[i] for i in places]
        results = backend_of(*arrays).observe(run, arrays, self._see)
        return trees.unflatten(made, results)

    def _around(self, path: Path, layer: Layer, call: Any, x: Any, ps: Any, st: Any) -> Any:
        given = x, ps, st
        alone = not layer.children()
        if alone:
            with _at(None):
                probed = trees.map_leaves(
                    lambda leaf: self._probe(leaf, path, layer.display_name), (x, ps)
                )
            given = *probed, st
        with _at(path):
            y, new = self._observed(call, given) if alone and _in_programs(x) else call(*given)
        with _at(None):
            for leaf in trees.leaves(y):
                self._check(leaf, lambda found: f"{layer.display_name} gives {found}")
        return y, new

    def _see(self, name: str, run: Callable[..., Any], args: Sequence[Any]) -> Any:
        """Run one operation, with probes at its arguments, and look at its result."""
        path = _place.get()
        if path is None:
            return run(args)
        probe = functools.partial(self._probe, path=path, name=name)
        result = run([replaced(probe, x) for x in args])
        for part in result if isinstance(result, tuple | list) else (result,):
            self._check(part, lambda found: f"{name} gives {found}{_described(args)}")
        return result

    def _probe(self, x: Any, path: Path, name: str) -> Any:
        """Return an array whose cotangent is looked at when it comes back."""
        if not is_floating(x):
            return x

        def backward(_: Any, cotangent: Any) -> tuple[Any]:
            found = _found(cotangent, infinities=True)
            if found:
                error = NonFiniteError(f"the derivative of {name} gives {found}")
                error.path = path
                raise error
            return (cotangent,)

        probe = custom_vjp(_same)
        probe.defvjp(lambda x: (x, None), backward)
        return probe(x)

    def _check(self, leaf: Any, message: Callable[[str], str]) -> None:
        found = _found(leaf, self.infinities)
        if found:
            raise NonFiniteError(message(found))


def debug(model: Layer, *, infinities: bool = False) -> Layer:
    """Make a model that stops at the first NaN and says where it comes from.

    Every layer's call, and every operation in it, is looked at: its result on the way forward, its
    cotangents on the way back. That takes many times as long: it is for the search for a fault.

    Parameters
    ----------
    model : Layer
        The model. Its parameters and states serve the new one as they are.
    infinities : bool
        Whether to stop at infinities on the way forward too. Masks are full of them, so it is off
        by default; a NaN often comes from an infinity that was there before it. On the way back
        they always stop it.

    Returns
    -------
    Layer
        What raises `portanet.errors.NonFiniteError`, with the path of the layer and the name of
        the operation, and computes what `model` does.

    Raises
    ------
    HyperparameterError
        If `model` is no layer.
    TracedValueError
        In a call inside `jit`, which has no values to look at: call it with ``jit=False``.

    Notes
    -----
    JAX shows the operations of layers without layers inside; elsewhere it is the container that is
    named.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.debug(pn.Chain(pn.Dense(2, 2), np.sqrt, pn.Dense(2, 1)))
    >>> ps, st = pn.setup(0, model)
    >>> with np.errstate(invalid="ignore"):
    ...     model(np.asarray([[-9.0, 1.0]], np.float32), ps, st)
    Traceback (most recent call last):
        ...
    portanet.errors.NonFiniteError: model.layer_2: sqrt gives nan in 1 of 2 entries, of (1, 2) ...
    """
    if not isinstance(infinities, bool):
        raise HyperparameterError(f"debug: infinities is True or False: got {shown(infinities)}")
    if not isinstance(model, Layer):
        raise HyperparameterError(f"debug: model is a portanet.Layer: got {shown(model)}")
    return Debugged(model, infinities)


def _in_programs(x: Any) -> bool:
    """Whether the library of an input shows the operations of one layer at a time."""
    arrays = list(filter(is_array, trees.leaves(x)))
    return bool(arrays) and backend_of(*arrays).observes == "programs"


def _same(x: Any) -> Any:
    return x * 1.0  # a new array: torch refuses its own where it does not differentiate


def _found(leaf: Any, infinities: bool) -> str:
    """Say what an array holds that is no finite number; nothing if there is none."""
    if not is_floating(leaf):
        return ""
    x = _plain(leaf)
    xp = backend_of(x).xp
    for kind, where in (("nan", xp.isnan(x)), ("infinity", xp.isinf(x))):
        if (infinities or kind == "nan") and _truth(xp.any(where)):
            count = int(xp.count_nonzero(where))
            return f"{kind} in {count} of {math.prod(x.shape)} entries" if x.ndim else kind
    return ""


def _plain(x: Any) -> Any:
    """Return the array inside of all traces."""
    x = stop_gradient(x)
    while isinstance(x, Box):
        if x.recorded:
            _refuse_tracing()
        x = x.value
    return x


def _truth(x: Any) -> bool:
    try:
        return bool(x)
    except TypeError:  # a compiler traces the call
        _refuse_tracing()


def _refuse_tracing() -> NoReturn:
    raise TracedValueError(
        "pn.debug looks at values, which do not exist inside pn.jit: call it without, for example "
        "with train_step(..., jit=False)"
    )


def _described(args: Sequence[Any]) -> str:
    """Say between which numbers the arguments of an operation lie."""
    parts = []
    for x in args:
        if is_array(x) and backend_of(x).is_real(x.dtype) and 0 not in x.shape:
            x = _plain(x)
            xp = backend_of(x).xp
            low, high = float(xp.min(x)), float(xp.max(x))
            parts.append(f"{tuple(x.shape)} from {low:.3g} to {high:.3g}")
    return f", of {', '.join(parts)}" if parts else ""

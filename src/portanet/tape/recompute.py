"""Functions whose derivatives run them again, for any engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.tape.custom_rule import Operation

Function = Callable[..., Sequence[Any]]


def recomputed(
    function: Function,
    arrays: Sequence[Any],
    backend: Any,
    outputs: Sequence[Any] | None = None,
    fresh: Callable[[Any], Any] = lambda x: x,
) -> list[Any]:
    """Call a function of nothing but its arguments; its derivatives keep these only.

    Parameters
    ----------
    function : callable
        Takes arrays, returns a sequence of arrays.
    arrays : sequence of arrays
    backend : Backend
        Supplies ``custom``, ``vjp`` and ``jvp``.
    outputs : sequence of arrays, optional
        The results without derivatives, if they are known.
    fresh : callable, optional
        Applied to each array before it is differentiated.
    """
    xp = backend.xp

    def value(*inputs: Any) -> list[Any]:
        return list(function(*inputs) if outputs is None else outputs)

    def backward(inputs: Any, results: Any, _: Any, cotangents: list[Any]) -> list[Any]:
        used = [i for i, g in enumerate(cotangents) if g is not None]
        count, size = len(inputs), len(results)

        def pulled(*given: Any) -> list[Any]:
            _, pull = backend.vjp(function, [*map(fresh, given[:count])])
            seeds: list[Any] = [None] * size
            for i, g in zip(used, given[count:], strict=True):
                seeds[i] = g
            parts = zip(pull(seeds), given, strict=False)
            return [xp.zeros_like(x) if g is None else g for g, x in parts]

        return recomputed(pulled, [*inputs, *(cotangents[i] for i in used)], backend)

    def forward(inputs: Any, results: Any, _: Any, tangents: list[Any]) -> list[Any]:
        pairs = zip(inputs, tangents, strict=True)
        directions = [xp.zeros_like(x) if t is None else t for x, t in pairs]
        return backend.jvp(function, [*map(fresh, inputs)], directions)[1]

    operation = Operation("checkpoint", value, lambda *x: (value(*x), []), backward, forward)
    return backend.custom(operation, arrays)
